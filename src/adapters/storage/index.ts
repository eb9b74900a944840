export { bundleFolder } from './bundle-folder.ts';
export { createDirectoryStore, type DirectoryStoreOptions } from './directory.ts';
export { openStore, tryStore, type StoreSettings } from './open.ts';
export { type Encryption, type S3Service } from './s3/settings.ts';
export { createSourceLocator } from './sources.ts';
export { verifySignedUrl, type SignedObject } from './signed-url.ts';
