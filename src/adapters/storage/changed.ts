import { PushforwardError } from '../../base/errors.ts';

/** Another object lies under the key than the one that was asked for. */
export function objectChanged(key: string, etag: string): PushforwardError {
  return new PushforwardError(
    'SOURCE_CHANGED',
    `expected ${key} with etag ${etag}, got an object with another: put the old object back, or read the new one`,
    { key, expected: etag },
  );
}
