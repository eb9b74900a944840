import { type ScanLimits } from '../../src/adapters/images/limits.ts';
import { createImageReader } from '../../src/adapters/images/reader.ts';
import { createSourceScanner } from '../../src/adapters/images/scan.ts';
import { blobKey } from '../../src/pipeline/artifacts.ts';
import {
  type ImageSource,
  type LocateObjects,
  type ScannedImage,
  type ScanSummary,
  type StoredImage,
} from '../../src/pipeline/ports.ts';
import { createMemoryStore } from './memory-store.ts';

/** What a scan found, and how to read it back in an order that has nothing to do with where it lies. */
export interface ScannedSource {
  images: ScannedImage[];
  summary: ScanSummary;
  read(): Promise<StoredImage[]>;
}

export async function scanned(
  path: string,
  limits: Partial<ScanLimits> = {},
  classes: string[] | null = null,
  locate: LocateObjects = () => null,
  split: string | null = null,
): Promise<ScannedSource> {
  const store = createMemoryStore();
  const writePack = async (pieces: AsyncIterable<Uint8Array>): Promise<ImageSource> => {
    const { sha256: digest, bytes } = await store.put((own) => blobKey('p', own), pieces, { ifAbsent: true });
    return { kind: 'object', uri: blobKey('p', digest), format: 'pack', bytes, etag: `sha256:${digest}` };
  };
  const found = await createSourceScanner(limits, locate).scan({ path, classes, split, writePack });
  const images: ScannedImage[] = [];
  for await (const batch of found.images) images.push(...batch);
  const summary = found.summary();
  return {
    images,
    summary,
    async read() {
      const entries = images
        .map(({ sha256: digest, reference }) => ({ sha256: digest, label: 0, reference }))
        .sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
      const reader = createImageReader(store, () => locate);
      const read: StoredImage[] = [];
      for await (const image of reader.read('p', summary.sources, entries)) read.push(image);
      return read;
    },
  };
}
