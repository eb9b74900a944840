import { PushforwardError, toErrorRecord } from '../base/errors.ts';
import { cancelAttempt, type Core } from './core.ts';
import { type AttemptRecord } from './ports.ts';
import { settleLost } from './settle.ts';

/**
 * Leases are renewed from evidence. An attempt without any is given up once its lease has run out, one of a dead service at
 * once: this engine holds the claim, so no other lives.
 */
export interface Leases {
  renew(): Promise<void>;
  /** Gives up what nobody holds; attempts that cannot be seen gone are asked for again at the next call. */
  sweep(): Promise<void>;
}

export function createLeases(core: Core): Leases {
  const { runs, ownerId, lease, executors, clock, log, releaseDeadlineMs } = core.options;
  const releasing = new Map<string, { since: number; under: boolean }>();

  async function renew(): Promise<void> {
    const alive = [...core.live.values()].filter((live) => live.handle?.alive() ?? true);
    const renewed = new Set(
      await runs.renewLeases(
        ownerId,
        alive.map((live) => live.id),
        lease.durationMs,
      ),
    );
    for (const live of alive) {
      if (renewed.has(live.id) || live.settling || !core.live.has(live.id)) continue;
      log.warn('an attempt was given up elsewhere', { run: live.runId, attempt: live.id });
      cancelAttempt(live);
    }
  }

  async function sweep(): Promise<void> {
    const abandoned = await runs.abandonedAttempts({ ownerId, othersToo: true });
    await Promise.all(
      abandoned.map((attempt) =>
        give(attempt).catch((error: unknown) =>
          log.warn('an abandoned attempt could not be given up; trying again', {
            run: attempt.runId,
            attempt: attempt.id,
            error: toErrorRecord(error),
          }),
        ),
      ),
    );
  }

  async function give(attempt: AttemptRecord): Promise<void> {
    if (!core.holds()) return;
    const live = core.live.get(attempt.id);
    if (live?.settling || (live && (live.handle?.alive() ?? true))) return;
    if (live) cancelAttempt(live);
    else if (!(await release(attempt)) || !core.holds()) return;
    await settleLost(core, attempt);
    core.wake(attempt.runId);
  }

  /** True once it is seen gone, or the deadline has passed: its publication, should there be one, counts once anyway. */
  async function release(attempt: AttemptRecord): Promise<boolean> {
    const state = releasing.get(attempt.id) ?? { since: clock.now().getTime(), under: false };
    if (state.under) return false;
    releasing.set(attempt.id, { ...state, under: true });
    let gone = false;
    try {
      const executor = executors.find((one) => one.name === attempt.executor);
      if (!executor) throw unknownExecutor(attempt);
      gone = await executor.release({ ...attempt.reference, attemptId: attempt.id });
    } catch (error) {
      log.error('an attempt of an earlier service could not be released', {
        run: attempt.runId,
        attempt: attempt.id,
        error: toErrorRecord(error),
      });
    }
    if (gone) {
      releasing.delete(attempt.id);
      return true;
    }
    releasing.set(attempt.id, { ...state, under: false });
    if (clock.now().getTime() - state.since < releaseDeadlineMs) return false;
    await core.change(attempt.runId, async (change) => {
      if (change.run.resourcesUnconfirmed) return;
      await change.setRun({ resourcesUnconfirmed: true });
      change.emit({ type: 'run.resourcesUnconfirmed', payload: { attempts: [attempt.id] } });
    });
    releasing.delete(attempt.id);
    return true;
  }

  return { renew, sweep };
}

function unknownExecutor(attempt: AttemptRecord): PushforwardError {
  return new PushforwardError(
    'NOT_READY',
    `expected an executor ${attempt.executor} for attempt ${attempt.id}, got none: configure it until its attempts have ended`,
  );
}
