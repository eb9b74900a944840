import { type ErrorCode, PushforwardError } from './errors.ts';

const READS = 3;

/**
 * Reads, and reads again what fails with one of these codes: bytes that were damaged on the way come whole the next time, and
 * those that are damaged where they lie do not, however often.
 * @param read checks what it reads
 */
export async function readAnew<T>(codes: readonly ErrorCode[], read: () => Promise<T>): Promise<T> {
  for (let reads = 1; ; reads++) {
    try {
      return await read();
    } catch (error) {
      if (reads === READS || !(error instanceof PushforwardError && codes.includes(error.code))) throw error;
    }
  }
}
