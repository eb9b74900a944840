import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { throwIfAborted } from '../../base/abort.ts';
import { invalid, PushforwardError } from '../../base/errors.ts';
import { canonicalJson } from '../../base/json.ts';
import { type ArtifactManifest, type BlobReference } from '../../engine/ports.ts';
import { artifactId, blobKey, createPublications, putBlob } from '../artifacts.ts';
import { type ImageSource, type ObjectStore, type ScanSummary, type SourceScanner } from '../ports.ts';
import { CHUNK_SIZES, type ChunkSizes } from './chunks.ts';
import { writeEntries } from './entries.ts';
import { takeFacts } from './facts.ts';
import { regroup, sortPrevious } from './keep.ts';
import { recordsOf } from './records.ts';
import { REFERENCE } from './reference-text.ts';
import { createRecordSorter, type RecordSorter } from './sort.ts';
import { CHUNKS, type DatasetChunk, type DatasetVersionContent, ENTRIES, SOURCES } from './version.ts';

export interface ImportRequest {
  scanner: SourceScanner;
  store: ObjectStore;
  projectId: string;
  /** Absolute path or URI of a file or folder in one of the formats that the scanner knows. */
  path: string;
  /** Class names to take; null or absent: all. */
  classes?: readonly string[] | null;
  /** The split to take; null or absent: the only one. */
  split?: string | null;
  /** The version before, of the same dataset: images it has stay in their chunks, so that they are not encoded again. */
  previous?: ArtifactManifest | null;
  /** A folder for sorted runs; what is written there is removed again. */
  tempDir: string;
  onProgress?: (progress: { images: number; bytes: number }) => void;
  signal?: AbortSignal;
  chunkSizes?: ChunkSizes;
  /** Images held in memory while they are sorted. */
  runRecords?: number;
}

export interface ImportedVersion extends Pick<DatasetVersionContent, 'digest' | 'images' | 'classes'> {
  /** That the version before lacks, all where there is none; null where its entries could not be read. */
  newImages: number | null;
  /** As published in the store. */
  manifest: ArtifactManifest;
}

const PROGRESS_EVERY_IMAGES = 256;
/** 2: the manifest tells splits. 3: its identity has what it tells. */
const STAGE_VERSION = 3;

/**
 * Reads the images at `path` once, sorts them by (class name, sha256) and publishes the version's manifest. Memory does
 * not grow with the number of images; images are hashed, not decoded, so broken ones come to light when they are encoded.
 *
 * Importing the same bytes from the same place again gives the same artifact. From another place it gives another
 * artifact with the same digest and the same chunks, so that whatever was computed from them is found again.
 *
 * EMPTY_CLASS names classes without an image; INVALID_INPUT if there is no image at all.
 */
