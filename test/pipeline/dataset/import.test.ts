import { readdir, readFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createImageReader, createSourceScanner } from '../../../src/adapters/images/index.ts';
import { sha256 } from '../../../src/base/json.ts';
import { type ArtifactManifest } from '../../../src/engine/ports.ts';
import { artifactKey, blobKey, createPublications } from '../../../src/pipeline/artifacts.ts';
import { importDataset, type ImportRequest } from '../../../src/pipeline/dataset/import.ts';
import { datasetContent, readChunks, readEntries, readSources } from '../../../src/pipeline/dataset/version.ts';
import {
  type DatasetEntry,
  type ObjectStore,
  type ScannedImage,
  type SourceScanner,
} from '../../../src/pipeline/ports.ts';
import {
  type Files,
  gzipped,
  picture,
  pictures,
  withFolder,
  writeFolder,
  writeParquet,
  writeTar,
} from '../../support/image-sources.ts';
import { createMemoryStore } from '../../support/memory-store.ts';

const run = (store: ObjectStore, root: string, path: string, more: Partial<ImportRequest> = {}) =>
  importDataset({
    scanner: createSourceScanner(),
    store,
    projectId: 'p',
    path,
    tempDir: join(root, 'temporary'),
    ...more,
  });

async function entriesOf(store: ObjectStore, manifest: ArtifactManifest): Promise<DatasetEntry[]> {
  const all: DatasetEntry[] = [];
  for (const chunk of await readChunks(store, 'p', manifest)) {
    const entries = await readEntries(store, 'p', manifest, chunk);
    expect(entries).toHaveLength(chunk.count);
    expect(entries.every(({ label }) => label === chunk.label)).toBe(true);
    all.push(...entries);
  }
  return all;
}

