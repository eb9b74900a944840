import { expect, it } from 'vitest';
import { PushforwardError, type ErrorCode } from '../../src/base/errors.ts';
import { failureOf, isOutage, retryAfterLoss, retryAfterMs } from '../../src/engine/retry.ts';
import { type Failure, type FailureClass, type PastAttempt } from '../../src/engine/ports.ts';

const policy = { maxAttempts: 3, backoffMs: 100 };
const failure = (cls: FailureClass) => ({ ...failureOf(new Error('x')), class: cls });
const coded = (code: ErrorCode) => failureOf(new PushforwardError(code, 'x'));
const failed = (of: Failure, times: number): PastAttempt[] => Array(times).fill({ state: 'FAILED', failure: of });
const after = (of: Failure, times: number, more: PastAttempt[] = []) =>
  retryAfterMs(of, [...more, ...failed(of, times)], policy);

it('never tries a user error again', () => {
  expect(after(failure('userError'), 1)).toBeNull();
  for (const code of ['EMPTY_CLASS', 'LIMIT_EXCEEDED'] as const) expect(after(coded(code), 1)).toBeNull();
});

it('doubles the wait and ends with maxAttempts', () => {
  expect([1, 2, 3].map((times) => after(failure('internal'), times))).toEqual([100, 200, null]);
  const timeout = failure('timeout');
  expect(retryAfterMs(timeout, failed(timeout, 20), { ...policy, maxAttempts: 99 })).toBe(60_000);
});

it('has a larger budget for losses that are not the fault of the task', () => {
  expect(after(failure('preempted'), 5)).not.toBeNull();
  expect(after(failure('preempted'), 15)).toBeNull();
  const lost = (times: number): PastAttempt[] => Array(times).fill({ state: 'LOST', failure: failure('lost') });
  expect(retryAfterLoss(lost(14), policy)).toBe(true);
  expect(retryAfterLoss(lost(15), policy)).toBe(false);
  const handedOn: PastAttempt = { state: 'RUNNING', failure: null };
  expect(retryAfterLoss([...lost(14), handedOn], policy)).toBe(false);
});

it.each(['STORE_UNAVAILABLE', 'DATABASE_UNAVAILABLE', 'CLUSTER_UNAVAILABLE'] as const)(
  'waits while a worker reports %s',
  (code) => {
    expect([1, 2, 3, 30].map((times) => after(coded(code), times))).toEqual([100, 200, 400, 60_000]);
    expect(after(coded(code), 60)).toBeNull();
    // It leaves the budget of failures alone.
    expect(after(coded('INTERNAL'), 2, failed(coded(code), 30))).not.toBeNull();
    expect(after(coded('INTERNAL'), 3, failed(coded(code), 30))).toBeNull();
  },
);

it('knows outages from failures', () => {
  expect(isOutage(new PushforwardError('STORE_UNAVAILABLE', 'down'))).toBe(true);
  expect(isOutage(new Error('x'))).toBe(false);
  expect(isOutage(null)).toBe(false);
  expect(failureOf(new PushforwardError('PRIOR_INVALID', 'bad')).class).toBe('userError');
});
