import { invalid, notFound } from '../../src/base/errors.ts';
import { objectChanged } from '../../src/adapters/storage/changed.ts';
import { sha256 } from '../../src/base/json.ts';
import { keyOf } from '../../src/adapters/storage/names.ts';
import { checkFolderPrefix, checkKey, checkPrefix } from '../../src/base/object-keys.ts';
import {
  type ByteRange,
  type GetOptions,
  type IncomingObjects,
  type IncomingPart,
  type ObjectStore,
} from '../../src/pipeline/ports.ts';

/** An object store in memory, and what was asked of it. */
export interface MemoryStore extends ObjectStore {
  readonly objects: Map<string, { bytes: Uint8Array; etag: string; modifiedAt: Date }>;
  /** Calls of `get`, with ranges. */
  readonly reads: { key: string; offset: number; bytes: number }[];
  /** What was sent to the URL of a part: the status of the answer. */
  send(url: string, body: Uint8Array): number;
}

export function createMemoryStore(): MemoryStore {
  const objects: MemoryStore['objects'] = new Map();
  const reads: MemoryStore['reads'] = [];
  const gatherings = new Map<string, { key: string; parts: Map<string, Uint8Array> }>();
  let writes = 0;

  const slice = (key: string, range?: ByteRange, { etag }: GetOptions = {}): Uint8Array => {
    checkKey(key);
    const found = objects.get(key);
    if (!found) throw notFound('object', key);
    if (etag !== undefined && etag !== found.etag) throw objectChanged(key, etag);
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

  const nameOf = ({ number, bytes, sha256: digest }: IncomingPart) => `${number}/${bytes}/${digest}`;
  const incoming: IncomingObjects = {
    async begin(key) {
      checkKey(key);
      const gathering = String(++writes);
      gatherings.set(gathering, { key, parts: new Map() });
      return gathering;
    },
    async signPart(key, gathering, part) {
      checkKey(key);
      return { method: 'PUT', url: `memory:${gathering}/${nameOf(part)}`, headers: {} };
    },
    async complete(key, gathering, parts) {
      const found = gatherings.get(gathering);
      if (!found) return { state: objects.has(key) ? 'complete' : 'gone' };
      const missing = parts.filter((part) => !found.parts.has(nameOf(part))).map(({ number }) => number);
      if (missing.length > 0) return { state: 'incomplete', missing };
      const bytes = new Uint8Array(Buffer.concat(parts.map((part) => found.parts.get(nameOf(part))!)));
      objects.set(key, { bytes, etag: String(++writes), modifiedAt: new Date() });
      gatherings.delete(gathering);
      return { state: 'complete' };
    },
    async abort(folder) {
      checkFolderPrefix(folder);
      for (const [gathering, { key }] of gatherings) if (key.startsWith(folder)) gatherings.delete(gathering);
    },
  };

  return {
    objects,
    reads,
    incoming,
    send(url, body) {
      const [gathering, number, bytes, digest] = url.replace('memory:', '').split('/');
      const found = gatherings.get(gathering!);
      if (!found) return 404;
      if (body.length !== Number(bytes) || sha256(body) !== digest) return 400;
      found.parts.set(`${number}/${bytes}/${digest}`, Uint8Array.from(body));
      return 200;
    },
    async put(name, body, options = {}) {
      if (typeof name === 'string') checkKey(name);
      const bytes = body instanceof Uint8Array ? Uint8Array.from(body) : await whole(body);
      const digest = sha256(bytes);
      const key = keyOf(name, digest);
      checkKey(key);
      const there = objects.get(key);
      const stays = options.ifAbsent === true || (options.ifAbsent && there && sha256(there.bytes) === digest);
      if (there && stays) return { written: false, bytes: bytes.length, sha256: digest };
      objects.set(key, { bytes, etag: String(++writes), modifiedAt: new Date() });
      return { written: true, bytes: bytes.length, sha256: digest };
    },
    async get(key, range, options) {
      const bytes = slice(key, range, options);
      reads.push({ key, offset: range?.offset ?? 0, bytes: bytes.length });
      return bytes;
    },
    async *stream(key, range, options) {
      yield slice(key, range, options);
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
    async *listFolder(prefix) {
      checkFolderPrefix(prefix);
      const below = [...objects.keys()].filter((name) => name.startsWith(prefix));
      const keys = below.map((name) => prefix + /^[^/]*\/?/.exec(name.slice(prefix.length))![0]);
      for (const key of [...new Set(keys)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))))
        yield { key };
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
  for await (const part of body) parts.push(Uint8Array.from(part));
  return new Uint8Array(Buffer.concat(parts));
}
