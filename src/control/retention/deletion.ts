import { throwIfAborted } from '../../base/abort.ts';
import { type Clock } from '../../base/clock.ts';
import { PushforwardError } from '../../base/errors.ts';
import { type ObjectStore } from '../../pipeline/ports.ts';
import { type Condemned, type ProjectRetention } from './rows.ts';

/** How many objects are deleted at once. */
export const DELETIONS_AT_ONCE = 16;

/**
 * A deletion that was begun so long ago is taken over. Whoever begins one sends nothing to the store after half of that:
 * a process that hung, or lost its database, deletes no object that was written anew since.
 */
export const TAKE_OVER_MS = 10 * 60_000;

/** Deletes objects that were condemned just now, in order, and records that they are gone. */
export async function deleteCondemned(
  of: { store: Pick<ObjectStore, 'delete'>; clock: Clock; rows: Pick<ProjectRetention, 'confirmGone'> },
  { sweep, keys }: Condemned,
  signal: AbortSignal,
): Promise<void> {
  const deadlineMs = of.clock.now().getTime() + TAKE_OVER_MS / 2;
  for (let start = 0; start < keys.length; start += DELETIONS_AT_ONCE) {
    throwIfAborted(signal);
    if (of.clock.now().getTime() > deadlineMs) throw tooSlow(keys.length - start);
    const some = keys.slice(start, start + DELETIONS_AT_ONCE);
    await Promise.all(some.map((key) => of.store.delete(key)));
    await of.rows.confirmGone(sweep, some);
  }
}

function tooSlow(left: number): PushforwardError {
  return new PushforwardError(
    'STORE_UNAVAILABLE',
    `expected the store to delete within ${TAKE_OVER_MS / 120_000} minutes, got ${left} objects that are left: the next pass goes on`,
  );
}
