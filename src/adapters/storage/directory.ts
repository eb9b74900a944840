import { type ObjectStore } from '../../pipeline/ports.ts';

export interface DirectoryStoreOptions {
  /** Absolute path of the folder; made if it is not there. */
  root: string;
  /** Key of the HMAC under signed URLs; whoever serves them must have the same. */
  signingSecret: string;
  /** Where the service answers, without a slash at the end; asked at each signing, since a port may be chosen late. */
  publicUrl: () => string;
}

export function createDirectoryStore(_options: DirectoryStoreOptions): ObjectStore {
  throw new Error('being written');
}
