import { randomUUID } from 'node:crypto';
import { invalid } from '../../base/errors.ts';
import { type ObjectStore } from '../../pipeline/ports.ts';

/**
 * Writes, writes again on condition, reads and deletes one small object: so that wrong settings show at the start, and not
 * in a run, and so that no store is used which ignores conditional writes: two workers could overwrite each other there.
 * @throws INVALID_INPUT if it ignores them; STORE_UNAVAILABLE if one of the steps cannot be done
 */
export async function probeStore(store: ObjectStore): Promise<void> {
  const key = `probe/${randomUUID()}`;
  const [first, second] = ['first', 'second'].map((text) => new TextEncoder().encode(text)) as [Uint8Array, Uint8Array];
  try {
    const one = await store.put(key, first, { ifAbsent: true });
    const two = await store.put(key, second, { ifAbsent: true });
    const kept = new TextDecoder().decode(await store.get(key));
    if (one.written && !two.written && kept === 'first') return;
    throw invalid(
      'expected a store that leaves an object as it is when asked to write only what is absent (If-None-Match: *), ' +
        `got one that ${two.written ? 'wrote over it' : 'did otherwise'}: upgrade the store to a release with conditional ` +
        'writes, name another in PUSHFORWARD_STORE, or unset it to use a directory',
      { written: [one.written, two.written], kept },
    );
  } finally {
    await store.delete(key).catch(() => undefined);
  }
}
