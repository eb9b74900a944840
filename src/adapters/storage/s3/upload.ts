import { randomUUID } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  PutObjectCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { systemClock } from '../../../base/clock.ts';
import { type Body } from './body.ts';
import { type S3Connection } from './connection.ts';
import { isConflict, isDamagedUpload, isOver, isPreconditionFailed, nameOf, triesOf } from './failures.ts';
import { type ChecksumMode, type Encryption } from './settings.ts';

export interface Upload {
  /** The name of the object, with the prefix of the store. */
  name: string;
  body: Body;
  ifAbsent: boolean;
  mediaType: string | undefined;
  encryption: Encryption | null;
  checksums: ChecksumMode;
  partBytes: number;
  inParts: boolean;
}

const PARTS_AT_ONCE = 4;
const MAX_PARTS = 10_000;
const MAX_RESTARTS = 6;
const RESTART_MS = 50;
/** Marks an object with the upload that made it: see `isOurs`. */
const MARK = 'pushforward-upload';

/**
 * Writes an object whole or not at all. A conflict with another writer (409), or bytes that were damaged on the way, start the
 * upload over after a random wait: S3 wants all parts sent again.
 * @returns false if `ifAbsent` and an object is there
 */
export async function upload(connection: S3Connection, what: Upload): Promise<boolean> {
  const mark = randomUUID();
  for (let restart = 0; ; restart++) {
    try {
      await (what.inParts ? putParts : putWhole)(connection, what, mark);
      return true;
    } catch (error) {
      const refused = what.ifAbsent && isPreconditionFailed(error);
      const lost = isOver(error);
      if ((refused || lost) && triesOf(error) > 1 && (await isOurs(connection, what.name, mark))) return true;
      if (refused) return false;
      if (!(lost || isConflict(error) || isDamagedUpload(error)) || restart === MAX_RESTARTS) throw error;
    }
    await systemClock.sleep(Math.random() * RESTART_MS * 2 ** restart);
  }
}

async function putWhole({ client, bucket }: S3Connection, what: Upload, mark: string): Promise<void> {
  const put = new PutObjectCommand({
    Bucket: bucket,
    Key: what.name,
    Body: await what.body.part(0, what.body.bytes),
    ContentLength: what.body.bytes,
    ...attributes(what, mark),
    ...condition(what),
  });
  // The signature holds this digest and the store checks it; the SDK would compute it once more.
  put.middlewareStack.add(
    (next) => (args) => {
      (args.request as { headers: Record<string, string> }).headers['x-amz-content-sha256'] = what.body.sha256;
      return next(args);
    },
    { step: 'build' },
  );
  await client.send(put);
}

async function putParts(connection: S3Connection, what: Upload, mark: string): Promise<void> {
  const { client, bucket } = connection;
  const at = { Bucket: bucket, Key: what.name };
  const { UploadId } = await client.send(
    new CreateMultipartUploadCommand({
      ...at,
      ...attributes(what, mark),
      ...(what.checksums === 'WHEN_SUPPORTED' && { ChecksumAlgorithm: 'CRC32' }),
    }),
  );
  try {
    const Parts = await sendParts(connection, what, UploadId!);
    await client.send(
      new CompleteMultipartUploadCommand({ ...at, UploadId, MultipartUpload: { Parts }, ...condition(what) }),
    );
  } catch (error) {
    // Parts of an upload that was never ended cost money. What cannot be aborted now is for the bucket's lifecycle rule.
    await client.send(new AbortMultipartUploadCommand({ ...at, UploadId })).catch(() => undefined);
    throw error;
  }
}

async function sendParts({ client, bucket }: S3Connection, what: Upload, uploadId: string): Promise<CompletedPart[]> {
  const size = Math.max(what.partBytes, Math.ceil(what.body.bytes / MAX_PARTS));
  const count = Math.ceil(what.body.bytes / size);
  const parts = new Array<CompletedPart>(count);
  const failures: unknown[] = [];
  const stop = new AbortController();
  let next = 0;
  const sendSome = async () => {
    try {
      while (next < count && !stop.signal.aborted) {
        const index = next++;
        const { ETag, ChecksumCRC32 } = await client.send(
          new UploadPartCommand({
            Bucket: bucket,
            Key: what.name,
            UploadId: uploadId,
            PartNumber: index + 1,
            Body: await what.body.part(index * size, size),
          }),
          { abortSignal: stop.signal },
        );
        parts[index] = { PartNumber: index + 1, ETag, ...(ChecksumCRC32 !== undefined && { ChecksumCRC32 }) };
      }
    } catch (error) {
      failures.push(error);
      stop.abort();
    }
  };
  await Promise.all(Array.from({ length: Math.min(PARTS_AT_ONCE, count) }, sendSome));
  if (failures.length > 0) throw failures[0];
  return parts;
}

const condition = ({ ifAbsent }: Upload) => (ifAbsent ? { IfNoneMatch: '*' } : {});

const attributes = ({ mediaType, encryption }: Upload, mark: string) => ({
  Metadata: { [MARK]: mark },
  ...(mediaType !== undefined && { ContentType: mediaType }),
  ...encrypted(encryption),
});

/** The fields of a request that makes an object. */
export const encrypted = (encryption: Encryption | null) => ({
  ...(encryption && { ServerSideEncryption: encryption.algorithm }),
  ...(encryption?.keyId && { SSEKMSKeyId: encryption.keyId }),
});

/** A try whose answer got lost may have written; the next try then finds an object there, and it is the one of this upload. */
async function isOurs({ client, bucket }: S3Connection, name: string, mark: string): Promise<boolean> {
  const head = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: name })).catch((error: unknown) => {
    if (nameOf(error) === 'NotFound') return null;
    throw error;
  });
  return head?.Metadata?.[MARK] === mark;
}
