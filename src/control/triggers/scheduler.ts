import { type Clock } from '../../base/clock.ts';
import { toErrorRecord } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import { type Log } from '../../base/log.ts';
import { type TriggerStore } from './rows.ts';
import { createSchedule } from './schedule.ts';

/** Others change schedules, and other clocks drift: so often it is looked anew. */
const LOOK_EVERY_MS = 15_000;
const PRUNE_EVERY_MS = 3_600_000;
const PAGE = 50;
/** Evaluations that launched nothing are forgotten after so long; those that launched a run stay as long as it does. */
export const KEPT_DAYS = 90;

/**
 * Tells of due times: each is an event of the project, written with the next due time, in one transaction that only one service carries out. The time of the
 * database counts, since services have several. Crons of the queue that carries webhooks were no use: they know no time zone's gaps and folds
 * as they are promised here, and what fell due while nobody ran is lost to them.
 */
export function createScheduler({ triggers, clock, log }: { triggers: TriggerStore; clock: Clock; log: Log }) {
  const stopping = new AbortController();
  const id = newId('scheduler');
  let running: Promise<void> | null = null;

  async function run(): Promise<void> {
    let prunedAt = -Infinity;
    while (!stopping.signal.aborted) {
      let pauseMs = LOOK_EVERY_MS;
      try {
        pauseMs = Math.min(pauseMs, await tellDue(triggers, log));
        if (clock.now().getTime() - prunedAt >= PRUNE_EVERY_MS) {
          const pruned = await triggers.prune(KEPT_DAYS);
          if (pruned > 0) log.info('forgot evaluations of triggers', { pruned });
          prunedAt = clock.now().getTime();
        }
      } catch (error) {
        log.warn('schedules wait for the database', { id, error: toErrorRecord(error) });
      }
      await clock.sleep(pauseMs, stopping.signal);
    }
  }

  return {
    start: () => void (running ??= run()),
    async close() {
      stopping.abort();
      await running;
    },
  };
}

/** @returns milliseconds until the next is due */
export async function tellDue(triggers: TriggerStore, log: Log): Promise<number> {
  for (;;) {
    const now = await triggers.now();
    const due = await triggers.due(now, PAGE);
    for (const trigger of due) {
      const { cron, timeZone } = trigger.source;
      const schedule = createSchedule(cron!, timeZone!);
      const times = schedule.due(trigger.dueAt, now, trigger.policy.misfire);
      const told = await triggers.tick(trigger, times, schedule.after(now));
      if (told && times.length > 1) log.info('a trigger catches up', { trigger: trigger.id, times: times.length });
    }
    if (due.length < PAGE) break;
  }
  const next = await triggers.nextDue();
  return next === null ? Infinity : Math.max(0, next.getTime() - (await triggers.now()).getTime());
}
