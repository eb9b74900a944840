import { PushforwardError } from '../../base/errors.ts';
import { type JsonObject } from '../../base/json.ts';
import { readAnew } from '../../base/read-anew.ts';
import { type ArtifactManifest, type BlobReference } from '../../engine/ports.ts';
import { blobKey, getBlob } from '../artifacts.ts';
import { type DatasetEntry, type ImageSource, type ObjectStore } from '../ports.ts';
import { chunkDigest } from './digest.ts';

/** What the manifest of a dataset version says of itself. A type, so that it is a JsonObject. */
export type DatasetVersionContent = {
  /** Over the sorted pairs (class name, sha256 of the stored image): what the version is, wherever it lies. */
  digest: string;
  images: number;
  /** Of the stored images. */
  bytes: number;
  /** In label order, which is the order of their names by code unit. */
  classes: { name: string; images: number }[];
  chunks: number;
  /** Images whose bytes occur before, in the same class and in another one. They are kept. */
  duplicates: { withinClass: number; acrossClasses: number };
  ignored: { count: number; examples: string[] };
  format: string;
  /** The split that it is, and all that there were; null and none where no name told. */
  split: string | null;
  splits: string[];
};

/** A run of entries of one class: what one encode task handles. A type, so that it is a JsonObject. */
export type DatasetChunk = {
  label: number;
  className: string;
  /** Byte range within the entries blob. */
  offset: number;
  bytes: number;
  /** Images. */
  count: number;
  /** Over class name and the images' digests in order: the same images give the same latents. */
  digest: string;
};

/** Blobs of a version; its packs are `pack-00000`, `pack-00001`, ... */
export const ENTRIES = 'entries.ndjson';
export const CHUNKS = 'chunks.json';
export const SOURCES = 'sources.json';

export function datasetContent(manifest: ArtifactManifest): DatasetVersionContent {
  if (manifest.kind !== 'datasetVersion') {
    throw new PushforwardError(
      'CORRUPT_ARTIFACT',
      `expected artifact ${manifest.id} to be a datasetVersion, got ${manifest.kind}: name the artifact of a dataset version`,
    );
  }
  // Manifests of before splits were told have none.
  return { split: null, splits: [], ...manifest.content } as unknown as DatasetVersionContent;
}

/** In the order of the entries: class by class. */
export async function readChunks(
  store: ObjectStore,
  projectId: string,
  manifest: ArtifactManifest,
): Promise<DatasetChunk[]> {
  return (await readJson(store, projectId, manifest, CHUNKS)) as unknown as DatasetChunk[];
}

/** What `reference.source` of the entries counts. */
export async function readSources(
  store: ObjectStore,
  projectId: string,
  manifest: ArtifactManifest,
): Promise<ImageSource[]> {
  return (await readJson(store, projectId, manifest, SOURCES)) as unknown as ImageSource[];
}

/** The entries of one chunk. CORRUPT_ARTIFACT if they are not those that the chunk was cut from. */
export function readEntries(
  store: ObjectStore,
  projectId: string,
  manifest: ArtifactManifest,
  chunk: DatasetChunk,
): Promise<DatasetEntry[]> {
  return readAnew(['CORRUPT_ARTIFACT'], () => readEntriesOnce(store, projectId, manifest, chunk));
}

async function readEntriesOnce(
  store: ObjectStore,
  projectId: string,
  manifest: ArtifactManifest,
  chunk: DatasetChunk,
): Promise<DatasetEntry[]> {
  const blob = blobOf(manifest, ENTRIES);
  const bytes = await store.get(blobKey(projectId, blob.sha256), { offset: chunk.offset, bytes: chunk.bytes });
  const entries = parseEntries(bytes);
  if (!entries || chunkDigest(chunk.className, entries) !== chunk.digest) {
    throw new PushforwardError(
      'CORRUPT_ARTIFACT',
      `expected ${chunk.count} entries with digest ${chunk.digest} at byte ${chunk.offset} of blob ${blob.sha256}, ` +
        `got ${entries ? `${entries.length} others` : 'bytes that are no entries'}: import the dataset again`,
      { artifactId: manifest.id, blob: blob.sha256, offset: chunk.offset },
    );
  }
  return entries;
}

export function blobOf(manifest: ArtifactManifest, name: string): BlobReference {
  const blob = manifest.blobs[name];
  if (blob) return blob;
  throw new PushforwardError(
    'CORRUPT_ARTIFACT',
    `expected dataset version ${manifest.id} to have a blob ${name}, got ${Object.keys(manifest.blobs).join(', ')}: ` +
      'import the dataset again',
  );
}

function parseEntries(bytes: Uint8Array): DatasetEntry[] | null {
  try {
    const lines = new TextDecoder('utf-8', { fatal: true }).decode(bytes).split('\n');
    if (lines.pop() !== '') return null;
    return lines.map((line) => JSON.parse(line) as DatasetEntry);
  } catch {
    return null;
  }
}

async function readJson(
  store: ObjectStore,
  projectId: string,
  manifest: ArtifactManifest,
  name: string,
): Promise<JsonObject[]> {
  const bytes = await getBlob(store, projectId, blobOf(manifest, name));
  return JSON.parse(new TextDecoder().decode(bytes)) as JsonObject[];
}
