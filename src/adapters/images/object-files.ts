import { Readable } from 'node:stream';
import { throwIfAborted } from '../../base/abort.ts';
import { PushforwardError } from '../../base/errors.ts';
import { type LocateObjects, type ObjectHead, type ObjectPlace } from '../../pipeline/ports.ts';
import { checkObjectPath } from './object-path.ts';
import { type FolderItem, sourceChanged, type SourceFile, type SourceFiles } from './source-file.ts';

/**
 * Objects of a store, named by URIs. Keys are taken apart at `/` as if there were folders; empty objects whose key ends in
 * `/`, which consoles make to show a folder, are none. An object is pinned to its ETag, and the store itself compares it
 * (If-Match). That is enough in a bucket with versions too: an object that was overwritten is another one, although the
 * old version could still be had, with a right to read versions that few readers have.
 */
export function createObjectFiles(locate: LocateObjects): SourceFiles {
  const placeOf = (path: string): ObjectPlace => {
    const place = locate(path);
    if (place) return place;
    throw new PushforwardError('INTERNAL', `expected ${path} to lie where its folder lies, got another place`);
  };
  /** What keys below a folder begin with. */
  const prefixOf = ({ key }: ObjectPlace): string => (key === '' ? '' : `${key}/`);

  /** @throws SOURCE_UNREADABLE if there is no such object */
  async function head(path: string): Promise<ObjectHead> {
    const { store, key } = placeOf(path);
    const found = await store.head(key);
    if (!found) throw nothingAt(path, 'an object');
    return found;
  }

  async function* walk(folder: string, signal?: AbortSignal): AsyncGenerator<FolderItem> {
    const place = placeOf(folder);
    const prefix = prefixOf(place);
    let last = '';
    for await (const { key, bytes, etag } of place.store.list(prefix)) {
      throwIfAborted(signal);
      const path = key.slice(prefix.length);
      if (path === '' || path.endsWith('/')) continue;
      checkObjectPath(path, folder);
      if (path.split('/').some((segment) => segment.startsWith('.'))) continue;
      const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
      if (parent !== last) yield { kind: 'folder', path: parent };
      last = parent;
      yield { kind: 'file', path, state: { bytes, etag } };
    }
  }

  return {
    /**
     * Each request takes some 30 ms on its way to a store, in which about a megabyte would arrive; but what is in flight is
     * in memory: 16 x 4 MiB.
     */
    reading: { parallel: 16, gapBytes: 256 * 1024, rangeBytes: 4 * 1024 * 1024 },

    realPath: async (path) => path.replace(/\/+$/, ''),

    async look(path) {
      const { store, key } = placeOf(path);
      const found = key === '' ? null : await store.head(key);
      if (found) return { bytes: found.bytes, etag: found.etag };
      for await (const _ of store.list(prefixOf({ store, key }))) return 'folder';
      throw nothingAt(path, 'an object, or objects below it');
    },

    async names(folder) {
      const place = placeOf(folder);
      const prefix = prefixOf(place);
      const found = { files: [] as string[], folders: [] as string[] };
      for await (const { key } of place.store.listFolder(prefix)) {
        const name = key.slice(prefix.length).replace(/\/$/, '');
        if (name === '' && key === prefix) continue;
        checkObjectPath(name, folder);
        if (!name.startsWith('.')) found[key.endsWith('/') ? 'folders' : 'files'].push(name);
      }
      return found;
    },

    walk,

    async read(path, { maxBytes, state }) {
      const { store, key } = placeOf(path);
      try {
        if (state) return await store.get(key, undefined, { etag: state.etag });
        const bytes = await store.get(key, { offset: 0, bytes: maxBytes + 1 });
        return bytes.length > maxBytes ? 'larger' : bytes;
      } catch (error) {
        // No range begins in an empty object.
        if (codeOf(error) === 'INVALID_INPUT') return new Uint8Array();
        if (codeOf(error) === 'NOT_FOUND') return 'missing';
        throw changed(error, path, state?.etag);
      }
    },

    stream(path) {
      const { store, key } = placeOf(path);
      async function* bytes(): AsyncGenerator<Uint8Array> {
        try {
          yield* store.stream(key);
        } catch (error) {
          throw codeOf(error) === 'NOT_FOUND' ? nothingAt(path, 'an object') : error;
        }
      }
      // One piece ahead: a pipeline never settles over a source that ended and is destroyed with bytes that nobody took.
      return Readable.from(bytes(), { objectMode: false, highWaterMark: 1 });
    },

    async open(path, etag): Promise<SourceFile> {
      const found = await head(path).catch((error: unknown) => {
        if (etag === undefined || codeOf(error) !== 'SOURCE_UNREADABLE') throw error;
        throw sourceChanged(path, etag, 'nothing there');
      });
      const { store, key, immutable } = placeOf(path);
      if (etag !== undefined && !immutable && found.etag !== etag) throw sourceChanged(path, etag, found.etag);
      return {
        bytes: found.bytes,
        etag: found.etag,
        async read(offset, bytes) {
          if (bytes === 0) return new Uint8Array();
          if (offset + bytes > found.bytes) return null;
          return await store.get(key, { offset, bytes }, { etag: found.etag }).catch((error: unknown) => {
            throw changed(error, path, found.etag);
          });
        },
        close: async () => {},
      };
    },
  };
}

/** The store says which of its keys changed; who imports knows it by its path. */
function changed(error: unknown, path: string, etag = 'another'): unknown {
  if (codeOf(error) === 'SOURCE_CHANGED') return sourceChanged(path, etag, 'another etag');
  return codeOf(error) === 'NOT_FOUND' ? sourceChanged(path, etag, 'nothing there') : error;
}

function nothingAt(path: string, expected: string): PushforwardError {
  return new PushforwardError(
    'SOURCE_UNREADABLE',
    `expected ${expected} at ${path}, got nothing: correct the path; keys are taken as they are written, capitals too`,
    { path },
  );
}

const codeOf = (error: unknown): string | null => (error instanceof PushforwardError ? error.code : null);
