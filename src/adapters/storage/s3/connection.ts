import { S3Client } from '@aws-sdk/client-s3';
import { checkKey } from '../keys.ts';
import { s3Failure } from './failures.ts';
import { type BucketUse, type ChecksumMode, type S3Settings } from './settings.ts';

/** What the parts of the adapter share. */
export interface S3Connection {
  client: S3Client;
  bucket: string;
  use: BucketUse;
  /** @throws UNSAFE_PATH unless the key is one that every store can hold */
  nameOf(key: string): string;
  /** Of the service, not of an object: for messages. */
  place: string;
  /** Runs an action; a failure of the service becomes one of ours with a remedy. */
  guarded<T>(doing: string, action: () => Promise<T>): Promise<T>;
  failure(error: unknown, doing: string): unknown;
}

/** @throws UNSAFE_PATH unless the prefix of the settings is one that a key can begin with */
export function connect(settings: S3Settings, maxAttempts: number): S3Connection {
  if (settings.prefix !== '') checkKey(settings.prefix);
  const use = settings.use ?? 'store';
  const place = `s3://${settings.bucket}${settings.endpoint ? ` at ${settings.endpoint}` : ''}`;
  const failure = (error: unknown, doing: string) => s3Failure(error, { doing, place, use });
  return {
    client: openClient(settings, maxAttempts, settings.checksums),
    bucket: settings.bucket,
    use,
    place,
    nameOf(key) {
      checkKey(key);
      const name = prefixOf(settings) + key;
      checkKey(name);
      return name;
    },
    async guarded(doing, action) {
      try {
        return await action();
      } catch (error) {
        throw failure(error, doing);
      }
    },
    failure,
  };
}

export const prefixOf = ({ prefix }: S3Settings): string => (prefix === '' ? '' : `${prefix}/`);

export function openClient(settings: S3Settings, maxAttempts: number, checksums: ChecksumMode): S3Client {
  return new S3Client({
    ...(settings.endpoint !== null && { endpoint: settings.endpoint }),
    forcePathStyle: settings.pathStyle,
    // Images may lie in another region than the store.
    followRegionRedirects: settings.use === 'source',
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
    retryMode: 'standard',
    maxAttempts,
    requestHandler: { connectionTimeout: 10_000, socketTimeout: 60_000 },
  });
}
