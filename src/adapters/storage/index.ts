export { bundleFolder } from './bundle-folder.ts';
export { createDirectoryStore, type DirectoryStoreOptions } from './directory.ts';
export { verifySignedUrl, type SignedObject } from './signed-url.ts';
