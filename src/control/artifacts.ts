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
  if (!Number.isInteger(expiresSeconds) || expiresSeconds < 1 || expiresSeconds > MAX_URL_SECONDS) {
    throw invalid(
      `expected expiresSeconds from 1 to ${MAX_URL_SECONDS} (7 days), got ${expiresSeconds}: choose a value between`,
      {
        path: ['expiresSeconds'],
      },
    );
  }
  if (artifact.state === 'DELETED') {
    throw new PushforwardError(
      'ARTIFACT_DELETED',
      `expected the bytes of artifact ${artifact.id} (${artifact.title}), which retention deleted at ${artifact.deletedAt?.toISOString()}: launch its run again, or import or register it again`,
      { id: artifact.id },
    );
  }
  return await store.signedUrl(blobKey(principal.projectId, blob.sha256), {
    expiresSeconds,
    filename: options.filename,
    mediaType: blob.mediaType,
  });
}
