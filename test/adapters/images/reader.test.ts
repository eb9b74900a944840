import { cp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createImageReader } from '../../../src/adapters/images/reader.ts';
import { createSourceScanner } from '../../../src/adapters/images/scan.ts';
import { type ScanLimits } from '../../../src/adapters/images/limits.ts';
import { sha256 } from '../../../src/base/json.ts';
import { blobKey } from '../../../src/pipeline/artifacts.ts';
import { type DatasetEntry, type ImageSource } from '../../../src/pipeline/ports.ts';
import {
  type Files,
  gzipped,
  pictures,
  withFolder,
  writeFolder,
  writeParquet,
  writeTar,
} from '../../support/image-sources.ts';
import { createMemoryStore } from '../../support/memory-store.ts';

const FORMATS = ['folder', 'tar', 'tar.gz', 'parquet', 'packed parquet'] as const;

async function write(format: (typeof FORMATS)[number], root: string, files: Files): Promise<string> {
  const tar = () => writeTar(join(root, 'a.tar'), files);
  switch (format) {
    case 'folder':
      return await writeFolder(join(root, 'folder'), files);
    case 'tar':
      return await tar();
    case 'tar.gz':
      return await gzipped(join(root, 'a.tar.gz'), await readFile(await tar()));
    case 'parquet':
    case 'packed parquet':
      return await writeParquet(join(root, 'a.parquet'), files, ['cat', 'dog']);
  }
}

/** Scans and gives the entries in an order that has nothing to do with where they lie. */
async function scanned(path: string, limits: Partial<ScanLimits> = {}) {
  const store = createMemoryStore();
  const found = await createSourceScanner(limits).scan({
    path,
    classes: null,
    async writePack(pieces): Promise<ImageSource> {
      const { sha256: digest, bytes } = await store.put((own) => blobKey('p', own), pieces, { ifAbsent: true });
      return { kind: 'object', uri: blobKey('p', digest), format: 'pack', bytes, etag: `sha256:${digest}` };
    },
  });
  const entries: DatasetEntry[] = [];
  for await (const batch of found.images) {
    for (const { sha256: digest, reference } of batch) entries.push({ sha256: digest, label: 0, reference });
  }
  entries.sort((a, b) => (a.sha256 < b.sha256 ? -1 : 1));
  return { store, entries, sources: found.summary().sources };
}

async function readAll({ store, entries, sources }: Awaited<ReturnType<typeof scanned>>, projectId = 'p') {
  const images: { entry: DatasetEntry; bytes: Uint8Array }[] = [];
  for await (const image of createImageReader(store).read(projectId, sources, entries)) images.push(image);
  return images;
}

const limitsOf = (format: string) => (format === 'packed parquet' ? { parquetInPlaceBytes: 0 } : {});

describe.each(FORMATS)('reading from a %s', (format) => {
  it('yields every image in the order asked for', async () => {
    await withFolder(async (root) => {
      const files = await pictures({ cat: 30, dog: 30 });
      const found = await scanned(await write(format, root, files), limitsOf(format));
      const images = await readAll(found);
      expect(images.map(({ entry }) => entry)).toEqual(found.entries);
      for (const { entry, bytes } of images) expect(sha256(bytes)).toBe(entry.sha256);
      expect(images).toHaveLength(60);
    });
  });

  it('holds an empty image and stops when asked to', async () => {
    await withFolder(async (root) => {
      const files = { ...(await pictures({ cat: 3 })), 'dog/empty.png': new Uint8Array() };
      const found = await scanned(await write(format, root, files), limitsOf(format));
      expect((await readAll(found)).filter(({ bytes }) => bytes.length === 0)).toHaveLength(1);
      const abort = new AbortController();
      const reading = async () => {
        for await (const { entry } of createImageReader(found.store).read(
          'p',
          found.sources,
          found.entries,
          abort.signal,
        )) {
          expect(entry).toBeDefined();
          abort.abort();
        }
      };
      await expect(reading()).rejects.toMatchObject({ code: 'CANCELLED' });
    });
  });
});

