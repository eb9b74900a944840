import { PushforwardError } from '../../base/errors.ts';

/** @throws CORRUPT_ARTIFACT if a digest was expected and another received, before anything is written */
export function checkDigest(key: string, expected: string | undefined, received: string): void {
  if (expected === undefined || expected === received) return;
  throw new PushforwardError(
    'CORRUPT_ARTIFACT',
    `expected a body with digest ${expected} for ${key}, got ${received}: nothing was written, send it again`,
    { expected, received },
  );
}
