import { randomUUID } from 'node:crypto';
import { invalid, PushforwardError } from '../../base/errors.ts';
import { type ObjectStore } from '../../pipeline/ports.ts';

/**
 * Writes, writes again on condition, reads and deletes one small object: so that wrong settings show at the start, and not
 * in a run, and so that no store is used which ignores conditional writes: two workers could overwrite each other there.
 * @throws INVALID_INPUT if it ignores them; STORE_UNAVAILABLE if one of the steps cannot be done, or it is no store at all
 */
export async function probeStore(store: ObjectStore): Promise<void> {
  const key = `probe/${randomUUID()}`;
  const [first, second] = ['first', 'second'].map((text) => new TextEncoder().encode(text)) as [Uint8Array, Uint8Array];
  try {
    const one = await putIfAbsent(store, key, first);
    const back = await textOf(store, key);
    if (back !== 'first') {
      throw new PushforwardError(
        'STORE_UNAVAILABLE',
        `expected to read what was written, got ${back === null ? 'no object' : 'other bytes'}: no object store answers there, correct PUSHFORWARD_S3_ENDPOINT`,
      );
    }
    const two = await store.put(key, second, { ifAbsent: true });
    const kept = await textOf(store, key);
    if (one.written && !two.written && kept === 'first') return;
    throw withoutConditions(two.written ? 'wrote over it' : 'did otherwise', {
      written: [one.written, two.written],
      kept,
    });
  } finally {
    await store.delete(key).catch(() => undefined);
  }
}

/** Some stores refuse what they do not know, as they may refuse checksums: the same without a condition tells which it is. */
async function putIfAbsent(store: ObjectStore, key: string, body: Uint8Array): Promise<{ written: boolean }> {
  try {
    return await store.put(key, body, { ifAbsent: true });
  } catch (error) {
    if (!(error instanceof PushforwardError) || error.details['status'] !== NOT_IMPLEMENTED) throw error;
    const plain = await store.put(key, body).catch(() => null);
    throw plain ? withoutConditions(`answered ${NOT_IMPLEMENTED} (not implemented)`, error.details) : error;
  }
}

const NOT_IMPLEMENTED = 501;

function withoutConditions(got: string, details: Record<string, unknown>): PushforwardError {
  return invalid(
    'expected a store that leaves an object as it is when asked to write only what is absent (If-None-Match: *), ' +
      `got one that ${got}: upgrade the store to a release with conditional ` +
      'writes, name another in PUSHFORWARD_STORE, or unset it to use a directory',
    details,
  );
}

/** Null where the answer is not even an object. */
async function textOf(store: ObjectStore, key: string): Promise<string | null> {
  try {
    return new TextDecoder().decode(await store.get(key));
  } catch (error) {
    if (error instanceof PushforwardError) throw error;
    return null;
  }
}
