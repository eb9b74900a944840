import { open, type FileHandle } from 'node:fs/promises';
import { invalid, notFound, PushforwardError } from '../../base/errors.ts';
import { type ByteRange } from '../../pipeline/ports.ts';
import { isMissing } from './failures.ts';

/** One read(2) takes no more. */
const MAX_READ_BYTES = 1 << 30;
const CHUNK_BYTES = 256 * 1024;

/** @throws NOT_FOUND if no file is there, INVALID_INPUT if the range begins outside */
export async function readObject(path: string, key: string, range?: ByteRange): Promise<Uint8Array> {
  await using file = await openObject(path, key);
  const { offset, bytes } = within(range, (await file.stat()).size, key);
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

export async function* streamObject(path: string, key: string, range?: ByteRange): AsyncIterable<Uint8Array> {
  await using file = await openObject(path, key);
  const { offset, bytes } = within(range, (await file.stat()).size, key);
  if (bytes === 0) return;
  yield* file.createReadStream({
    start: offset,
    end: offset + bytes - 1,
    highWaterMark: CHUNK_BYTES,
    autoClose: false,
  });
}

async function openObject(path: string, key: string): Promise<FileHandle> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw isMissing(error) ? notFound('object', key) : error;
  });
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw notFound('object', key);
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