describe('importDataset', () => {
  it('gives the same version for the same files in every format', async () => {
    await withFolder(async (root) => {
      const store = createMemoryStore();
      const files = await pictures({ zebra: 21, ant: 30, Bee: 9, 'émeu d’été': 5 });
      const tar = await writeTar(join(root, 'a.tar'), Object.fromEntries(Object.entries(files).reverse()));
      const nested = Object.fromEntries(Object.entries(files).map(([path, bytes]) => [`train/${path}`, bytes]));
      const samples = Object.entries(files).flatMap(([path, body], i) => [
        { name: `${i}.png`, body },
        { name: `${i}.json`, body: Buffer.from(JSON.stringify({ class: path.split('/')[0] })) },
      ]);
      const paths = [
        await writeFolder(join(root, 'folder'), files),
        tar,
        await gzipped(join(root, 'a.tar.gz'), await readFile(await writeTar(join(root, 'b.tar'), nested))),
        await writeParquet(join(root, 'a.parquet'), files, ['zebra', 'ant', 'Bee', 'émeu d’été']),
        await writeParquet(join(root, 'b.parquet'), files, null),
        await writeTar(join(root, 'c.tar'), samples),
      ];
      const versions = [];
      for (const path of paths) versions.push(await run(store, root, path, { runRecords: 11 }));
      const classes = ['Bee', 'ant', 'zebra', 'émeu d’été'].map((name) => ({
        name,
        images: Object.keys(files).filter((path) => path.startsWith(`${name}/`)).length,
      }));
      const pairs = classes.flatMap(({ name }) =>
        Object.entries(files)
          .filter(([path]) => path.startsWith(`${name}/`))
          .map(([, bytes]) => `${JSON.stringify([name, sha256(bytes)])}\n`)
          .sort(),
      );
      const chunks = await readChunks(store, 'p', versions[0]!.manifest);
      for (const { digest, images, classes: found, manifest } of versions) {
        expect(digest).toBe(sha256(pairs.join('')));
        expect({ images, found }).toEqual({ images: 65, found: classes });
        expect(datasetContent(manifest)).toMatchObject({ digest, images: 65, classes, chunks: 4 });
        const entries = await entriesOf(store, manifest);
        expect(entries.map(({ label, sha256: own }) => `${JSON.stringify([classes[label]!.name, own])}\n`)).toEqual(
          pairs,
        );
        expect((await readChunks(store, 'p', manifest)).map((chunk) => chunk.digest)).toEqual(
          chunks.map((chunk) => chunk.digest),
        );
        const read = createImageReader(store).read('p', await readSources(store, 'p', manifest), entries);
        let count = 0;
        for await (const { entry, bytes } of read) {
          expect(sha256(bytes)).toBe(entry.sha256);
          count += 1;
        }
        expect(count).toBe(65);
      }
      expect(new Set(versions.map(({ manifest }) => manifest.id)).size).toBe(paths.length);
      expect(await readdir(join(root, 'temporary'))).toEqual([]);
    });
  });

  it('takes the split that is asked for, which is the same version as that split alone', async () => {
    await withFolder(async (root) => {
      const store = createMemoryStore();
      const [train, test] = [await pictures({ cat: 5, dog: 4 }), { 'cat/t.png': await picture(90) }];
      const under = (split: string, of: Files) =>
        Object.fromEntries(Object.entries(of).map(([path, bytes]) => [`${split}/${path}`, bytes]));
      const both = await writeFolder(join(root, 'both'), { ...under('train', train), ...under('val', test) });
      const alone = await run(store, root, await writeFolder(join(root, 'alone'), test));
      const found = await run(store, root, both, { split: 'val' });
      expect(found.digest).toBe(alone.digest);
      expect(datasetContent(found.manifest)).toMatchObject({
        images: 1,
        split: 'validation',
        splits: ['train', 'validation'],
      });
      expect(datasetContent(alone.manifest)).toMatchObject({ split: null, splits: [] });
      await expect(run(store, root, both)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        details: { splits: ['train', 'validation'] },
      });
      expect(await readdir(join(root, 'temporary'))).toEqual([]);
    });
  });

  it('tells what is beside the same images now, not what was at the first import', async () => {
    await withFolder(async (root) => {
      const store = createMemoryStore();
      const path = await writeFolder(join(root, 'set'), {
        'train/cat/1.png': await picture(1),
        'train/cat/2.png': await picture(2),
      });
      const facts = async () => {
        const { manifest, digest } = await run(store, root, path, { split: 'train' });
        const { splits, ignored, digest: told } = datasetContent(manifest);
        expect(told).toBe(digest);
        return { id: manifest.id, digest, splits, ignored: ignored.count };
      };
      const first = await facts();
      expect(first).toMatchObject({ splits: ['train'], ignored: 0 });
      await writeFolder(path, { 'train/cat/stray.heic': Buffer.from('x'), 'val/cat/3.png': await picture(3) });
      const second = await facts();
      expect(second).toMatchObject({ digest: first.digest, splits: ['train', 'validation'], ignored: 1 });
      expect(second.id).not.toBe(first.id);
      expect(await facts()).toEqual(second);
    });
  });

  it('publishes what it returns, once, with every blob', async () => {
    await withFolder(async (root) => {
      const store = createMemoryStore();
      const tar = await readFile(await writeTar(join(root, 'a.tar'), await pictures({ cat: 40, dog: 1 })));
      const path = await gzipped(join(root, 'a.tgz'), tar);
      const scanner = createSourceScanner({ packBytes: 4000, maxImageBytes: 4000 });
      const first = await run(store, root, path, { scanner });
      expect(Object.keys(first.manifest.blobs)).toEqual(expect.arrayContaining(['pack-00000', 'pack-00001']));
      expect(await createPublications(store).find('p', first.manifest.id)).toEqual(first.manifest);
      const keys = [...store.objects.keys()];
      expect(keys.every((key) => key.startsWith('projects/p/'))).toBe(true);
      const again = await run(store, root, path, { scanner });
      expect(again).toEqual(first);
      expect([...store.objects.keys()]).toEqual(keys);
      expect(first.classes).toEqual([
        { name: 'cat', images: 40 },
        { name: 'dog', images: 1 },
      ]);
    });
  });

  it('takes the classes asked for and reports progress', async () => {
    await withFolder(async (root) => {
      const store = createMemoryStore();
      const files = await pictures({ ant: 300, bee: 2, cat: 3 });
      const path = await writeFolder(join(root, 'f'), files);
      const seen: { images: number; bytes: number }[] = [];
      const version = await run(store, root, path, { classes: ['cat', 'ant'], onProgress: (at) => seen.push(at) });
      expect(version.classes.map(({ name }) => name)).toEqual(['ant', 'cat']);
      expect(seen.map(({ images }) => images)).toEqual([256, 303]);
      const bytes = Object.entries(files).reduce(
        (sum, [name, body]) => sum + (name.startsWith('bee') ? 0 : body.length),
        0,
      );
      expect(seen.at(-1)!.bytes).toBe(bytes);
      expect(datasetContent(version.manifest).bytes).toBe(bytes);
    });
  });

  it('keeps duplicates and counts them', async () => {
    await withFolder(async (root) => {
      const [a, b] = [await picture(1), await picture(2)];
      const files: Files = { 'x/1.png': a, 'x/2.png': a, 'x/3.png': a, 'x/4.png': b, 'y/1.png': a, 'z/1.png': b };
      const version = await run(createMemoryStore(), root, await writeFolder(join(root, 'f'), files));
      expect(version.images).toBe(6);
      expect(datasetContent(version.manifest).duplicates).toEqual({ withinClass: 2, acrossClasses: 2 });
    });
  });

  it('refuses empty classes, missing classes and no images at all', async () => {
    await withFolder(async (root) => {
      const store = createMemoryStore();
      const path = await writeFolder(join(root, 'f'), {
        ...(await pictures({ cat: 1 })),
        'bird/.keep': new Uint8Array(),
      });
      await expect(run(store, root, path)).rejects.toMatchObject({
        code: 'EMPTY_CLASS',
        details: { classes: ['bird'] },
      });
      await expect(run(store, root, path, { classes: ['cat', 'cow'] })).rejects.toMatchObject({
        code: 'EMPTY_CLASS',
        details: { classes: ['cow'] },
      });
      const wanted = Array.from({ length: 60 }, (_, i) => `c${i}`);
      await expect(run(store, root, path, { classes: ['cat', ...wanted] })).rejects.toThrow(
        /c48, c49 and 10 more: choose/,
      );
      await expect(run(store, root, path, { classes: ['cat'] })).resolves.toMatchObject({ images: 1 });
      const flat = await writeFolder(join(root, 'flat'), { 'a.png': await picture(1), 'b.heic': await picture(2) });
      await expect(run(store, root, flat)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: /passed over 2/ as never,
      });
      expect([...store.objects.keys()].filter((key) => key.includes('/artifacts/'))).toHaveLength(1);
    });
  });

  it('leaves nothing behind when the source breaks or the import is cancelled', async () => {
    await withFolder(async (root) => {
      const store = createMemoryStore();
      const path = await writeTar(join(root, 'a.tar'), await pictures({ cat: 600 }));
      const abort = new AbortController();
      const cancelled = run(store, root, path, { signal: abort.signal, onProgress: () => abort.abort() });
      await expect(cancelled).rejects.toMatchObject({ code: 'CANCELLED' });
      await truncate(path, 50_000);
      await expect(run(store, root, path)).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' });
      expect(await readdir(join(root, 'temporary'))).toEqual([]);
      expect([...store.objects.keys()].filter((key) => key.includes('/artifacts/'))).toEqual([]);
    });
  });

  it('refuses class names that cannot be shown', async () => {
    await withFolder(async (root) => {
      const path = await writeParquet(join(root, 'a.parquet'), { 'a\nb/1.png': await picture(1) }, null);
      await expect(run(createMemoryStore(), root, path)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
      const name = 'a\nb/1.png';
      const shown = run(createMemoryStore(), root, await writeFolder(join(root, 'f'), { [name]: await picture(1) }));
      await expect(shown).rejects.toThrow('for "a\\nb/1.png": rename the class');
      // What stands for bytes that are no UTF-8: of two such names one class would be made.
      const tar = await writeTar(join(root, 'a.tar'), { 'caf\ufffd/1.png': await picture(1) });
      await expect(run(createMemoryStore(), root, tar)).rejects.toThrow(/characters in UTF-8, .*got "caf\ufffd"/);
    });
  });

  it('tells entries that were damaged', async () => {
    await withFolder(async (root) => {
      const store = createMemoryStore();
      const { manifest } = await run(store, root, await writeFolder(join(root, 'f'), await pictures({ cat: 3 })));
      const [chunk] = await readChunks(store, 'p', manifest);
      const blob = store.objects.get(blobKey('p', manifest.blobs['entries.ndjson']!.sha256))!;
      const whole = Buffer.from(blob.bytes);
      blob.bytes[15] = blob.bytes[15] === 0x30 ? 0x31 : 0x30;
      await expect(readEntries(store, 'p', manifest, chunk!)).rejects.toMatchObject({ code: 'CORRUPT_ARTIFACT' });
      blob.bytes = whole.subarray(0, whole.length - 20);
      await expect(readEntries(store, 'p', manifest, chunk!)).rejects.toMatchObject({ code: 'CORRUPT_ARTIFACT' });
      expect(await store.head(artifactKey('p', manifest.id))).not.toBeNull();
    });
  });
});

