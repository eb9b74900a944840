import { randomBytes } from 'node:crypto';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** A time-ordered id such as `run_01j9...`: 48 bits of milliseconds, then 80 random bits, in Crockford base 32. */
export function newId(prefix: string, nowMs: number = Date.now()): string {
  let time = '';
  for (let left = nowMs, i = 0; i < 10; i++, left = Math.floor(left / 32)) time = ALPHABET[left % 32] + time;
  let tail = '';
  for (const byte of randomBytes(16)) tail += ALPHABET[byte % 32];
  return `${prefix}_${time}${tail}`;
}
