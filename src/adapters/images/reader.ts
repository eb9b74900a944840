import { hash } from 'node:crypto';
import { throwIfAborted } from '../../base/abort.ts';
import { PushforwardError } from '../../base/errors.ts';
import { mapLimited } from '../../base/map-limited.ts';
import { readAnew } from '../../base/read-anew.ts';
import {
  type DatasetEntry,
  type ImageReader,
  type ImageSource,
  type LocateObjects,
  type ObjectStore,
} from '../../pipeline/ports.ts';
import { type Fetch, openFolder, openPack, openRanges, openTable } from './reader-sources.ts';
import { sourceChanged } from './source-file.ts';
import { filesAt } from './source-files.ts';

/** Image bytes fetched at once; while they are handed out the next window is on its way. */
const WINDOW_BYTES = 4 * 1024 * 1024;
const WINDOW_IMAGES = 1024;
/** Sources that are read at once, each with requests of its own at once: a window may be of dozens of shards or packs. */
const SOURCES_AT_ONCE = 4;
/** Rows of a table cost a decoded row group, so as many as a chunk has are fetched together. */
const TABLE_WINDOW_BYTES = 32 * 1024 * 1024;
const TABLE_WINDOW_IMAGES = 4096;

/**
 * Reads images where they lie. Files and tables are opened once per call and compared with what they were at import;
 * every image is compared with its digest, whatever it comes from, and read again where it has another: it may have been
 * damaged on the way.
 * @param locate finds sources that are no paths of this machine; absent: there are none
 */
export function createImageReader(store: ObjectStore, locate?: (projectId: string) => LocateObjects): ImageReader {
  return {
    async *read(projectId, sources, entries, signal) {
      const opened = new Map<number, Promise<Fetch>>();
      const open = (index: number): Promise<Fetch> => {
        const known = opened.get(index);
        if (known) return known;
        const opening = openSource(sources[index], { store, projectId, locate: locate?.(projectId) });
        opening.catch(() => opened.delete(index));
        opened.set(index, opening);
        return opening;
      };
      let coming: Promise<Fetched[]> | null = null;
      try {
        const windows = cut(entries, sources);
        for (let i = 0; i < windows.length; i++) {
          throwIfAborted(signal);
          const fetched: Fetched[] = await (coming ?? fetchWindow(windows[i]!, sources, open));
          const following = windows[i + 1];
          coming = following ? fetchWindow(following, sources, open) : null;
          coming?.catch(() => {});
          for (const [k, entry] of windows[i]!.entries()) {
            throwIfAborted(signal);
            const { bytes, sha256 } = fetched[k]!;
            checkDigest(entry, sha256, sources[entry.reference.source]!);
            const { pixels } = sources[entry.reference.source]!;
            yield { entry, bytes, ...(pixels ? { pixels } : {}) };
          }
        }
      } finally {
        await coming?.catch(() => {});
        const closing = await Promise.allSettled(opened.values());
        for (const source of closing) if (source.status === 'fulfilled') await source.value.close();
      }
    },
  };
}

async function openSource(
  source: ImageSource | undefined,
  of: { store: ObjectStore; projectId: string; locate: LocateObjects | undefined },
): Promise<Fetch> {
  if (!source) {
    throw new PushforwardError('CORRUPT_ARTIFACT', 'expected entries of known sources: import the dataset again');
  }
  if (source.format === 'pack') return openPack(of.store, of.projectId, source);
  const files = filesAt(source.uri, of.locate);
  switch (source.format) {
    case 'folder':
      return openFolder(files, source);
    case 'tar':
    case 'raw':
      return await openRanges(files, source);
    case 'parquet':
      return await openTable(files, source);
  }
}

interface Fetched {
  bytes: Uint8Array;
  /** Of these bytes. */
  sha256: string;
}

/** What damage on the way may look like. */
const DAMAGED = ['SOURCE_CHANGED', 'SOURCE_UNREADABLE', 'CORRUPT_ARTIFACT'] as const;

/** The images of the entries, in their order. Of tables, each of which holds a decoded row group, one is read at a time. */
async function fetchWindow(
  entries: DatasetEntry[],
  sources: readonly ImageSource[],
  open: (source: number) => Promise<Fetch>,
): Promise<Fetched[]> {
  const bySource = new Map<number, number[]>();
  entries.forEach(({ reference }, i) => {
    const positions = bySource.get(reference.source);
    if (positions) positions.push(i);
    else bySource.set(reference.source, [i]);
  });
  const found = new Array<Fetched>(entries.length);
  const atOnce = [...bySource.keys()].some((source) => sources[source]?.format === 'parquet') ? 1 : SOURCES_AT_ONCE;
  await mapLimited([...bySource], atOnce, async ([source, positions]) => {
    const read = async (some: number[]) => {
      const { fetch } = await open(source);
      const fetched = await fetch(some.map((position) => entries[position]!.reference));
      fetched.forEach((bytes, k) => (found[some[k]!] = { bytes, sha256: hash('sha256', bytes) }));
      return some.filter((position) => found[position]!.sha256 !== entries[position]!.sha256);
    };
    let others = await readAnew(DAMAGED, () => read(positions));
    // Whoever is handed such an image is told that it is another one.
    for (let again = 0; others.length > 0 && again < READ_AGAIN; again++) {
      others = await readAnew(DAMAGED, () => read(others));
    }
  });
  return found;
}

/** How often an image is that has another digest. */
const READ_AGAIN = 2;

function cut(entries: readonly DatasetEntry[], sources: readonly ImageSource[]): DatasetEntry[][] {
  const windows: DatasetEntry[][] = [];
  let window: DatasetEntry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const table = sources[entry.reference.source]?.format === 'parquet';
    const full =
      bytes + entry.reference.bytes > (table ? TABLE_WINDOW_BYTES : WINDOW_BYTES) ||
      window.length >= (table ? TABLE_WINDOW_IMAGES : WINDOW_IMAGES);
    if (full && window.length > 0) {
      windows.push(window);
      window = [];
      bytes = 0;
    }
    window.push(entry);
    bytes += entry.reference.bytes;
  }
  if (window.length > 0) windows.push(window);
  return windows;
}

function checkDigest({ sha256, reference }: DatasetEntry, received: string, source: ImageSource): void {
  if (received === sha256) return;
  if (source.kind === 'file') {
    throw sourceChanged(`${reference.path} in ${source.uri}`, `sha256 ${sha256}`, `sha256 ${received}`);
  }
  throw new PushforwardError(
    'CORRUPT_ARTIFACT',
    `expected ${reference.path} with sha256 ${sha256} in ${source.uri}, got ${received}: delete the object and import the dataset again`,
    { key: source.uri, expected: sha256, received },
  );
}
