import { toErrorRecord } from '../base/errors.ts';
import { failureClassOf, type Failure, type FailureClass, type PastAttempt } from './ports.ts';

/**
 * What a failure costs a task.
 * - never: the same order would fail the same way.
 * - failure: the task may be at fault.
 * - loss: it is not, so the budget is larger; there is one at all because a task may be what kills the service.
 * - outage: what a worker needs was away. It is waited out, for about an hour at the default of `maxAttempts`.
 */
type Rule = 'never' | 'failure' | 'loss' | 'outage';

const RULES: Record<FailureClass, Rule> = {
  userError: 'never',
  outOfMemory: 'failure',
  preempted: 'loss',
  imagePull: 'failure',
  unschedulable: 'failure',
  timeout: 'failure',
  lost: 'failure',
  internal: 'failure',
};

/** How many attempts may end by a rule, in `maxAttempts`. Each rule has a budget of its own. */
const BUDGETS: Record<Rule, number> = { never: 0, failure: 1, loss: 5, outage: 20 };
const LONGEST_BACKOFF_MS = 60_000;

export interface RetryPolicy {
  maxAttempts: number;
  /** Wait after the first failure; it doubles with every further one. */
  backoffMs: number;
}

/** Milliseconds to wait before the next attempt, or null if there is none. `past` has the attempt that just failed. */
export function retryAfterMs(failure: Failure, past: readonly PastAttempt[], policy: RetryPolicy): number | null {
  if (!hasBudget(ruleOf(failure), past, policy)) return null;
  const failures = past.filter(({ state }) => state === 'FAILED' || state === 'LOST').length;
  return Math.min(LONGEST_BACKOFF_MS, policy.backoffMs * 2 ** Math.max(0, failures - 1));
}

/** Whether an attempt that its service lost is followed by another; at once, since nothing went wrong with it. */
export function retryAfterLoss(past: readonly PastAttempt[], policy: RetryPolicy): boolean {
  return hasBudget('loss', past, policy);
}

function hasBudget(rule: Rule, past: readonly PastAttempt[], { maxAttempts }: RetryPolicy): boolean {
  return past.filter((attempt) => ruleOfPast(attempt) === rule).length < maxAttempts * BUDGETS[rule];
}

function ruleOfPast({ state, failure }: PastAttempt): Rule | null {
  // RUNNING beside the one that ended: its task went on without it.
  if (state === 'LOST' || state === 'RUNNING') return 'loss';
  return state === 'FAILED' && failure ? ruleOf(failure) : null;
}

function ruleOf(failure: Failure): Rule {
  return isOutage(failure.error) ? 'outage' : RULES[failure.class];
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

/** An outage of what the engine, its executors and their workers depend on: no run fails of it before long. */
export function isOutage(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown };
  return code === 'STORE_UNAVAILABLE' || code === 'DATABASE_UNAVAILABLE' || code === 'CLUSTER_UNAVAILABLE';
}
