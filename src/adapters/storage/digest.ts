import { createHash } from 'node:crypto';
import { PushforwardError } from '../../base/errors.ts';
import { type PutOptions } from '../../pipeline/ports.ts';

/**
 * Whether an object that was there stays, where a body with this digest was to be written. One that went meanwhile does not, and
 * neither does one that the store itself calls damaged.
 */
export async function stays(
  ifAbsent: PutOptions['ifAbsent'],
  sha256: string,
  there: AsyncIterable<Uint8Array>,
): Promise<boolean> {
  if (ifAbsent !== 'orDamaged') return ifAbsent === true;
  const hash = createHash('sha256');
  try {
    for await (const piece of there) hash.update(piece);
  } catch (error) {
    if (error instanceof PushforwardError && ['NOT_FOUND', 'CORRUPT_ARTIFACT'].includes(error.code)) return false;
    throw error;
  }
  return hash.digest('hex') === sha256;
}
