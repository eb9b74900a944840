import { crashPoint } from '../base/crash-points.ts';
import { PushforwardError, toErrorRecord } from '../base/errors.ts';
import { type Adoption } from './adopt.ts';
import { cancelAttempt, letGo, type Core, type LiveAttempt } from './core.ts';
import { type AttemptRecord } from './ports.ts';
import { handOn, settleLost } from './settle.ts';

/**
 * Leases are renewed from evidence. An attempt without any is asked to go once its lease has run out. This engine holds the
 * claim, so no other lives: an attempt of another is adopted if it goes on without its service, and asked to go if not. It is LOST when it is seen gone, not before; past the release
 * deadline a RUNNING run goes on without it, and it is asked on.
 */
export interface Leases {
  renew(): Promise<void>;
  /** Takes up what the service before began and goes on: from then on it counts among what is under way. */
  adopt(): Promise<void>;
  /** Gives up what nobody holds; attempts that cannot be seen gone are asked again at the next call. */
  sweep(): Promise<void>;
}

export function createLeases(core: Core, adoption: Adoption): Leases {
  const { runs, ownerId, lease, executors, clock, log, releaseDeadlineMs } = core.options;
  /** Attempts that were asked to go and are not seen gone, since when in the clock's milliseconds. */
  const asked = new Map<string, { since: number; handedOn: boolean }>();

  async function renew(): Promise<void> {
    const alive = [...core.live.values()].filter((live) => !live.silent && isAlive(live));
    const renewed = new Set(
      await runs.renewLeases(
        ownerId,
        alive.map((live) => live.id),
        lease.durationMs,
      ),
    );
    crashPoint('lease.renewed');
    for (const live of alive) {
      if (renewed.has(live.id) || live.settling || !core.live.has(live.id)) continue;
      log.warn('an attempt was given up elsewhere', { run: live.runId, attempt: live.id });
      letGo(core, live);
    }
  }

  async function adopt(): Promise<void> {
    await adoption.adopt(await runs.abandonedAttempts(ownerId));
  }

  async function sweep(): Promise<void> {
    const abandoned = await runs.abandonedAttempts(ownerId);
    const ids = new Set(abandoned.map((attempt) => attempt.id));
    for (const id of asked.keys()) if (!ids.has(id)) asked.delete(id);
    const adopted = core.holds() ? await adoption.adopt(abandoned) : new Set();
    const rest = abandoned.filter(({ id }) => !adopted.has(id));
    await Promise.all(
      rest.map((attempt) =>
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
    if (live?.settling || (live && !live.silent && isAlive(live))) return;
    if (live) {
      if (!live.silent)
        log.warn('an attempt shows no sign of life and is asked to go', { run: live.runId, attempt: live.id });
      live.silent = true;
      cancelAttempt(live);
    } else if (await seenGone(attempt)) {
      if (!core.holds()) return;
      crashPoint('lost.released');
      await settleLost(core, attempt);
      return core.wake(attempt.runId);
    }
    const now = clock.now().getTime();
    const since = asked.get(attempt.id) ?? { since: now, handedOn: false };
    asked.set(attempt.id, since);
    if (since.handedOn || now - since.since < releaseDeadlineMs || !core.holds()) return;
    log.error('an attempt was not seen gone in time', { run: attempt.runId, attempt: attempt.id });
    await handOn(core, attempt);
    since.handedOn = true;
    live?.handedOn.abort();
    core.wake(attempt.runId);
  }

  async function seenGone(attempt: AttemptRecord): Promise<boolean> {
    try {
      const executor = executors.find((one) => one.name === attempt.executor);
      if (!executor) throw unknownExecutor(attempt);
      // Of this service and no longer under way: its end was seen, it was never started, or it was left, which takes an executor that adopts.
      if (attempt.owner === ownerId && !executor.adopt) return true;
      return await executor.release({ ...attempt.reference, attemptId: attempt.id });
    } catch (error) {
      log.error('an attempt of an earlier service could not be released', {
        run: attempt.runId,
        attempt: attempt.id,
        error: toErrorRecord(error),
      });
      return false;
    }
  }

  return { renew, adopt, sweep };
}

function isAlive({ handle }: LiveAttempt): boolean {
  return handle?.alive() ?? true;
}

function unknownExecutor(attempt: AttemptRecord): PushforwardError {
  return new PushforwardError(
    'NOT_READY',
    `expected an executor ${attempt.executor} for attempt ${attempt.id}, got none: configure it until its attempts have ended`,
  );
}
