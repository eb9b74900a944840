import { type ImagePlace } from '../pipeline/dataset/places.ts';
import { type ObjectStore } from '../pipeline/ports.ts';
import { uploadPlace } from '../pipeline/uploads.ts';
import { checkExpiry } from './artifacts.ts';
import { type Principal } from './identity.ts';

/** Where an image of a dataset version lies. */
export interface StoredImage {
  /** What a person calls it. */
  path: string;
  /** A path of the service's machine, a URI, or a key of the store: of a folder the image's own file, else the archive, table or pack. */
  file: string;
  format: 'folder' | 'tar' | 'parquet' | 'raw' | 'pack';
  /** Where it begins in the file; null where it is the file, or a row. */
  offset: number | null;
  row: number | null;
  bytes: number;
}

export function storedImage({ source: { uri, format }, reference }: ImagePlace): StoredImage {
  const { path, bytes, offset = null, row = null } = reference;
  const file = format === 'folder' ? `${uri.replace(/\/$/, '')}/${path}` : uri;
  return { path, file, format, offset, row, bytes };
}

/**
 * A URL of the file that an image lies in, which anyone holding it can GET until it expires; null where that is no object of the project's store.
 * @throws INVALID_INPUT
 */
export async function imageUrl(
  store: ObjectStore,
  { projectId }: Principal,
  { file, path }: StoredImage,
  expiresSeconds: number,
): Promise<string | null> {
  checkExpiry(expiresSeconds);
  const key = file.startsWith(`projects/${projectId}/`) ? file : uploadPlace(store, file, projectId)?.key;
  if (key === undefined) return null;
  const filename = path.split('/').at(-1)!;
  return await store.signedUrl(key, { expiresSeconds, filename, mediaType: 'application/octet-stream' });
}
