import { type BigIntStats } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { invalid, notFound, PushforwardError } from '../../base/errors.ts';
import { type ByteRange, type GetOptions } from '../../pipeline/ports.ts';
import { GONE, isMissing } from './failures.ts';
import { objectChanged } from './changed.ts';

/** One read(2) takes no more. */
const MAX_READ_BYTES = 1 << 30;
const CHUNK_BYTES = 256 * 1024;

/** An object as a file, and what of it is asked for. */
export interface ObjectRead extends GetOptions {
  path: string;
  key: string;
  range?: ByteRange | undefined;
}

/** @throws NOT_FOUND if no file is there, SOURCE_CHANGED if it has another etag, INVALID_INPUT if the range begins outside */
export async function readObject(read: ObjectRead): Promise<Uint8Array> {
  const { key } = read;
  await using file = await openObject(read);
  const { offset, bytes } = within(read.range, (await file.stat()).size, key);
  const into = new Uint8Array(bytes);
  for (let done = 0; done < bytes;) {
    const { bytesRead } = await file.read(into, done, Math.min(bytes - done, MAX_READ_BYTES), offset + done);
    if (bytesRead === 0) {
      throw new PushforwardError('STORE_UNAVAILABLE', `expected ${bytes} bytes of ${key}, got ${done}: try again`);
    }
    done += bytesRead;
  }
  return into;
}

export async function* streamObject(read: ObjectRead): AsyncIterable<Uint8Array> {
  await using file = await openObject(read);
  const { offset, bytes } = within(read.range, (await file.stat()).size, read.key);
  if (bytes === 0) return;
  yield* file.createReadStream({
    start: offset,
    end: offset + bytes - 1,
    highWaterMark: CHUNK_BYTES,
    autoClose: false,
  });
}

/** Every put makes a new inode, and the time tells apart inodes whose number was used before. */
export function etagOf({ ino, size, mtimeNs }: BigIntStats): string {
  return [ino, size, mtimeNs].map((part) => part.toString(36)).join('-');
}

async function openObject({ path, key, etag }: ObjectRead): Promise<FileHandle> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw isMissing(error) ? notFound('object', key, GONE) : error;
  });
  try {
    const stats = await file.stat({ bigint: true });
    if (!stats.isFile()) throw notFound('object', key, GONE);
    if (etag !== undefined && etag !== etagOf(stats)) throw objectChanged(key, etag);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** The part of a range that lies in the object, as S3 has it: it must begin inside, and its end is cut. */
function within(range: ByteRange | undefined, size: number, key: string): ByteRange {
  if (!range) return { offset: 0, bytes: size };
  const { offset, bytes } = range;
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(bytes) || offset < 0 || bytes < 1 || offset >= size) {
    throw invalid(
      `expected a range that begins in the ${size} bytes of ${key}, got ${bytes} bytes at ${offset}: correct it`,
    );
  }
  return { offset, bytes: Math.min(bytes, size - offset) };
}
