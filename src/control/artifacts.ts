import { invalid } from '../base/errors.ts';
import { type BlobReference } from '../engine/ports.ts';
import { blobKey } from '../pipeline/artifacts.ts';
import { type ObjectStore } from '../pipeline/ports.ts';
import { type Principal } from './identity.ts';

export const MAX_URL_SECONDS = 7 * 24 * 3600;

/** A URL that anyone holding it can GET until it expires. The bytes never pass through the API. */
export async function downloadUrl(
  store: ObjectStore,
  principal: Principal,
  blob: BlobReference,
  options: { filename: string; expiresSeconds: number },
): Promise<string> {
  const { expiresSeconds } = options;
  if (!Number.isInteger(expiresSeconds) || expiresSeconds < 1 || expiresSeconds > MAX_URL_SECONDS) {
    throw invalid(
      `expected expiresSeconds from 1 to ${MAX_URL_SECONDS} (7 days), got ${expiresSeconds}: choose a value between`,
      {
        path: ['expiresSeconds'],
      },
    );
  }
  return await store.signedUrl(blobKey(principal.projectId, blob.sha256), {
    expiresSeconds,
    filename: options.filename,
    mediaType: blob.mediaType,
  });
}
