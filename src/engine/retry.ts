import { PushforwardError, toErrorRecord } from '../base/errors.ts';
import { failureClassOf, type AttemptState, type Failure, type FailureClass } from './ports.ts';

/**
 * What a failure of a class costs a task.
 * - never: the same order would fail the same way.
 * - failure: counts against `maxAttempts`.
 * - loss: the task is not at fault, so it has a larger budget; it has one at all because a task may be what kills the service.
 */
const RETRIES: Record<FailureClass, 'never' | 'failure' | 'loss'> = {
  userError: 'never',
  outOfMemory: 'failure',
  preempted: 'loss',
  imagePull: 'failure',
  unschedulable: 'failure',
  timeout: 'failure',
  lost: 'failure',
  internal: 'failure',
};

const LOSSES_PER_ATTEMPT = 5;
const LONGEST_BACKOFF_MS = 60_000;

export interface RetryPolicy {
  maxAttempts: number;
  /** Wait after the first failure; it doubles with every further one. */
  backoffMs: number;
}

/** Milliseconds to wait before the next attempt, or null if there is none. `counts` has the attempt that just failed. */
export function retryAfterMs(
  failure: Failure,
  counts: Pick<Record<AttemptState, number>, 'FAILED' | 'LOST'>,
  policy: RetryPolicy,
): number | null {
  const rule = RETRIES[failure.class];
  if (rule === 'never') return null;
  if (rule === 'failure' && counts.FAILED >= policy.maxAttempts) return null;
  if (rule === 'loss' && counts.FAILED + counts.LOST >= policy.maxAttempts * LOSSES_PER_ATTEMPT) return null;
  return Math.min(LONGEST_BACKOFF_MS, policy.backoffMs * 2 ** Math.max(0, counts.FAILED + counts.LOST - 1));
}

/** Whether an attempt that its service lost is followed by another; at once, since nothing went wrong with it. */
export function retryAfterLoss(counts: Pick<Record<AttemptState, number>, 'LOST'>, policy: RetryPolicy): boolean {
  return counts.LOST < policy.maxAttempts * LOSSES_PER_ATTEMPT;
}

/** Anything thrown on this side of the executor, as a failure. */
export function failureOf(error: unknown): Failure {
  const record = toErrorRecord(error);
  return { class: failureClassOf(record.code), error: record, exitCode: null, signal: null, lastLogLines: [] };
}

/** The same where its details, or what was logged, are what cannot be recorded. */
export function withoutDetails(failure: Failure): Failure {
  const { code, message } = failure.error;
  return { ...failure, error: { code, message }, lastLogLines: [] };
}

/** An outage of what the engine depends on: it is waited out, and no run fails of it. */
export function isOutage(error: unknown): boolean {
  return (
    error instanceof PushforwardError && (error.code === 'STORE_UNAVAILABLE' || error.code === 'DATABASE_UNAVAILABLE')
  );
}
