import { type ObjectStore } from '../../pipeline/ports.ts';
import { createDirectoryStore, type DirectoryStore, type DirectoryStoreOptions } from './directory.ts';
import { probeStore } from './probe.ts';
import { type S3Settings } from './s3/settings.ts';
import { createS3Store } from './s3/store.ts';

export type StoreSettings = { kind: 'directory' } | ({ kind: 's3' } & S3Settings);

/** @param directory what a directory store is made with, if it is one */
export function openStore(settings: StoreSettings, directory: DirectoryStoreOptions): ObjectStore | DirectoryStore {
  return settings.kind === 's3' ? createS3Store(settings) : createDirectoryStore(directory);
}

/** Tries out a store that is not ours, see `probeStore`: with a body sent whole, and with one sent in parts. */
export async function tryStore(settings: StoreSettings): Promise<void> {
  if (settings.kind !== 's3') return;
  await probeStore(createS3Store(settings));
  await probeStore(createS3Store(settings, { multipartFromBytes: 1 }));
}
