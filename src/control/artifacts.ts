import { invalid, PushforwardError } from '../base/errors.ts';
import { type BlobReference } from '../engine/ports.ts';
import { blobKey } from '../pipeline/artifacts.ts';
import { type ObjectStore } from '../pipeline/ports.ts';
import { type Principal } from './identity.ts';
import { type ArtifactView } from './views.ts';

export const MAX_URL_SECONDS = 7 * 24 * 3600;

/** A file of an artifact. */
export interface ArtifactFile {
  artifact: Pick<ArtifactView, 'id' | 'title' | 'state' | 'deletedAt'>;
  blob: BlobReference;
}

/**
 * A URL that anyone holding it can GET until it expires. The bytes never pass through the API.
 * @throws INVALID_INPUT, ARTIFACT_DELETED
 */
export async function downloadUrl(
  store: ObjectStore,
  principal: Principal,
  { artifact, blob }: ArtifactFile,
  options: { filename: string; expiresSeconds: number },
): Promise<string> {
  const { expiresSeconds } = options;
  checkExpiry(expiresSeconds);
  requireBytes(artifact);
  return await store.signedUrl(blobKey(principal.projectId, blob.sha256), {
    expiresSeconds,
    filename: options.filename,
    mediaType: blob.mediaType,
  });
}

/** @throws ARTIFACT_DELETED */
export function requireBytes({ id, title, state, deletedAt }: ArtifactFile['artifact']): void {
  if (state !== 'DELETED') return;
  throw new PushforwardError(
    'ARTIFACT_DELETED',
    `expected the bytes of artifact ${id} (${title}), which was deleted at ${deletedAt?.toISOString()}: launch its run again, or import or register it again`,
    { id },
  );
}

/** @throws INVALID_INPUT */
export function checkExpiry(expiresSeconds: number): void {
  if (!Number.isInteger(expiresSeconds) || expiresSeconds < 1 || expiresSeconds > MAX_URL_SECONDS) {
    throw invalid(
      `expected expiresSeconds from 1 to ${MAX_URL_SECONDS} (7 days), got ${expiresSeconds}: choose a value between`,
      {
        path: ['expiresSeconds'],
      },
    );
  }
}
