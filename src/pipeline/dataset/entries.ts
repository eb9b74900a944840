import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { throwIfAborted } from '../../base/abort.ts';
import { type BlobReference } from '../../engine/ports.ts';
import { putNamed } from '../artifacts.ts';
import { type ObjectStore } from '../ports.ts';
import { type ChunkSizes, createChunkCutter } from './chunks.ts';
import { parseLine } from './lines.ts';
import { type LineSorter } from './sort.ts';
import { type DatasetChunk } from './version.ts';

const MEDIA_TYPE = 'application/x-ndjson';

/**
 * Writes the entries blob, by way of a file at `path` because a blob is named by its digest, and cuts it into chunks.
 *
 * @param images sorted by (class name, chunk they stay in, sha256)
 */
export async function writeEntries(
  images: LineSorter,
  to: { store: ObjectStore; projectId: string; path: string; sizes: ChunkSizes; signal?: AbortSignal | undefined },
): Promise<{ entries: BlobReference; chunks: DatasetChunk[] }> {
  const cutter = createChunkCutter(to.sizes);
  const hash = createHash('sha256');
  const file = await open(to.path, 'wx');
  let total = 0;
  let label = -1;
  let current: string | null = null;
  try {
    for await (const batch of images.sorted()) {
      throwIfAborted(to.signal);
      let text = '';
      for (const line of batch) {
        const { className, keep, sha256, reference } = parseLine(line);
        if (className !== current) label += 1;
        current = className;
        const entry = `{"sha256":"${sha256}","label":${label},"reference":${reference}}\n`;
        cutter.add({ label, className, sha256, keep, bytes: Buffer.byteLength(entry) });
        text += entry;
      }
      const bytes = Buffer.from(text);
      hash.update(bytes);
      total += bytes.length;
      await file.writeFile(bytes);
    }
  } finally {
    await file.close();
  }
  const sha256 = hash.digest('hex');
  const entries = { sha256, bytes: total, mediaType: MEDIA_TYPE };
  await putNamed(to.store, to.projectId, entries, () => createReadStream(to.path, { highWaterMark: 256 * 1024 }));
  return { entries, chunks: cutter.end() };
}
