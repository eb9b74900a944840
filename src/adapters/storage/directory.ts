import { type BigIntStats } from 'node:fs';
import { link, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemClock, type Clock } from '../../base/clock.ts';
import { crashPoint } from '../../base/crash-points.ts';
import { invalid } from '../../base/errors.ts';
import { sha256 } from '../../base/json.ts';
import { checkFolderPrefix, checkKey, checkPrefix } from '../../base/object-keys.ts';
import {
  type ByteRange,
  type GetOptions,
  type IncomingObjects,
  type ObjectHead,
  type ObjectName,
  type ObjectStore,
  type PutOptions,
  type PutResult,
} from '../../pipeline/ports.ts';
import { stays } from './digest.ts';
import { errnoOf, isMissing, storeFailure } from './failures.ts';
import { directoryIncoming, receivePart } from './incoming.ts';
import { listFiles, namesInFolder } from './listing.ts';
import { described, keyOf } from './names.ts';
import { etagOf, readObject, streamObject } from './reading.ts';
import { signPartUrl, signUrl, verifyPartUrl } from './signed-url.ts';
import { makeFolder, removeTemporary, sweepTemporary, syncFolder, writeTemporary } from './temporary.ts';

export interface DirectoryStoreOptions {
  /** Absolute path of the folder; made if it is not there. */
  root: string;
  /** Key of the HMAC under signed URLs; whoever serves them must have the same. */
  signingSecret: string;
  /** Where the service answers, without a slash at the end; asked at each signing, since a port may be chosen late. */
  publicUrl: () => string;
  /** Dates signed URLs and says which temporary files are old. */
  clock?: Clock;
}

export interface DirectoryStore extends ObjectStore {
  /**
   * Takes what was sent to the URL of a part; see `receivePart`. Whoever serves signed URLs hands it on.
   * @param url path and query as received
   * @throws FORBIDDEN for a URL that was not signed or has expired
   */
  receive(url: string, body: AsyncIterable<Uint8Array>, announcedBytes: number | null): Promise<void>;
}

/** Temporary files that nobody wrote to for so long belong to writers that died. */
const STALE_MS = 24 * 3600 * 1000;
const SWEEP_EVERY_MS = 3600 * 1000;

/**
 * Objects as files below `root/objects`. A body is written to `root/temporary`, flushed, and then given its name: by
 * link(2), which fails if the name is taken, for `ifAbsent`; by rename(2) otherwise. So an object is there whole or not
 * at all, whenever a process dies, and one of several writers wins. Unlike in S3 a key cannot lie below another key.
 */