it.each([
  ['a pack', 'tar.gz', {}],
  ['packs of a table', 'parquet', { parquetInPlaceBytes: 0 }],
] as const)('images of %s that were damaged on the way are read again', async (_, format, limits) => {
  await withFolder(async (root) => {
    const { store, entries, sources } = await scanned(await write(format, root, await pictures({ cat: 9 })), limits);
    let damages = 2;
    const get: typeof store.get = async (...of) => {
      const bytes = Uint8Array.from(await store.get(...of));
      if (damages-- > 0) bytes[bytes.length >> 1]! ^= 1;
      return bytes;
    };
    const images = await readAll({ store: { ...store, get }, entries, sources });
    for (const { entry, bytes } of images) expect(sha256(bytes)).toBe(entry.sha256);
    expect(images).toHaveLength(9);
  });
});

describe('a source that changed', () => {
  it.each(['tar', 'parquet'] as const)('is told by size and time: %s', async (format) => {
    await withFolder(async (root) => {
      const path = await write(format, root, await pictures({ cat: 3 }));
      const found = await scanned(path);
      await utimes(path, new Date(), new Date(Date.now() + 5000));
      await expect(readAll(found)).rejects.toMatchObject({
        code: 'SOURCE_CHANGED',
        message: expect.stringMatching(new RegExp(`${path}.*import a new version`)) as string,
      });
      await rm(path);
      await expect(readAll(found)).rejects.toMatchObject({
        code: 'SOURCE_CHANGED',
        details: { received: 'nothing there' },
      });
    });
  });

  it('is told by the digest of each file of a folder', async () => {
    await withFolder(async (root) => {
      const path = await write('folder', root, await pictures({ cat: 3 }));
      const found = await scanned(path);
      const image = join(path, 'cat/0001.png');
      await utimes(image, new Date(), new Date(Date.now() + 5000));
      await expect(readAll(found)).resolves.toHaveLength(3);
      await cp(join(path, 'cat/0000.png'), image);
      await expect(readAll(found)).rejects.toMatchObject({
        code: 'SOURCE_CHANGED',
        message: /cat\/0001\.png/ as never,
      });
      await rm(image);
      await expect(readAll(found)).rejects.toMatchObject({
        code: 'SOURCE_CHANGED',
        message: /cat\/0001\.png/ as never,
      });
    });
  });

  it('is told by the digest of an image in a file whose size and time are as they were', async () => {
    await withFolder(async (root) => {
      const path = await write('tar', root, await pictures({ cat: 3 }));
      const found = await scanned(path);
      const bytes = await readFile(path);
      bytes[found.entries[0]!.reference.offset! + 40]! ^= 1;
      await writeFile(path, bytes);
      const forged = found.sources.map((source) => ({ ...source }));
      const stats = await stat(path, { bigint: true });
      forged[0]!.etag = `${stats.size}-${stats.mtimeNs}`;
      await expect(readAll({ ...found, sources: forged })).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
    });
  });
});

describe('a pack', () => {
  it('is read in few requests', async () => {
    await withFolder(async (root) => {
      const found = await scanned(await write('tar.gz', root, await pictures({ cat: 60 })));
      await readAll(found);
      expect(found.store.reads).toHaveLength(1);
    });
  });

  it('that was damaged is a corrupt artifact', async () => {
    await withFolder(async (root) => {
      const found = await scanned(await write('tar.gz', root, await pictures({ cat: 3 })));
      for (const { bytes } of found.store.objects.values()) bytes[100]! ^= 1;
      await expect(readAll(found)).rejects.toMatchObject({ code: 'CORRUPT_ARTIFACT' });
    });
  });

  it('of another project is refused', async () => {
    await withFolder(async (root) => {
      const found = await scanned(await write('tar.gz', root, await pictures({ cat: 3 })));
      await expect(readAll(found, 'other')).rejects.toMatchObject({ code: 'FORBIDDEN' });
    });
  });
});

it('reads several sources at once', async () => {
  await withFolder(async (root) => {
    const found = await scanned(await write('tar.gz', root, await pictures({ cat: 80 })), {
      packBytes: 4096,
      maxImageBytes: 4096,
    });
    expect(found.sources.length).toBeGreaterThanOrEqual(4);
    const asked = new Set<string>();
    let allAsked = () => {};
    const four = new Promise<void>((go) => (allAsked = go));
    const store = {
      ...found.store,
      async get(...of: Parameters<typeof found.store.get>) {
        if (asked.add(of[0]).size === 4) allAsked();
        await four;
        return await found.store.get(...of);
      },
    };
    expect(await readAll({ ...found, store })).toHaveLength(80);
  });
}, 5000);
