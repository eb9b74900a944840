export type ChecksumMode = 'WHEN_SUPPORTED' | 'WHEN_REQUIRED';

/** How the store encrypts what is written; `keyId` is that of a KMS key, null the default key. */
export interface Encryption {
  algorithm: 'AES256' | 'aws:kms' | 'aws:kms:dsse';
  keyId: string | null;
}

/**
 * How the service that speaks the protocol is reached, for any bucket of it. Credentials and region are not here: they come
 * from the SDK's chain (environment, profile, web identity, instance).
 */
export interface S3Service {
  /** Absent: AWS. */
  endpoint: string | null;
  /** The bucket in the path of the URL instead of its host. */
  pathStyle: boolean;
  /** Whether the SDK adds and checks CRC32 where the store need not have them; older compatible stores refuse them. */
  checksums: ChecksumMode;
}

/** What a bucket is for: to hold what we make, or to read what others put there. */
export type BucketUse = 'store' | 'source';

export interface S3Settings extends S3Service {
  bucket: string;
  /** In front of every key, without a slash at either end; empty for none. */
  prefix: string;
  /** Tells what a failure is called, and who can mend it. Absent: `store`. */
  use?: BucketUse;
  /** Absent: as the bucket says. */
  encryption: Encryption | null;
}

export interface S3Tuning {
  /** S3 takes no part below 5 MiB but the last. */
  partBytes?: number;
  /** A body of so many bytes or more goes up in parts. */
  multipartFromBytes?: number;
  /** Tries of one request. Between them lies an exponential backoff with jitter. */
  maxAttempts?: number;
}
