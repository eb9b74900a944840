import { type BigIntStats } from 'node:fs';
import { link, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { systemClock, type Clock } from '../../base/clock.ts';
import { invalid } from '../../base/errors.ts';
import { sha256 } from '../../base/json.ts';
import {
  type ByteRange,
  type GetOptions,
  type ObjectHead,
  type ObjectStore,
  type PutOptions,
  type PutResult,
} from '../../pipeline/ports.ts';
import { checkDigest } from './digest.ts';
import { errnoOf, isMissing, storeFailure } from './failures.ts';
import { checkFolderPrefix, checkKey, checkPrefix } from './keys.ts';
import { listFiles, namesInFolder } from './listing.ts';
import { etagOf, readObject, streamObject } from './reading.ts';
import { signUrl } from './signed-url.ts';
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

/** Temporary files that nobody wrote to for so long belong to writers that died. */
const STALE_MS = 24 * 3600 * 1000;
const SWEEP_EVERY_MS = 3600 * 1000;

/**
 * Objects as files below `root/objects`. A body is written to `root/temporary`, flushed, and then given its name: by
 * link(2), which fails if the name is taken, for `ifAbsent`; by rename(2) otherwise. So an object is there whole or not
 * at all, whenever a process dies, and one of several writers wins. Unlike in S3 a key cannot lie below another key.
 */
export function createDirectoryStore(options: DirectoryStoreOptions): ObjectStore {
  if (options.signingSecret === '') throw invalid('expected a signing secret, got an empty one: set one');
  const clock = options.clock ?? systemClock;
  const objects = join(options.root, 'objects');
  const temporary = join(options.root, 'temporary');
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
    key: string,
    body: Uint8Array | AsyncIterable<Uint8Array>,
    { ifAbsent = false, sha256: expected }: PutOptions = {},
  ): Promise<PutResult> {
    const path = pathOf(key);
    if (body instanceof Uint8Array && ifAbsent && (await fileAt(path))) {
      const received = sha256(body);
      checkDigest(key, expected, received);
      return { written: false, bytes: body.length, sha256: received };
    }
    await prepare();
    const file = await writeTemporary(temporary, body);
    try {
      checkDigest(key, expected, file.sha256);
      await makeFolder(dirname(path));
      const written = await giveName(file.path, path, ifAbsent);
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

  return {
    put: (key, body, putOptions) => guarded(`write ${key}`, () => put(key, body, putOptions)),
    get: (key, range, { etag } = {}) =>
      guarded(`read ${key}`, async () => await readObject({ path: pathOf(key), key, range, etag })),
    stream,
    head: (key) =>
      guarded(`look at ${key}`, async () => {
        const stats = await fileAt(pathOf(key));
        return stats ? headOf(key, stats) : null;
      }),
    list,
    listFolder,
    delete: (key) =>
      guarded(`delete ${key}`, async () => {
        await unlink(pathOf(key)).catch((error: unknown) => {
          if (!isMissing(error)) throw error;
        });
      }),
    signedUrl: async (key, { expiresSeconds, filename, mediaType }) =>
      signUrl(
        { key, filename: filename ?? null, mediaType: mediaType ?? null },
        { publicUrl: options.publicUrl(), signingSecret: options.signingSecret, expiresSeconds, now: clock.now() },
      ),
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
  return { key, bytes: Number(stats.size), etag: etagOf(stats) };
}