/** Images that need no file: only names and digests count here. */
function scannerOf(images: Record<string, number[]>): SourceScanner {
  const scanned: ScannedImage[] = Object.entries(images).flatMap(([className, numbers]) =>
    numbers.map((number) => {
      const digest = sha256(`image ${number}`);
      return { className, sha256: digest, reference: { source: 0, path: `${className}/${number}.png`, bytes: 10 } };
    }),
  );
  return {
    async scan() {
      return {
        images: (async function* () {
          yield scanned;
        })(),
        summary: () => ({
          format: 'folder',
          sources: [],
          split: null,
          splits: [],
          emptyClasses: [],
          ignored: { count: 0, examples: [] },
        }),
      };
    },
  };
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describe('the next version of a dataset', () => {
  const importing = (root: string, store: ObjectStore, images: Record<string, number[]>, previous?: ArtifactManifest) =>
    run(store, root, '/data', { scanner: scannerOf(images), previous: previous ?? null, runRecords: 5000 });
  const newImages = async (store: ObjectStore, before: ArtifactManifest, after: ArtifactManifest) => {
    const known = new Set((await readChunks(store, 'p', before)).map(({ digest }) => digest));
    const fresh = (await readChunks(store, 'p', after)).filter(({ digest }) => !known.has(digest));
    return fresh.reduce((sum, { count }) => sum + count, 0);
  };

  it('with 1% more images has about 1% in new chunks, time after time, in chunks that do not grow many', async () => {
    await withFolder(async (root) => {
      const store = createMemoryStore();
      const at = (n: number) => ({ cat: range(0, n), dog: range(1_000_000, 1_000_000 + n) });
      let before = await importing(root, store, at(10_000));
      for (let step = 1; step <= 12; step++) {
        const after = await importing(root, store, at(10_000 + 100 * step), before.manifest);
        const share = (await newImages(store, before.manifest, after.manifest)) / after.images;
        expect(share).toBeGreaterThan(0.009);
        expect(share).toBeLessThan(0.04);
        before = after;
      }
      const fresh = await importing(root, store, at(11_200));
      expect(before.digest).toBe(fresh.digest);
      expect(datasetContent(before.manifest).chunks).toBeLessThan(2 * datasetContent(fresh.manifest).chunks);
      const sorted = (entries: DatasetEntry[]) => entries.map(({ label, sha256: own }) => `${label} ${own}`).sort();
      expect(sorted(await entriesOf(store, before.manifest))).toEqual(sorted(await entriesOf(store, fresh.manifest)));
    });
  });

  it('that is the same has the same chunks', async () => {
    await withFolder(async (root) => {
      const store = createMemoryStore();
      const images = { cat: [...range(0, 3000), 5, 5, 6], dog: range(4000, 4100), owl: [1] };
      const before = await importing(root, store, images);
      const after = await importing(root, store, images, before.manifest);
      expect(after.manifest).toEqual(before.manifest);
    });
  });

  it('without some images changes only the chunks they were in', async () => {
    await withFolder(async (root) => {
      const store = createMemoryStore();
      const before = await importing(root, store, { cat: range(0, 20_000) });
      const after = await importing(root, store, { cat: range(0, 20_000).filter((i) => i !== 77) }, before.manifest);
      expect(await newImages(store, before.manifest, after.manifest)).toBeLessThan(4096);
      expect(after.images).toBe(19_999);
      expect([before.newImages, after.newImages]).toEqual([20_000, 0]);
      const exchanged = await importing(root, store, { cat: range(5, 20_004) }, after.manifest);
      // Number 77 is back, 20,000 to 20,003 never were there.
      expect(exchanged.newImages).toBe(5);
    });
  });

  it('with another class leaves the others as they are', async () => {
    await withFolder(async (root) => {
      const store = createMemoryStore();
      const before = await importing(root, store, { cat: range(0, 2000) });
      const after = await importing(root, store, { bee: range(5000, 5100), cat: range(0, 2000) }, before.manifest);
      expect(await newImages(store, before.manifest, after.manifest)).toBe(100);
      expect((await entriesOf(store, after.manifest)).filter(({ label }) => label === 1)).toHaveLength(2000);
    });
  });
});
