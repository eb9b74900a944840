import { invalid, notFound, PushforwardError } from '../../src/base/errors.ts';
import { sha256 } from '../../src/base/json.ts';
import { checkKey, checkPrefix } from '../../src/adapters/storage/keys.ts';
import { type ObjectStore } from '../../src/pipeline/ports.ts';

/** An object store in memory, and what was asked of it. */
export interface MemoryStore extends ObjectStore {
  readonly objects: Map<string, { bytes: Uint8Array; etag: string; modifiedAt: Date }>;
  /** Calls of `get`, with ranges. */
  readonly reads: { key: string; offset: number; bytes: number }[];
}

export function createMemoryStore(): MemoryStore {
  const objects: MemoryStore['objects'] = new Map();
  const reads: MemoryStore['reads'] = [];
  let writes = 0;

  const slice = (key: string, range?: { offset: number; bytes: number }): Uint8Array => {
    checkKey(key);
    const found = objects.get(key);
    if (!found) throw notFound('object', key);
    const { offset, bytes } = range ?? { offset: 0, bytes: found.bytes.length };
    if (
      range &&
      (!Number.isSafeInteger(offset) ||
        !Number.isSafeInteger(bytes) ||
        bytes < 1 ||
        offset < 0 ||
        offset >= found.bytes.length)
    ) {
      throw invalid(
        `expected a range that begins in the ${found.bytes.length} bytes of ${key}, got ${bytes} at ${offset}`,
      );
    }
    return found.bytes.slice(offset, offset + bytes);
  };

  return {
    objects,
    reads,
    async put(key, body, options = {}) {
      checkKey(key);
      const bytes = body instanceof Uint8Array ? Uint8Array.from(body) : await whole(body);
      const digest = sha256(bytes);
      if (options.sha256 !== undefined && options.sha256 !== digest) {
        throw new PushforwardError('CORRUPT_ARTIFACT', `expected a body with digest ${options.sha256}, got ${digest}`);
      }
      if (options.ifAbsent && objects.has(key)) return { written: false, bytes: bytes.length, sha256: digest };
      objects.set(key, { bytes, etag: String(++writes), modifiedAt: new Date() });
      return { written: true, bytes: bytes.length, sha256: digest };
    },
    async get(key, range) {
      const bytes = slice(key, range);
      reads.push({ key, offset: range?.offset ?? 0, bytes: bytes.length });
      return bytes;
    },
    async *stream(key, range) {
      yield slice(key, range);
    },
    async head(key) {
      checkKey(key);
      const found = objects.get(key);
      return found ? { key, ...found, bytes: found.bytes.length } : null;
    },
    async *list(prefix) {
      checkPrefix(prefix);
      const keys = [...objects.keys()].filter((name) => name.startsWith(prefix));
      for (const key of keys.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))) {
        const found = objects.get(key);
        if (found) yield { key, ...found, bytes: found.bytes.length };
      }
    },
    async delete(key) {
      checkKey(key);
      objects.delete(key);
    },
    async signedUrl(key) {
      checkKey(key);
      return `memory:${key}`;
    },
  };
}

async function whole(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return new Uint8Array(Buffer.concat(parts));
}
