import { createHash } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  HeadObjectCommand,
  type HeadObjectCommandOutput,
  ListMultipartUploadsCommand,
  ListPartsCommand,
  type Part,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { systemClock } from '../../../base/clock.ts';
import { PushforwardError } from '../../../base/errors.ts';
import { checkFolderPrefix } from '../../../base/object-keys.ts';
import { type Completion, type IncomingObjects, type IncomingPart } from '../../../pipeline/ports.ts';
import { checkExpiry } from '../signed-url.ts';
import { prefixOf, type S3Connection } from './connection.ts';
import { download } from './download.ts';
import { isMissing, isOver } from './failures.ts';
import { type S3Settings } from './settings.ts';
import { encrypted } from './upload.ts';

const CHECKSUM = 'x-amz-checksum-sha256';
const LOOKS = 10;
const LOOK_AGAIN_MS = 100;

/**
 * Multipart uploads whose parts others send. Size and SHA-256 of a part are headers under its signature, so the store itself
 * refuses other bytes. To a store without checksums (`WHEN_REQUIRED`) the size alone is bound, and the object is read once
 * when it is complete.
 *
 * @param signer a client without checksums of its own, which would be those of an empty body
 */
export function s3Incoming(connection: S3Connection, settings: S3Settings, signer: S3Client): IncomingObjects {
  const { client, bucket, nameOf, guarded } = connection;
  const withDigests = settings.checksums === 'WHEN_SUPPORTED';

  async function begin(key: string): Promise<string> {
    const { UploadId } = await client.send(
      new CreateMultipartUploadCommand({
        Bucket: bucket,
        Key: nameOf(key),
        ...(withDigests && { ChecksumAlgorithm: 'SHA256' }),
        ...encrypted(settings.encryption),
      }),
    );
    return UploadId!;
  }

  async function signPart(key: string, UploadId: string, part: IncomingPart, expiresSeconds: number) {
    checkExpiry(expiresSeconds);
    const headers: Record<string, string> = withDigests ? { [CHECKSUM]: base64(part.sha256) } : {};
    const put = new UploadPartCommand({
      Bucket: bucket,
      Key: nameOf(key),
      UploadId,
      PartNumber: part.number,
      ContentLength: part.bytes,
      ChecksumSHA256: headers[CHECKSUM],
    });
    const url = await getSignedUrl(signer, put, {
      expiresIn: expiresSeconds,
      // As a header it is the store's to check; in the query it would bind nothing.
      unhoistableHeaders: new Set([CHECKSUM]),
      signableHeaders: new Set(['host', 'content-length', CHECKSUM]),
    });
    return { method: 'PUT' as const, url, headers };
  }

  async function complete(key: string, UploadId: string, parts: readonly IncomingPart[]) {
    const at = { Bucket: bucket, Key: nameOf(key), UploadId };
    let made = true;
    try {
      const there = await partsThere(client, at);
      const missing = parts.filter((part) => !isThere(part, there.get(part.number))).map((part) => part.number);
      if (missing.length > 0) return { state: 'incomplete' as const, missing };
      const Parts = parts.map((part) => ({
        PartNumber: part.number,
        ETag: there.get(part.number)!.ETag,
        ...(withDigests && { ChecksumSHA256: base64(part.sha256) }),
      }));
      await client.send(new CompleteMultipartUploadCommand({ ...at, MultipartUpload: { Parts } }));
    } catch (error) {
      // It was completed before, or is right now: then there is an object, or will be in a moment.
      if (!isOver(error)) throw error;
      made = false;
      for (let look = 0; look < LOOKS && (await headOf(at)) === null; look++) await systemClock.sleep(LOOK_AGAIN_MS);
    }
    if (await isOf(key, parts)) return { state: 'complete' as const };
    if (made) await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: at.Key }));
    return { state: 'gone' as const };
  }

  /** Some servers that are asked twice at once make an object of the parts that the first has left: they are asked in turn. */
  const turns = new Map<string, Promise<Completion>>();
  async function inTurn(id: string, work: () => Promise<Completion>): Promise<Completion> {
    const turn = (turns.get(id) ?? Promise.resolve()).then(work, work);
    turns.set(id, turn);
    try {
      return await turn;
    } finally {
      if (turns.get(id) === turn) turns.delete(id);
    }
  }

  async function headOf(at: { Bucket: string; Key: string }): Promise<HeadObjectCommandOutput | null> {
    const mode = withDigests ? { ChecksumMode: 'ENABLED' as const } : {};
    return await client
      .send(new HeadObjectCommand({ Bucket: at.Bucket, Key: at.Key, ...mode }))
      .catch((error: unknown) => {
        if (isMissing(error)) return null;
        throw error;
      });
  }

  /** Whether the object is there and of these parts. */
  async function isOf(key: string, parts: readonly IncomingPart[]): Promise<boolean> {
    const head = await headOf({ Bucket: bucket, Key: nameOf(key) });
    if (!head) return false;
    if (head.ChecksumSHA256) return head.ChecksumSHA256 === digestOfParts(parts);
    return await areThese(parts, (await download(connection, key)).chunks);
  }

  async function abort(folder: string): Promise<void> {
    checkFolderPrefix(folder);
    const Prefix = prefixOf(settings) + folder;
    // The first page again and again: the next one would begin after an upload that is not there any more.
    for (let more = true, before = ''; more;) {
      const page = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix }));
      for (const { Key, UploadId } of page.Uploads ?? []) {
        if (UploadId === before) throw stillThere(Key);
        await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId })).catch(unlessOver);
      }
      before = page.Uploads?.[0]?.UploadId ?? '';
      more = page.IsTruncated === true;
    }
  }

  return {
    begin: (key) => guarded(`begin an upload of ${key}`, () => begin(key)),
    signPart: (key, id, part, seconds) => guarded(`sign a URL of ${key}`, () => signPart(key, id, part, seconds)),
    complete: (key, id, parts) =>
      guarded(`complete the upload of ${key}`, () => inTurn(id, () => complete(key, id, parts))),
    abort: (folder) => guarded(`abort the uploads below ${folder}`, () => abort(folder)),
  };
}

