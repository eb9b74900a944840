import { Cron } from 'croner';
import { invalid } from '../../base/errors.ts';
import { type Misfire } from './rows.ts';
import { type WallClock, wallClock } from './wall-clock.ts';

/** Times that one outage gives at most under ALL: the newest of those that were missed. */
export const MOST_CAUGHT_UP = 100;
/** Under SKIP, the newest time that is told later than this is not told at all. */
const MISSED_AFTER_MS = 5 * 60_000;
/** A moment that comes twice lies no further back than the longest time that clocks were ever put back by. */
const FOLD_MS = 3 * 3_600_000;
const MOST_COUNTED = 1000;

export interface Schedule {
  /** The first due time after a moment; null: none within reach, such as of February 30. */
  after(moment: Date): Date | null;
  /** Of the due times from `first` to `now` those to tell, oldest first, each with how many were missed that it stands for. */
  due(first: Date, now: Date, misfire: Misfire): { dueAt: Date; missed: number }[];
}

/**
 * Due times of a cron expression with five fields, in the wall-clock time of a zone: every time that the clock shows fires once. One that the clock passes
 * over, as it is put forward, fires at the first minute after the gap, with all others of the gap; one that it shows twice fires when it is first shown.
 * So each day has its time, and an hourly schedule rests for an hour as clocks are put back.
 * @throws INVALID_INPUT
 */
export function createSchedule(cron: string, timeZone: string): Schedule {
  const zone = zoneOf(timeZone);
  const walls = cronOf(cron);

  /** Times that the clock shows, as if it were UTC, become moments; the order stays. */
  function* afterwards(moment: Date): Generator<Date> {
    for (let wall = walls.nextRun(zone.shows(moment)); wall !== null; wall = walls.nextRun(wall))
      yield zone.momentOf(wall);
  }

  function after(moment: Date): Date | null {
    for (const found of afterwards(moment)) if (found > moment) return found;
    return null;
  }

  /** The newest ones up to a moment, at most `most`, oldest first. */
  function newest(first: Date, now: Date, most: number): Date[] {
    const from = new Date(zone.shows(now).getTime() + FOLD_MS);
    const found = walls.previousRuns(most + FOLD_MS / 60_000, from).map((wall) => zone.momentOf(wall).getTime());
    const within = [...new Set(found)].filter((time) => time >= first.getTime() && time <= now.getTime());
    return within
      .slice(0, most)
      .map((time) => new Date(time))
      .reverse();
  }

  return {
    after,
    due(first, now, misfire) {
      if (first > now) return [];
      const second = after(first);
      // As nearly always. Looking back from now computes a thousand times and more, since a change of the clock may bring many together.
      const isAlone = second === null || second > now;
      const times = isAlone ? [first] : newest(first, now, misfire === 'ALL' ? MOST_CAUGHT_UP : MOST_COUNTED);
      if (misfire === 'ALL') return times.map((dueAt) => ({ dueAt, missed: 0 }));
      const last = times.at(-1);
      if (!last || (misfire === 'SKIP' && now.getTime() - last.getTime() > MISSED_AFTER_MS)) return [];
      return [{ dueAt: last, missed: misfire === 'ONE' ? times.length - 1 : 0 }];
    },
  };
}

function cronOf(cron: string): Cron {
  try {
    const found = new Cron(cron, { timezone: 'UTC', paused: true, mode: '5-part' });
    if (found.nextRun(new Date(0)) !== null) return found;
  } catch (error) {
    const { message } = error as Error;
    throw invalid(
      `expected a cron expression of five fields, minute hour day month weekday, got ${JSON.stringify(cron)} (${message.replace(/^CronPattern: /, '').replace(/\.$/, '')}): use one such as 30 2 * * 1-5`,
      { path: ['source', 'cron'] },
    );
  }
  throw invalid(
    `expected a cron expression of days that there are, got ${JSON.stringify(cron)}: correct day and month`,
    {
      path: ['source', 'cron'],
    },
  );
}

function zoneOf(timeZone: string): WallClock {
  try {
    return wallClock(timeZone);
  } catch {
    throw invalid(`expected an IANA time zone, got ${JSON.stringify(timeZone)}: use one such as Europe/Berlin or UTC`, {
      path: ['source', 'timeZone'],
    });
  }
}
