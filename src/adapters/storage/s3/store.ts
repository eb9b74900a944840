import {
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListObjectsV2Command,
  type ListObjectsV2CommandOutput,
} from '@aws-sdk/client-s3';
import { getSignedUrl } from '@aws-sdk/s3-request-presigner';
import { type ByteRange, type GetOptions, type ObjectHead, type ObjectStore } from '../../../pipeline/ports.ts';
import { stays } from '../digest.ts';
import { described, keyOf } from '../names.ts';
import { byUtf8, checkFolderPrefix, checkPrefix } from '../../../base/object-keys.ts';
import { checkExpiry } from '../signed-url.ts';
import { gather } from './body.ts';
import { connect, openClient, prefixOf } from './connection.ts';
import { contentDisposition } from './disposition.ts';
import { download, isDamagedOnTheWay } from './download.ts';
import { isMissing } from './failures.ts';
import { s3Incoming } from './incoming.ts';
import { type S3Settings, type S3Tuning } from './settings.ts';
import { upload } from './upload.ts';

const MIB = 1024 * 1024;
/** From here on it is worth a request to learn that the object is there before the body is sent. */
const LOOK_FIRST_BYTES = MIB;
/** Of an object that is damaged on the way. */
const MAX_READS = 4;

/**
 * Objects in S3 or a store that speaks its protocol. `ifAbsent` is If-None-Match, which not every such store heeds: call
 * `probeStore` before use. A signed URL ends with the credentials that signed it, which may be before it expires.
 */
export function createS3Store(
  settings: S3Settings,
  { partBytes = 8 * MIB, multipartFromBytes = 64 * MIB + 1, maxAttempts = 5 }: S3Tuning = {},
): ObjectStore {
  const connection = connect(settings, maxAttempts);
  const { client, bucket, nameOf, guarded } = connection;
  const prefix = prefixOf(settings);
  // Whoever holds a URL could not send the checksums that the SDK would sign into it: those of parts are given to it.
  const signer = openClient(settings, maxAttempts, 'WHEN_REQUIRED');

  async function head(key: string): Promise<ObjectHead | null> {
    const Key = nameOf(key);
    return guarded(`look at ${key}`, async () => {
      try {
        const { ContentLength, ETag, LastModified } = await client.send(new HeadObjectCommand({ Bucket: bucket, Key }));
        return { key, bytes: ContentLength ?? 0, etag: plain(ETag), modifiedAt: dated(LastModified) };
      } catch (error) {
        if (isMissing(error)) return null;
        throw error;
      }
    });
  }

  /** One page at a time is in memory. */
  async function* pages(keyPrefix: string, Delimiter?: string): AsyncIterable<ListObjectsV2CommandOutput> {
    for (let ContinuationToken: string | undefined, more = true; more;) {
      const page = await guarded(`list ${keyPrefix}`, () =>
        client.send(
          new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix + keyPrefix, Delimiter, ContinuationToken }),
        ),
      );
      yield page;
      ContinuationToken = page.NextContinuationToken;
      more = page.IsTruncated === true && ContinuationToken !== undefined;
    }
  }

  async function* list(keyPrefix: string): AsyncIterable<ObjectHead> {
    checkPrefix(keyPrefix);
    for await (const { Contents } of pages(keyPrefix)) {
      for (const { Key, Size, ETag, LastModified } of Contents ?? []) {
        const modifiedAt = dated(LastModified);
        yield { key: Key!.slice(prefix.length), bytes: Size ?? 0, etag: plain(ETag), modifiedAt };
      }
    }
  }

  async function* listFolder(keyPrefix: string): AsyncIterable<{ key: string }> {
    checkFolderPrefix(keyPrefix);
    for await (const { Contents, CommonPrefixes } of pages(keyPrefix, '/')) {
      const keys = [...(Contents ?? []).map(({ Key }) => Key!), ...(CommonPrefixes ?? []).map(({ Prefix }) => Prefix!)];
      for (const key of keys.sort(byUtf8)) yield { key: key.slice(prefix.length) };
    }
  }

  async function* stream(key: string, range?: ByteRange, options?: GetOptions): AsyncIterable<Uint8Array> {
    yield* (await download(connection, key, range, options)).chunks;
  }

  async function getOnce(key: string, range?: ByteRange, options?: GetOptions): Promise<Uint8Array> {
    const { bytes, chunks } = await download(connection, key, range, options);
    // Not filled with zeros first, which costs a tenth of the time of a large object.
    const whole = new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer);
    let done = 0;
    for await (const chunk of chunks) {
      whole.set(chunk, done);
      done += chunk.length;
    }
    return whole;
  }

  return {
    async put(called, of, { ifAbsent = false, mediaType } = {}) {
      nameOf(described(called));
      await using body = await gather(of, partBytes);
      const { bytes, sha256 } = body;
      const key = keyOf(called, sha256);
      const { encryption, checksums } = settings;
      const inParts = bytes >= multipartFromBytes;
      const to = { name: nameOf(key), body, mediaType, encryption, checksums, partBytes, inParts };
      const send = (absent: boolean) => guarded(`write ${key}`, () => upload(connection, { ...to, ifAbsent: absent }));
      const found = ifAbsent && bytes >= LOOK_FIRST_BYTES && (await head(key)) !== null;
      const written =
        (!found && (await send(ifAbsent !== false))) ||
        (!(await stays(ifAbsent, sha256, stream(key))) && (await send(false)));
      return { written, bytes, sha256 };
    },

    async get(key, range, options) {
      for (let reads = 1; ; reads++) {
        try {
          return await getOnce(key, range, options);
        } catch (error) {
          if (!isDamagedOnTheWay(error) || reads === MAX_READS) throw error;
        }
      }
    },

    stream,

    head,
    list,
    listFolder,

    async delete(key) {
      const Key = nameOf(key);
      await guarded(`delete ${key}`, async () => {
        await client.send(new DeleteObjectCommand({ Bucket: bucket, Key })).catch((error: unknown) => {
          if (!isMissing(error)) throw error;
        });
      });
    },

    async signedUrl(key, { expiresSeconds, filename, mediaType }) {
      checkExpiry(expiresSeconds);
      const get = new GetObjectCommand({
        Bucket: bucket,
        Key: nameOf(key),
        ResponseContentDisposition: contentDisposition(filename, mediaType),
        ...(mediaType !== undefined && { ResponseContentType: mediaType }),
      });
      return guarded(`sign a URL of ${key}`, () => getSignedUrl(signer, get, { expiresIn: expiresSeconds }));
    },

    incoming: s3Incoming(connection, settings, signer),
  };
}

/** Some stores quote an etag in one answer and not in another. */
const plain = (etag: string | undefined): string => (etag ?? '').replaceAll('"', '');

/** What has no date counts as just written, so that nobody takes it for old. */
const dated = (lastModified: Date | undefined): Date => lastModified ?? new Date();
