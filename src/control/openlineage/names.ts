import { createHash } from 'node:crypto';
import { pathToFileURL } from 'node:url';
import { parseS3Url } from '../../base/s3-url.ts';

/** What a dataset is called: in a namespace, which is its data source. */
export interface DatasetName {
  namespace: string;
  name: string;
}

/** As the naming specification has it, so that whoever else reads or writes there names it alike. @param place a path, or `s3://bucket/key` */
export function datasetName(place: string): DatasetName {
  const s3 = parseS3Url(place);
  if (s3) return { namespace: `s3://${s3.bucket}`, name: s3.key === '' ? '/' : s3.key };
  return { namespace: 'file', name: place };
}

/** The place that a name stands for, as `ImportSource.path` writes places. Null: none that can be imported from. */
export function placeOf({ namespace, name }: DatasetName): string | null {
  const key = name.replace(/^\/+|\/+$/g, '');
  if (namespace === 'file' || namespace === 'file://') return key === '' ? null : `/${key}`;
  const bucket = /^s3[an]?:\/\/([^/]+)\/?$/.exec(namespace)?.[1];
  const place = bucket === undefined ? null : key === '' ? `s3://${bucket}` : `s3://${bucket}/${key}`;
  return place !== null && parseS3Url(place) ? place : null;
}

export function uriOf(place: string): string {
  return parseS3Url(place) ? encodeURI(place) : pathToFileURL(place).href;
}

/**
 * A run id as the UUID that the specification asks for: version 7, its time that of the launch, its other bits from a digest of the id. The
 * same run always has the same one.
 */
export function runUuid(run: { id: string; createdAt: Date }): string {
  const bytes = createHash('sha256').update(run.id).digest().subarray(0, 16);
  bytes.writeUIntBE(run.createdAt.getTime(), 0, 6);
  bytes[6] = (bytes[6]! & 0x0f) | 0x70;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = bytes.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