export async function importDataset(request: ImportRequest): Promise<ImportedVersion> {
  await mkdir(request.tempDir, { recursive: true });
  const folder = await mkdtemp(join(request.tempDir, 'import-'));
  try {
    const sorter = (name: string) =>
      createRecordSorter({
        folder: join(folder, name),
        ...(request.runRecords ? { runRecords: request.runRecords } : {}),
      });
    const images = sorter('images');
    const { summary, bytes, packs } = await scan(request, images);
    const { previous, store, projectId, signal, chunkSizes: sizes = CHUNK_SIZES } = request;
    const before = previous ? await sortedBefore(store, projectId, previous, sorter('previous')) : null;

    const facts = await takeFacts(images, before, sorter('digests'), signal);
    checkClasses(request, facts.classes, summary);
    const kept = new Set([...facts.stayed].filter(([, count]) => count >= sizes.min).map(([chunk]) => chunk));
    const ordered = before ? await regroup({ images, before, kept, into: sorter('regrouped'), signal }) : images;
    const { entries, chunks } = await writeEntries(ordered, { store, projectId, sizes, signal });

    const content: DatasetVersionContent = {
      digest: facts.digest,
      images: facts.images,
      bytes,
      classes: facts.classes,
      chunks: chunks.length,
      duplicates: facts.duplicates,
      ignored: summary.ignored,
      format: summary.format,
      split: summary.split,
      splits: summary.splits,
    };
    const manifest = await publish(request, content, { entries, chunks, sources: summary.sources, packs });
    const { digest, images: total, classes } = content;
    const stayed = [...facts.stayed.values()].reduce((sum, count) => sum + count, 0);
    return { digest, images: total, newImages: previous && !before ? null : total - stayed, classes, manifest };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Without the entries of the version before, every image is as good as new: it costs encoding, and mends what was lost. */
async function sortedBefore(
  store: ObjectStore,
  projectId: string,
  previous: ArtifactManifest,
  into: RecordSorter,
): Promise<RecordSorter | null> {
  try {
    await sortPrevious(store, projectId, previous, into);
    return into;
  } catch (error) {
    const lost = error instanceof PushforwardError && ['NOT_FOUND', 'CORRUPT_ARTIFACT'].includes(error.code);
    if (lost) return null;
    throw error;
  }
}

async function scan(
  { scanner, store, projectId, path, classes, split, onProgress, signal }: ImportRequest,
  into: RecordSorter,
) {
  const packs: BlobReference[] = [];
  const writePack = async (pieces: AsyncIterable<Uint8Array>): Promise<ImageSource> => {
    const pack = await putBlob(store, projectId, pieces, 'application/octet-stream');
    packs.push(pack);
    const uri = blobKey(projectId, pack.sha256);
    return { kind: 'object', uri, format: 'pack', bytes: pack.bytes, etag: `sha256:${pack.sha256}` };
  };
  const request = { path, classes: classes ?? null, split: split ?? null, writePack, ...(signal ? { signal } : {}) };
  const found = await scanner.scan(request);
  const groups = new Map<string, string>();
  let images = 0;
  let bytes = 0;
  let told = 0;
  for await (const batch of found.images) {
    const waiting = into.add(recordsOf(batch, groups), REFERENCE);
    if (waiting) await waiting;
    images += batch.length;
    for (const { reference } of batch) bytes += reference.bytes;
    if (images - told < PROGRESS_EVERY_IMAGES) continue;
    told = images;
    throwIfAborted(signal);
    onProgress?.({ images, bytes });
  }
  onProgress?.({ images, bytes });
  return { summary: found.summary(), bytes, packs };
}

function checkClasses({ path, classes }: ImportRequest, found: { name: string }[], summary: ScanSummary): void {
  const names = new Set(found.map(({ name }) => name));
  const empty = (classes ?? summary.emptyClasses).filter((name) => !names.has(name));
  if (empty.length > 0) {
    throw new PushforwardError(
      'EMPTY_CLASS',
      `expected images in every class of ${path}, got none in ${listed(empty)}: ` +
        (classes
          ? 'choose from the classes that are there'
          : 'add images, remove the class, or name the classes to take') +
        passedOver(summary),
      { path, classes: empty },
    );
  }
  if (found.length > 0) return;
  const folders = ['folder', 'tar', 'tar.gz'].includes(summary.format);
  throw invalid(
    `expected images in ${folders ? 'class folders (cat/1.jpg, dog/2.jpg) in ' : ''}${path}, got none: ` +
      (folders ? 'put each image into a folder named for its class' : 'name another file or split') +
      passedOver(summary),
    { path },
  );
}

/** An import fails long after it was asked for: what is empty has to stand in its message. */
function listed(names: readonly string[]): string {
  const told = names.slice(0, MOST_NAMES).join(', ');
  return names.length > MOST_NAMES ? `${told} and ${names.length - MOST_NAMES} more` : told;
}

const MOST_NAMES = 50;

function passedOver({ ignored }: ScanSummary): string {
  return ignored.count === 0 ? '' : `; passed over ${ignored.count}, for example ${ignored.examples.join(', ')}`;
}

/**
 * The identity has the places too: images that moved are the same data, but another artifact finds them. And what else was
 * found there, which may change beside the same images.
 */
async function publish(
  { store, projectId }: { store: ObjectStore; projectId: string },
  content: DatasetVersionContent,
  made: { entries: BlobReference; chunks: DatasetChunk[]; sources: ImageSource[]; packs: BlobReference[] },
): Promise<ArtifactManifest> {
  const putJson = (value: unknown) =>
    putBlob(store, projectId, new TextEncoder().encode(canonicalJson(value)), 'application/json');
  const [chunks, sources] = await Promise.all([putJson(made.chunks), putJson(made.sources)]);
  const { digest, format, split, splits, ignored } = content;
  const found = { format, split, splits, ignored: { ...ignored } };
  const options = { digest, entries: made.entries.sha256, sources: sources.sha256, found };
  const blobs: Record<string, BlobReference> = { [ENTRIES]: made.entries, [CHUNKS]: chunks, [SOURCES]: sources };
  made.packs.forEach((pack, index) => (blobs[`pack-${String(index).padStart(5, '0')}`] = pack));
  return await createPublications(store).publish(projectId, {
    formatVersion: 1,
    id: artifactId({ stage: 'import', stageVersion: STAGE_VERSION, options, inputs: [] }),
    stage: 'import',
    stageVersion: STAGE_VERSION,
    kind: 'datasetVersion',
    options,
    inputs: [],
    blobs,
    content,
    metrics: { images: content.images, bytes: content.bytes, classes: content.classes.length, chunks: content.chunks },
    produced: {},
  });
}
