import { type ArtifactManifest } from '../../engine/ports.ts';
import { type ImageReference, type ImageSource, type ObjectStore } from '../ports.ts';
import { readChunks, readEntries, readSources } from './version.ts';

/** Where a stored image lies. */
export interface ImagePlace {
  source: ImageSource;
  reference: ImageReference;
}

/** An image by its bytes: wherever a version has the same chunk, it has this image. */
export interface WantedImage {
  /** Digest of its chunk. */
  chunk: string;
  sha256: string;
  /** Which of the images of the chunk with these bytes, from 0. */
  copy: number;
}

/** In the order asked for; null for what the version does not have. Entries are read a chunk at a time. */
export async function imagePlaces(
  store: ObjectStore,
  projectId: string,
  version: ArtifactManifest,
  wanted: readonly WantedImage[],
): Promise<(ImagePlace | null)[]> {
  const [chunks, sources] = await Promise.all([
    readChunks(store, projectId, version),
    readSources(store, projectId, version),
  ]);
  const places: (ImagePlace | null)[] = wanted.map(() => null);
  for (const [digest, indices] of Map.groupBy(wanted.keys(), (index) => wanted[index]!.chunk)) {
    const chunk = chunks.find((one) => one.digest === digest);
    if (!chunk) continue;
    const entries = await readEntries(store, projectId, version, chunk);
    for (const index of indices) {
      const { sha256, copy } = wanted[index]!;
      const found = entries.filter((entry) => entry.sha256 === sha256)[copy];
      if (found) places[index] = { source: sources[found.reference.source]!, reference: found.reference };
    }
  }
  return places;
}
