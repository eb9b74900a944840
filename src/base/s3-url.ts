/** A bucket and a key in it, empty for the whole bucket; without a slash at either end. */
export interface S3Location {
  bucket: string;
  key: string;
}

/** `s3://bucket/key` or `s3://bucket`; keys are taken as they are written, nothing in them is decoded. Null if it is none. */
export function parseS3Url(text: string): S3Location | null {
  const [, bucket, key = ''] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*?))?\/?$/.exec(text) ?? [];
  return bucket === undefined ? null : { bucket, key };
}
