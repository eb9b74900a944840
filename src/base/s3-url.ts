/** A bucket and a key in it, empty for the whole bucket; without a slash at either end. */
export interface S3Location {
  bucket: string;
  key: string;
}

export const s3Url = ({ bucket, key }: S3Location): string => (key === '' ? `s3://${bucket}` : `s3://${bucket}/${key}`);

/** Whether a place is another, or lies below it. */
export function isBelow(place: S3Location, root: S3Location): boolean {
  return place.bucket === root.bucket && (root.key === '' || `${place.key}/`.startsWith(`${root.key}/`));
}

/** `s3://bucket/key` or `s3://bucket`; keys are taken as they are written, nothing in them is decoded. Null if it is none. */
export function parseS3Url(text: string): S3Location | null {
  const [, bucket, key = ''] = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*?))?\/?$/.exec(text) ?? [];
  return bucket === undefined ? null : { bucket, key };
}
