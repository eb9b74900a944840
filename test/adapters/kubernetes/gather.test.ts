import { describe, expect, it } from 'vitest';
import { createGatherer } from '../../../src/adapters/kubernetes/gather.ts';
import { type Clock } from '../../../src/base/clock.ts';

/** A clock that moves when it is told to. */
function handClock(): Clock & { pass(ms: number): Promise<void> } {
  let now = 0;
  const sleepers: { at: number; wake(): void }[] = [];
  return {
    now: () => new Date(now),
    sleep: (ms, signal) =>
      new Promise((wake) => {
        sleepers.push({ at: now + ms, wake });
        signal?.addEventListener('abort', () => wake());
      }),
    async pass(ms) {
      for (const end = now + ms; now < end;) {
        now++;
        sleepers.filter(({ at }) => at <= now).forEach(({ wake }) => wake());
        await Promise.resolve();
        await Promise.resolve();
      }
    },
  };
}

function gatherer() {
  const clock = handClock();
  const handed: number[][] = [];
  const of = createGatherer<number>({
    clock,
    quietMs: 10,
    longestMs: 30,
    most: 4,
    handOn: (some) => handed.push(some),
  });
  return { ...of, clock, handed };
}

describe('a gatherer', () => {
  it('hands on what came together once nothing more comes, by key', async () => {
    const { add, clock, handed } = gatherer();
    add('a', 1);
    await clock.pass(5);
    add('a', 2);
    add('b', 3);
    await clock.pass(9);
    expect(handed).toEqual([]);
    await clock.pass(2);
    expect(handed.toSorted()).toEqual([[1, 2], [3]]);
  });

  it('lets nobody wait for long', async () => {
    const { add, clock, handed } = gatherer();
    for (const one of [1, 2, 3]) {
      add('a', one);
      await clock.pass(9);
    }
    await clock.pass(4);
    expect(handed).toEqual([[1, 2, 3]]);
  });

  it('hands on at once what is enough, and what it is asked for', async () => {
    const { add, flush, clock, handed } = gatherer();
    for (const one of [1, 2, 3, 4, 5]) add('a', one);
    expect(handed).toEqual([[1, 2, 3, 4]]);
    flush();
    expect(handed).toEqual([[1, 2, 3, 4], [5]]);
    await clock.pass(50);
    expect(handed).toHaveLength(2);
  });
});
