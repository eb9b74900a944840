import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PushforwardError } from '../../base/errors.ts';
import { type ImageReference, type ImageSource, type ObjectStore } from '../../pipeline/ports.ts';
import { safeMemberPath } from './class-folders.ts';
import { mapLimited } from './map-limited.ts';
import { etagOf, messageOf, openSource, readRange, sourceChanged } from './source-file.ts';
import { imageBytes, openTable as openTableFile } from './table-file.ts';
import { tableLayout } from './table-layout.ts';

/** An open source: images by reference, in the order of the references. */
export interface Fetch {
  fetch(references: ImageReference[]): Promise<Uint8Array[]>;
  close(): Promise<void>;
}

/** Requests in flight to one source. */
const PARALLEL = 8;
/** Ranges so close to each other are read as one: a request costs more than the bytes between. */
const GAP_BYTES = 64 * 1024;
const RANGE_BYTES = 8 * 1024 * 1024;

/** Files are not compared by time: the digest of each image says more. */
export function openFolder(source: ImageSource): Fetch {
  const read = async ({ path, bytes }: ImageReference): Promise<Uint8Array> => {
    const file = join(source.uri, safeMemberPath(path, source.uri));
    const content = await readFile(file).catch((error: unknown) => {
      throw sourceChanged(file, `${bytes} bytes`, messageOf(error));
    });
    if (content.length !== bytes) throw sourceChanged(file, `${bytes} bytes`, `${content.length} bytes`);
    return content;
  };
  return { fetch: (references) => mapLimited(references, PARALLEL, read), close: async () => {} };
}

/** A file that holds its images one after another: a tar, or raw pixels. */
export async function openRanges(source: ImageSource): Promise<Fetch> {
  const file = await openPinned(source);
  return {
    fetch: (references) =>
      fetchRanges(references, async (offset, bytes) => {
        const range = await readRange(file, offset, bytes);
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
    fetch: (references) => fetchRanges(references, (offset, bytes) => store.get(source.uri, { offset, bytes })),
    close: async () => {},
  };
}

/** Each row group that holds an asked row is decoded once per call. */
export async function openTable(source: ImageSource): Promise<Fetch> {
  await (await openPinned(source)).close();
  const table = await openTableFile(source.uri);
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

async function openPinned(source: ImageSource) {
  const file = await openSource(source.uri);
  try {
    const etag = etagOf(await file.stat({ bigint: true }));
    if (etag !== source.etag) throw sourceChanged(source.uri, source.etag, etag);
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Reads ranges that lie close together as one. */
async function fetchRanges(
  references: ImageReference[],
  read: (offset: number, bytes: number) => Promise<Uint8Array>,
): Promise<Uint8Array[]> {
  const found = new Array<Uint8Array>(references.length);
  const byOffset = references.map(({ offset = 0, bytes }, i) => ({ offset, end: offset + bytes, i }));
  byOffset.sort((a, b) => a.offset - b.offset || a.i - b.i);
  const runs: { start: number; end: number; ranges: typeof byOffset }[] = [];
  for (const range of byOffset) {
    const run = runs.at(-1);
    const joins = run && range.offset - run.end <= GAP_BYTES && range.end - run.start <= RANGE_BYTES;
    if (joins) {
      run.ranges.push(range);
      run.end = Math.max(run.end, range.end);
    } else runs.push({ start: range.offset, end: range.end, ranges: [range] });
  }
  await mapLimited(runs, PARALLEL, async ({ start, end, ranges }) => {
    const bytes = end > start ? await read(start, end - start) : new Uint8Array();
    for (const range of ranges) found[range.i] = bytes.subarray(range.offset - start, range.end - start);
  });
  return found;
}
