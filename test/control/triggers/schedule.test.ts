import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSchedule, MOST_CAUGHT_UP } from '../../../src/control/triggers/schedule.ts';
import { wallClock } from '../../../src/control/triggers/wall-clock.ts';

/** Due times after a moment, up to another. */
function times(cron: string, zone: string, from: string, to: string): string[] {
  const schedule = createSchedule(cron, zone);
  const found: string[] = [];
  for (let at = schedule.after(new Date(from)); at && at <= new Date(to); at = schedule.after(at)) {
    found.push(at.toISOString().slice(0, 16));
  }
  return found;
}

describe('as clocks are put forward', () => {
  it('a time of the gap fires at the first minute after it, in Berlin', () => {
    expect(times('30 2 * * *', 'Europe/Berlin', '2026-03-28T00:00:00Z', '2026-03-31T00:00:00Z')).toEqual([
      '2026-03-28T01:30',
      '2026-03-29T01:00',
      '2026-03-30T00:30',
    ]);
    expect(times('*/20 2 * * *', 'Europe/Berlin', '2026-03-28T12:00:00Z', '2026-03-30T00:30:00Z')).toEqual([
      '2026-03-29T01:00',
      '2026-03-30T00:00',
      '2026-03-30T00:20',
    ]);
  });

  it('and by half an hour, on Lord Howe', () => {
    // 2:00 becomes 2:30
    expect(times('15 2 * * *', 'Australia/Lord_Howe', '2026-10-02T20:00:00Z', '2026-10-05T20:00:00Z')).toEqual([
      '2026-10-03T15:30',
      '2026-10-04T15:15',
      '2026-10-05T15:15',
    ]);
  });
});

describe('as clocks are put back', () => {
  it('a time that comes twice fires once, in Berlin', () => {
    expect(times('30 2 * * *', 'Europe/Berlin', '2026-10-24T12:00:00Z', '2026-10-26T12:00:00Z')).toEqual([
      '2026-10-25T00:30',
      '2026-10-26T01:30',
    ]);
    expect(times('0 * * * *', 'Europe/Berlin', '2026-10-24T23:30:00Z', '2026-10-25T03:00:00Z')).toEqual([
      '2026-10-25T00:00',
      '2026-10-25T02:00',
      '2026-10-25T03:00',
    ]);
  });

  it('and by half an hour, on Lord Howe', () => {
    // 2:00 becomes 1:30
    expect(times('45 1 * * *', 'Australia/Lord_Howe', '2026-04-03T20:00:00Z', '2026-04-05T20:00:00Z')).toEqual([
      '2026-04-04T14:45',
      '2026-04-05T15:15',
    ]);
  });
});

describe('after an outage of three days', () => {
  const schedule = createSchedule('0 3 * * *', 'Europe/Berlin');
  const [first, now] = [new Date('2026-03-27T02:00:00Z'), new Date('2026-03-30T09:00:00Z')];
  const due = (misfire: 'SKIP' | 'ONE' | 'ALL', at = now) =>
    schedule.due(first, at, misfire).map(({ dueAt, missed }) => [dueAt.toISOString().slice(0, 16), missed]);

  it('SKIP tells nothing that is late', () => {
    expect(due('SKIP')).toEqual([]);
    expect(due('SKIP', new Date('2026-03-30T01:04:00Z'))).toEqual([['2026-03-30T01:00', 0]]);
  });

  it('ONE tells the newest, and how many it stands for', () => {
    expect(due('ONE')).toEqual([['2026-03-30T01:00', 3]]);
  });

  it('ALL tells each, those of a week alike, but no more than can be caught up', () => {
    expect(due('ALL')).toEqual([
      ['2026-03-27T02:00', 0],
      ['2026-03-28T02:00', 0],
      ['2026-03-29T01:00', 0],
      ['2026-03-30T01:00', 0],
    ]);
    const minutely = createSchedule('* * * * *', 'Europe/Berlin').due(first, now, 'ALL');
    expect(minutely).toHaveLength(MOST_CAUGHT_UP);
    expect(minutely.at(-1)!.dueAt).toEqual(now);
    expect(createSchedule('* * * * *', 'Europe/Berlin').due(first, now, 'ONE')).toMatchObject([{ dueAt: now }]);
  });

  it('tells one that is not late as it is', () => {
    for (const misfire of ['SKIP', 'ONE', 'ALL'] as const)
      expect(schedule.due(first, new Date(first.getTime() + 1000), misfire)).toEqual([{ dueAt: first, missed: 0 }]);
    expect(schedule.due(now, first, 'ALL')).toEqual([]);
  });

  it('SKIP tells nothing that is late, though nothing else was missed', () => {
    expect(due('SKIP', new Date(first.getTime() + 6 * 60_000))).toEqual([]);
    expect(due('ONE', new Date(first.getTime() + 6 * 60_000))).toEqual([['2026-03-27T02:00', 0]]);
  });
});

describe('in any zone, around any change of its clock', () => {
  const zone = fc.constantFrom(
    'Europe/Berlin',
    'Australia/Lord_Howe',
    'America/New_York',
    'Africa/Casablanca',
    'Asia/Kathmandu',
    'America/St_Johns',
  );
  const moment = fc
    .integer({ min: Date.UTC(2026, 0), max: Date.UTC(2027, 0) })
    .map((ms) => new Date(Math.floor(ms / 60_000) * 60_000));

  it('a moment is the one at which the clock shows what it shows, or the first such', () => {
    fc.assert(
      fc.property(zone, moment, (name, at) => {
        const clock = wallClock(name);
        const found = clock.momentOf(clock.shows(at));
        expect(clock.shows(found)).toEqual(clock.shows(at));
        expect(at.getTime() - found.getTime()).toBeGreaterThanOrEqual(0);
        expect(at.getTime() - found.getTime()).toBeLessThanOrEqual(3_600_000);
      }),
    );
  });

  it('due times rise, and what was due by then is what came after one another', () => {
    fc.assert(
      fc.property(
        zone,
        moment,
        fc.constantFrom('*/10 * * * *', '30 1,2,3 * * *', '0 2 * * *', '5 */3 * * 0'),
        (name, from, cron) => {
          const schedule = createSchedule(cron, name);
          const one = schedule.after(from)!;
          const walked = [one];
          while (walked.length < 30) walked.push(schedule.after(walked.at(-1)!)!);
          expect(walked.every((at, i) => i === 0 || at > walked[i - 1]!)).toBe(true);
          expect(schedule.due(one, walked.at(-1)!, 'ALL').map(({ dueAt }) => dueAt)).toEqual(walked);
          const beforeNext = new Date(walked[1]!.getTime() - 1);
          expect(schedule.due(one, beforeNext, 'ONE')).toEqual([{ dueAt: one, missed: 0 }]);
        },
      ),
      { numRuns: 60 },
    );
  });
});

it.each([
  ['61 * * * *', 'UTC', 'expected a cron expression of five fields'],
  ['* * * * * *', 'UTC', 'expected a cron expression of five fields'],
  ['0 0 30 2 *', 'UTC', 'expected a cron expression of days that there are'],
  ['0 0 * * *', 'Mars/Olympus', 'expected an IANA time zone'],
])('%s in %s is refused', (cron, zone, message) => {
  expect(() => createSchedule(cron, zone)).toThrow(message);
});