export function createDirectoryStore(options: DirectoryStoreOptions): DirectoryStore {
  if (options.signingSecret === '') throw invalid('expected a signing secret, got an empty one: set one');
  const clock = options.clock ?? systemClock;
  const objects = join(options.root, 'objects');
  const temporary = join(options.root, 'temporary');
  const folders = { incoming: join(options.root, 'incoming'), temporary };
  const pathOf = (key: string): string => {
    checkKey(key);
    return join(objects, key);
  };

  let sweptAtMs = -Infinity;
  async function prepare(): Promise<void> {
    const nowMs = clock.now().getTime();
    if (nowMs - sweptAtMs < SWEEP_EVERY_MS) return;
    await makeFolder(temporary);
    sweptAtMs = nowMs;
    await sweepTemporary(temporary, new Date(nowMs - STALE_MS));
  }

  async function put(
    name: ObjectName,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    { ifAbsent = false }: PutOptions = {},
  ): Promise<PutResult> {
    if (typeof name === 'string') checkKey(name);
    if (body instanceof Uint8Array && ifAbsent) {
      const received = sha256(body);
      const key = keyOf(name, received);
      if (await fileAt(pathOf(key))) {
        if (await stays(ifAbsent, received, stream(key))) {
          return { written: false, bytes: body.length, sha256: received };
        }
      }
    }
    await prepare();
    const file = await writeTemporary(temporary, body);
    const key = keyOf(name, file.sha256);
    try {
      const path = pathOf(key);
      await makeFolder(dirname(path));
      crashPoint('object.unnamed');
      const written =
        (await giveName(file.path, path, ifAbsent !== false)) ||
        (!(await stays(ifAbsent, file.sha256, stream(key))) && (await giveName(file.path, path, false)));
      return { written, bytes: file.bytes, sha256: file.sha256 };
    } catch (error) {
      if (['ENOTDIR', 'EISDIR', 'EEXIST', 'ENOTEMPTY'].includes(errnoOf(error) ?? '')) {
        throw invalid(
          `expected a key that lies neither below nor above another object, got ${key}: choose another key`,
        );
      }
      throw error;
    } finally {
      await removeTemporary(file.path);
    }
  }

  async function* stream(key: string, range?: ByteRange, { etag }: GetOptions = {}): AsyncIterable<Uint8Array> {
    try {
      yield* streamObject({ path: pathOf(key), key, range, etag });
    } catch (error) {
      throw storeFailure(error, `read ${key}`);
    }
  }

  async function* list(prefix: string): AsyncIterable<ObjectHead> {
    checkPrefix(prefix);
    try {
      for await (const { key, stats } of listFiles(objects, prefix)) yield headOf(key, stats);
    } catch (error) {
      throw storeFailure(error, `list ${prefix}`);
    }
  }

  async function* listFolder(prefix: string): AsyncIterable<{ key: string }> {
    checkFolderPrefix(prefix);
    const names = await guarded(`list ${prefix}`, () => namesInFolder(join(objects, prefix)));
    for (const name of names) yield { key: prefix + name };
  }

  /** Runs an action; a failure of the file system becomes STORE_UNAVAILABLE. */
  const guarded = async <T>(doing: string, action: () => Promise<T>): Promise<T> => {
    try {
      return await action();
    } catch (error) {
      throw storeFailure(error, doing);
    }
  };

  const head = (key: string) =>
    guarded(`look at ${key}`, async () => {
      const stats = await fileAt(pathOf(key));
      return stats ? headOf(key, stats) : null;
    });
  const signing = (expiresSeconds: number) => ({
    publicUrl: options.publicUrl(),
    signingSecret: options.signingSecret,
    expiresSeconds,
    now: clock.now(),
  });
  const parts = directoryIncoming(folders, { put, head });
  const incoming: IncomingObjects = {
    begin: (key) => guarded(`begin an upload of ${key}`, () => parts.begin(key)),
    async signPart(key, gathering, part, expiresSeconds) {
      return { method: 'PUT', url: signPartUrl({ key, gathering, part }, signing(expiresSeconds)), headers: {} };
    },
    complete: (key, gathering, of) =>
      guarded(`complete the upload of ${key}`, () => parts.complete(key, gathering, of)),
    abort: (folder) => guarded(`abort the uploads below ${folder}`, () => parts.abort(folder)),
  };

  return {
    incoming,
    async receive(url, body, announcedBytes) {
      const signed = verifyPartUrl(url, options.signingSecret, clock.now());
      await guarded(`keep a part of ${signed.key}`, () => receivePart(folders, signed, body, announcedBytes));
    },
    put: (name, body, putOptions) => guarded(`write ${described(name)}`, () => put(name, body, putOptions)),
    get: (key, range, { etag } = {}) =>
      guarded(`read ${key}`, async () => await readObject({ path: pathOf(key), key, range, etag })),
    stream,
    head,
    list,
    listFolder,
    delete: (key) =>
      guarded(`delete ${key}`, async () => {
        await unlink(pathOf(key)).catch((error: unknown) => {
          if (!isMissing(error)) throw error;
        });
      }),
    signedUrl: async (key, { expiresSeconds, filename, mediaType }) =>
      signUrl({ key, filename: filename ?? null, mediaType: mediaType ?? null }, signing(expiresSeconds)),
  };
}

/** @returns false if `ifAbsent` and the name is taken by a file */
async function giveName(from: string, to: string, ifAbsent: boolean): Promise<boolean> {
  if (!ifAbsent) await rename(from, to);
  else {
    try {
      await link(from, to);
    } catch (error) {
      if (errnoOf(error) === 'EEXIST' && (await fileAt(to))) return false;
      throw error;
    }
  }
  await syncFolder(dirname(to));
  return true;
}

async function fileAt(path: string): Promise<BigIntStats | null> {
  try {
    const stats = await stat(path, { bigint: true });
    return stats.isFile() ? stats : null;
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

function headOf(key: string, stats: BigIntStats): ObjectHead {
  return { key, bytes: Number(stats.size), etag: etagOf(stats), modifiedAt: stats.mtime };
}
