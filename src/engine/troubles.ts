import { type Core } from './core.ts';
import { type Failure } from './ports.ts';
import { failureOf, isOutage, withoutDetails } from './retry.ts';
import { beginStop } from './stop.ts';

/**
 * Errors on this side of the executor, counted by what they hinder. An outage is waited out however long it takes; an
 * error of the user fails the run at once, any other once it came `maxAttempts` times. So nothing is tried for ever.
 */
export interface Troubles {
  /** Whether the run was stopped for it. Does not throw. */
  met(of: { runId: string; hinders: string }, error: unknown): Promise<boolean>;
  over(hinders: string): void;
}

export function createTroubles(core: Core): Troubles {
  const { log, maxAttempts } = core.options;
  const counts = new Map<string, number>();

  async function met(of: { runId: string; hinders: string }, error: unknown): Promise<boolean> {
    const failure = failureOf(error);
    const count = (counts.get(of.hinders) ?? 0) + (isOutage(error) ? 0 : 1);
    const fatal = failure.class === 'userError' || count >= maxAttempts;
    const about = { run: of.runId, hinders: of.hinders, error: failure.error, count };
    log.warn(fatal ? 'a run fails of what hinders it' : 'a run is held up; trying again', about);
    counts.set(of.hinders, count);
    if (!fatal) return false;
    try {
      await stop(of.runId, failure);
    } catch (cause) {
      log.error('a run could not be stopped; trying again', { run: of.runId, error: failureOf(cause).error });
      return false;
    }
    counts.delete(of.hinders);
    return true;
  }

  async function stop(runId: string, failure: Failure): Promise<void> {
    const with_ = (reason: Failure) =>
      core.change(runId, async (change) => {
        if (change.state() === 'RUNNING') await beginStop(change, reason);
      });
    await with_(failure).catch((cause: unknown) => {
      if (isOutage(cause)) throw cause;
      return with_(withoutDetails(failure));
    });
  }

  return { met, over: (hinders) => void counts.delete(hinders) };
}
