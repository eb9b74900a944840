import { GetObjectCommand, type GetObjectCommandOutput } from '@aws-sdk/client-s3';
import { systemClock } from '../../../base/clock.ts';
import { invalid, notFound, PushforwardError } from '../../../base/errors.ts';
import { type ByteRange, type GetOptions } from '../../../pipeline/ports.ts';
import { objectChanged } from '../changed.ts';
import { GONE } from '../failures.ts';
import { type S3Connection } from './connection.ts';
import { isMissing, isPreconditionFailed, statusOf } from './failures.ts';

export interface Download {
  bytes: number;
  /** Throws STORE_UNAVAILABLE for bytes that were damaged on the way, which is known at the end: see `isDamagedOnTheWay`. */
  chunks: AsyncIterable<Uint8Array>;
}

/** In a row, with nothing that came between them. */
const MAX_RESUMES = 4;
const RESUME_MS = 100;

/** @throws NOT_FOUND if no object is there, SOURCE_CHANGED if it has another etag, INVALID_INPUT if the range begins outside */
export async function download(
  connection: S3Connection,
  key: string,
  range?: ByteRange,
  { etag }: GetOptions = {},
): Promise<Download> {
  const name = connection.nameOf(key);
  if (range) checkRange(range, key);
  const offset = range?.offset ?? 0;
  const asked = range && `bytes=${offset}-${offset + range.bytes - 1}`;
  const first = await ask(connection, { name, range: asked, etag: etag && `"${etag}"` }).catch((error: unknown) => {
    if (isMissing(error)) throw notFound('object', key, GONE);
    if (etag !== undefined && isPreconditionFailed(error)) throw objectChanged(key, etag);
    if (statusOf(error) === 416) throw outside(range!, key);
    throw connection.failure(error, `read ${key}`);
  });
  const bytes = lengthOf(first);

  /** The rest after a connection broke, of the same object. */
  const rest = (done: number) =>
    ask(connection, { name, range: `bytes=${offset + done}-${offset + bytes - 1}`, etag: first.ETag });

  /** On the way or where it lies: another pass tells. */
  async function whereDamaged(mismatch: unknown): Promise<unknown> {
    try {
      const again = await ask(connection, { name, range: asked, etag: first.ETag });
      for await (const chunk of again.Body as AsyncIterable<Uint8Array>) void chunk;
    } catch (error) {
      return isMismatch(error) ? damaged(connection, key, mismatch) : connection.failure(error, `read ${key}`);
    }
    const message = `expected ${key} as it was stored, got bytes that were damaged on the way: read it again`;
    return new PushforwardError('STORE_UNAVAILABLE', message, ON_THE_WAY, { cause: mismatch });
  }

  async function* chunks(): AsyncIterable<Uint8Array> {
    let answer = first;
    let done = 0;
    for (let resumes = 0; ; resumes++) {
      const before = done;
      try {
        for await (const chunk of answer.Body as AsyncIterable<Uint8Array>) {
          done += chunk.length;
          yield chunk;
        }
        if (done === bytes) return;
        throw Object.assign(new Error(`the answer ended after ${done} of ${bytes} bytes`), { code: 'ECONNRESET' });
      } catch (error) {
        if (isMismatch(error)) throw await whereDamaged(error);
        if (done > before) resumes = 0;
        if (resumes === MAX_RESUMES) throw connection.failure(error, `read ${key}`);
      }
      await systemClock.sleep(Math.random() * RESUME_MS * 2 ** resumes);
      answer = await rest(done).catch((error: unknown) => {
        if (etag !== undefined && isPreconditionFailed(error)) throw objectChanged(key, etag);
        throw isPreconditionFailed(error) || isMissing(error)
          ? new PushforwardError('STORE_UNAVAILABLE', `expected ${key} to stay as it is, got a change: read it again`)
          : connection.failure(error, `read ${key}`);
      });
    }
  }
  return { bytes, chunks: chunks() };
}

const ON_THE_WAY = { damaged: 'on the way' };

export function isDamagedOnTheWay(error: unknown): boolean {
  return error instanceof PushforwardError && error.details['damaged'] === ON_THE_WAY.damaged;
}

const isMismatch = (error: unknown): boolean => /checksum mismatch/i.test(String(error));

/** Of a range the store says where it lies, which a length that was cut short on the way does not change. */
function lengthOf({ ContentLength = 0, ContentRange = '' }: GetObjectCommandOutput): number {
  const [, first, last] = /^bytes (\d+)-(\d+)\//.exec(ContentRange) ?? [];
  return last === undefined ? ContentLength : Number(last) - Number(first) + 1;
}

function ask(
  { client, bucket }: S3Connection,
  { name, range, etag }: { name: string; range: string | undefined; etag?: string | undefined },
): Promise<GetObjectCommandOutput> {
  return client.send(new GetObjectCommand({ Bucket: bucket, Key: name, Range: range, IfMatch: etag }));
}

function checkRange(range: ByteRange, key: string): void {
  const { offset, bytes } = range;
  if (Number.isSafeInteger(offset) && Number.isSafeInteger(bytes) && offset >= 0 && bytes >= 1) return;
  throw outside(range, key);
}

function outside({ offset, bytes }: ByteRange, key: string): PushforwardError {
  return invalid(`expected a range that begins in ${key}, got ${bytes} bytes at ${offset}: correct it`);
}

function damaged({ use }: S3Connection, key: string, cause: unknown): PushforwardError {
  const [code, remedy] =
    use === 'source'
      ? (['SOURCE_UNREADABLE', 'upload the object again'] as const)
      : (['CORRUPT_ARTIFACT', 'delete the object and launch the run again'] as const);
  return new PushforwardError(
    code,
    `expected ${key} with the checksum that it was stored with, got another: ${remedy}`,
    {},
    { cause },
  );
}
