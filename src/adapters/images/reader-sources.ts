import { PushforwardError } from '../../base/errors.ts';
import { type ImageReference, type ImageSource, type ObjectStore } from '../../pipeline/ports.ts';
import { safeMemberPath } from './class-folders.ts';
import { mapLimited } from './map-limited.ts';
import { below, type ReadingPlan, sourceChanged, type SourceFiles } from './source-file.ts';
import { imageBytes, openTable as openTableFile } from './table-file.ts';
import { tableLayout } from './table-layout.ts';

/** An open source: images by reference, in the order of the references. */
export interface Fetch {
  fetch(references: ImageReference[]): Promise<Uint8Array[]>;
  close(): Promise<void>;
}

/** A pack is one object, read as objects are. */
const PACKS: ReadingPlan = { parallel: 8, gapBytes: 64 * 1024, rangeBytes: 8 * 1024 * 1024 };

/** Files are not compared by time or etag: the digest of each image says more. */
export function openFolder(files: SourceFiles, source: ImageSource): Fetch {
  const read = async ({ path, bytes }: ImageReference): Promise<Uint8Array> => {
    const file = below(source.uri, safeMemberPath(path, source.uri));
    const content = await files.read(file, { maxBytes: bytes });
    if (content === 'missing') throw sourceChanged(file, `${bytes} bytes`, 'nothing there');
    if (content === 'larger' || content.length !== bytes) {
      throw sourceChanged(file, `${bytes} bytes`, content === 'larger' ? 'more' : `${content.length} bytes`);
    }
    return content;
  };
  return { fetch: (references) => mapLimited(references, files.reading.parallel, read), close: async () => {} };
}

/** A file that holds its images one after another: a tar, or raw pixels. */
export async function openRanges(files: SourceFiles, source: ImageSource): Promise<Fetch> {
  const file = await files.open(source.uri, source.etag);
  return {
    fetch: (references) =>
      fetchRanges(references, files.reading, async (offset, bytes) => {
        const range = await file.read(offset, bytes);
        if (!range) throw sourceChanged(source.uri, `${source.bytes} bytes`, 'fewer');
        return range;
      }),
    close: () => file.close(),
  };
}

/** A pack of the project's own: a key of another project is refused, whatever the manifest says. */
export function openPack(store: ObjectStore, projectId: string, source: ImageSource): Fetch {
  if (!source.uri.startsWith(`projects/${projectId}/`)) {
    throw new PushforwardError(
      'FORBIDDEN',
      `expected a pack of project ${projectId}, got ${source.uri}: import the dataset into this project`,
    );
  }
  return {
    fetch: (references) => fetchRanges(references, PACKS, (offset, bytes) => store.get(source.uri, { offset, bytes })),
    close: async () => {},
  };
}

/** Each row group that holds an asked row is decoded once per call. */
export async function openTable(files: SourceFiles, source: ImageSource): Promise<Fetch> {
  const table = await openTableFile(source.uri, await files.open(source.uri, source.etag));
  const { image } = tableLayout(table.metadata, source.uri);
  return {
    async fetch(references) {
      const found = new Array<Uint8Array>(references.length);
      const byRow = references.map(({ row }, i) => ({ row: row ?? -1, i })).sort((a, b) => a.row - b.row);
      let at = 0;
      for (const group of table.groups) {
        if (at >= byRow.length || byRow[at]!.row >= group.end) continue;
        const rows = await table.readGroup(group, [image]);
        for (; at < byRow.length && byRow[at]!.row < group.end; at++) {
          const { row, i } = byRow[at]!;
          // A copy, so that one image does not keep its whole page in memory.
          found[i] = Uint8Array.from(imageBytes(rows[row - group.start]?.[image]) ?? []);
        }
      }
      return found;
    },
    close: () => table.close(),
  };
}

/** Reads ranges that lie close together as one. */
async function fetchRanges(
  references: ImageReference[],
  { parallel, gapBytes, rangeBytes }: ReadingPlan,
  read: (offset: number, bytes: number) => Promise<Uint8Array>,
): Promise<Uint8Array[]> {
  const found = new Array<Uint8Array>(references.length);
  const byOffset = references.map(({ offset = 0, bytes }, i) => ({ offset, end: offset + bytes, i }));
  byOffset.sort((a, b) => a.offset - b.offset || a.i - b.i);
  const runs: { start: number; end: number; ranges: typeof byOffset }[] = [];
  for (const range of byOffset) {
    const run = runs.at(-1);
    const joins = run && range.offset - run.end <= gapBytes && range.end - run.start <= rangeBytes;
    if (joins) {
      run.ranges.push(range);
      run.end = Math.max(run.end, range.end);
    } else runs.push({ start: range.offset, end: range.end, ranges: [range] });
  }
  await mapLimited(runs, parallel, async ({ start, end, ranges }) => {
    const bytes = end > start ? await read(start, end - start) : new Uint8Array();
    for (const range of ranges) found[range.i] = bytes.subarray(range.offset - start, range.end - start);
  });
  return found;
}
