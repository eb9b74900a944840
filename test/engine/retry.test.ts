import { expect, it } from 'vitest';
import { PushforwardError } from '../../src/base/errors.ts';
import { failureOf, isOutage, retryAfterLoss, retryAfterMs } from '../../src/engine/retry.ts';
import { type FailureClass } from '../../src/engine/ports.ts';

const policy = { maxAttempts: 3, backoffMs: 100 };
const failure = (cls: FailureClass) => ({ ...failureOf(new Error('x')), class: cls });

it('never tries a user error again', () => {
  expect(retryAfterMs(failure('userError'), { FAILED: 1, LOST: 0 }, policy)).toBeNull();
});

it('doubles the wait and ends with maxAttempts', () => {
  const waits = [1, 2, 3].map((FAILED) => retryAfterMs(failure('internal'), { FAILED, LOST: 0 }, policy));
  expect(waits).toEqual([100, 200, null]);
  expect(retryAfterMs(failure('timeout'), { FAILED: 20, LOST: 0 }, { ...policy, maxAttempts: 99 })).toBe(60_000);
});

it('has a larger budget for losses that are not the fault of the task', () => {
  expect(retryAfterMs(failure('preempted'), { FAILED: 5, LOST: 0 }, policy)).not.toBeNull();
  expect(retryAfterMs(failure('preempted'), { FAILED: 15, LOST: 0 }, policy)).toBeNull();
  expect(retryAfterLoss({ LOST: 14 }, policy)).toBe(true);
  expect(retryAfterLoss({ LOST: 15 }, policy)).toBe(false);
});

it('knows outages from failures', () => {
  expect(isOutage(new PushforwardError('STORE_UNAVAILABLE', 'down'))).toBe(true);
  expect(isOutage(new Error('x'))).toBe(false);
  expect(failureOf(new PushforwardError('PRIOR_INVALID', 'bad')).class).toBe('userError');
});
