import { type ObjectReader } from '../../../pipeline/ports.ts';
import { type S3Service } from './settings.ts';
import { createS3Store } from './store.ts';

/**
 * A bucket that images are read from and nothing is written to. What its owner must mend (no such bucket, no right to
 * read) is SOURCE_UNREADABLE; what may pass is STORE_UNAVAILABLE, as with a store.
 */
export function createS3Source(service: S3Service, bucket: string): ObjectReader {
  return createS3Store({ ...service, bucket, prefix: '', encryption: null, use: 'source' });
}
