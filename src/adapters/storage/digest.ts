import { createHash } from 'node:crypto';
import { PushforwardError } from '../../base/errors.ts';
import { type PutOptions } from '../../pipeline/ports.ts';

/** @throws CORRUPT_ARTIFACT if a digest was expected and another received, before anything is written */
export function checkDigest(key: string, expected: string | undefined, received: string): void {
  if (expected === undefined || expected === received) return;
  throw new PushforwardError(
    'CORRUPT_ARTIFACT',
    `expected a body with digest ${expected} for ${key}, got ${received}: nothing was written, send it again`,
    { expected, received },
  );
}

/** Whether an object that is there stays, where a body with this digest was to be written. */
export async function stays(
  ifAbsent: PutOptions['ifAbsent'],
  sha256: string,
  there: AsyncIterable<Uint8Array>,
): Promise<boolean> {
  if (ifAbsent !== 'orDamaged') return ifAbsent === true;
  const hash = createHash('sha256');
  for await (const piece of there) hash.update(piece);
  return hash.digest('hex') === sha256;
}