function stillThere(name: string | undefined): PushforwardError {
  return new PushforwardError(
    'STORE_UNAVAILABLE',
    `expected the upload of ${name} to be over once it is aborted, got it listed again: try again`,
  );
}

function unlessOver(error: unknown): void {
  if (!isOver(error)) throw error;
}

async function partsThere(
  client: S3Client,
  at: { Bucket: string; Key: string; UploadId: string },
): Promise<Map<number, Part>> {
  const there = new Map<number, Part>();
  for (let PartNumberMarker: string | undefined, more = true; more;) {
    const page = await client.send(new ListPartsCommand({ ...at, PartNumberMarker }));
    for (const part of page.Parts ?? []) there.set(part.PartNumber!, part);
    PartNumberMarker = page.NextPartNumberMarker;
    more = page.IsTruncated === true && PartNumberMarker !== undefined;
  }
  return there;
}

function isThere(part: IncomingPart, there: Part | undefined): boolean {
  if (there?.Size !== part.bytes) return false;
  return !there.ChecksumSHA256 || there.ChecksumSHA256 === base64(part.sha256);
}

const base64 = (hex: string): string => Buffer.from(hex, 'hex').toString('base64');

/** What S3 calls a composite checksum: that of the checksums of the parts, and how many these are. */
function digestOfParts(parts: readonly IncomingPart[]): string {
  const hash = createHash('sha256');
  for (const { sha256 } of parts) hash.update(sha256, 'hex');
  return `${hash.digest('base64')}-${parts.length}`;
}

/** Hashes part by part what comes in chunks of any size. */
async function areThese(parts: readonly IncomingPart[], chunks: AsyncIterable<Uint8Array>): Promise<boolean> {
  const left = [...parts];
  let hash = createHash('sha256');
  let bytes = 0;
  for await (let chunk of chunks) {
    while (left[0] && bytes + chunk.length >= left[0].bytes) {
      const rest = left[0].bytes - bytes;
      if (hash.update(chunk.subarray(0, rest)).digest('hex') !== left.shift()!.sha256) return false;
      chunk = chunk.subarray(rest);
      hash = createHash('sha256');
      bytes = 0;
    }
    hash.update(chunk);
    bytes += chunk.length;
  }
  return left.length === 0 && bytes === 0;
}
