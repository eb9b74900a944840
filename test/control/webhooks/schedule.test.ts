import { expect, it } from 'vitest';
import { MOST_TRIES, waitMs } from '../../../src/control/webhooks/schedule.ts';

const HOUR = 3_600_000;

it('waits longer each time, for more than a day in all', () => {
  const waits = Array.from({ length: MOST_TRIES - 1 }, (_, index) => waitMs(index + 1, null, 0.5));
  expect(waits.slice(0, 4)).toEqual([5_000, 15_000, 45_000, 135_000]);
  expect(waits).toEqual([...waits].sort((a, b) => a - b));
  expect(waits.at(-1)).toBe(6 * HOUR);
  const hours = waits.reduce((sum, ms) => sum + ms) / HOUR;
  expect(hours).toBeGreaterThan(24);
  expect(hours).toBeLessThan(30);
});

it('waits a quarter more or less by chance', () => {
  expect([waitMs(1, null, 0), waitMs(1, null, 0.5), waitMs(1, null, 0.999)].map(Math.round)).toEqual([
    ...[3_750, 5_000, 6_248],
  ]);
});

it('waits as long as the receiver asks, and no more than six hours for it', () => {
  expect(waitMs(1, 60_000, 0.5)).toBe(60_000);
  expect(waitMs(4, 60_000, 0.5)).toBe(135_000);
  expect(waitMs(1, 100 * HOUR, 0.5)).toBe(6 * HOUR);
});
