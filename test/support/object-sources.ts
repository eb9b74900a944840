import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type LocateObjects, type ObjectReader, type ObjectStore } from '../../src/pipeline/ports.ts';

/** Puts the files of a folder below a prefix, empty or ending in `/`. */
export async function putFolder(store: ObjectStore, prefix: string, folder: string): Promise<void> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  await Promise.all(files.map(async (path) => store.put(prefix + path.slice(folder.length + 1), await readFile(path))));
}

/** `s3://bucket` is this store. */
export function bucketOf(store: ObjectReader): LocateObjects {
  return (uri) =>
    uri === 's3://bucket' || uri.startsWith('s3://bucket/') ? { store, key: uri.slice('s3://bucket/'.length) } : null;
}
