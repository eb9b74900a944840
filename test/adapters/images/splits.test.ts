import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSourceScanner } from '../../../src/adapters/images/scan.ts';
import { askedSplit, splitOfStem, splitsOfStems, stemOf, takeSplit } from '../../../src/adapters/images/splits.ts';
import { sha256 } from '../../../src/base/json.ts';
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
import { scanned, type ScannedSource } from '../../support/scanned.ts';

const pairs = ({ images }: ScannedSource) => images.map((image) => `${image.className} ${image.sha256}`).sort();
const under = (prefix: string, files: Files): Files =>
  Object.fromEntries(Object.entries(files).map(([path, bytes]) => [`${prefix}/${path}`, bytes]));
const expected = (files: Files) =>
  Object.entries(files)
    .map(([path, bytes]) => `${path.split('/').at(-2)} ${sha256(bytes)}`)
    .sort();

describe('names', () => {
  it.each([
    ['data/train-00000-of-00002.parquet', 'train', 'train'],
    ['cifar10-val-000012.tar.gz', 'cifar10-val', 'validation'],
    ['Training.parquet', 'Training', 'train'],
    ['dev_images.tgz', 'dev_images', 'validation'],
    ['imagenet-2012.tar', 'imagenet', null],
    ['train-and-test.tar', 'train-and-test', null],
    ['trainval-0.tar', 'trainval', null],
    ['0003.parquet', '', null],
  ])('%s has stem %s and tells %s', (file, stem, split) => {
    expect(stemOf(file)).toBe(stem);
    expect(splitOfStem(stem)).toBe(split);
  });

  it('tell sets apart, by their words where these do', () => {
    expect(splitsOfStems(['svhn-train', 'svhn-val', 'extra'])).toEqual(
      new Map([
        ['svhn-train', 'train'],
        ['svhn-val', 'validation'],
        ['extra', 'extra'],
      ]),
    );
    expect([...splitsOfStems(['a-train', 'b-train']).values()]).toEqual(['a-train', 'b-train']);
    expect([...splitsOfStems(['a', 'a']).values()]).toEqual([null]);
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.constantFrom('train', 'x-train', 'val', 'dev', 'extra', 'b'), { minLength: 2 }),
        (stems) => {
          const named = splitsOfStems(stems);
          expect(new Set(named.values()).size).toBe(stems.length);
        },
      ),
    );
  });

  it('of the items exactly those of one split are taken', () => {
    const some = fc.array(fc.constantFrom('train', 'test', 'validation', null));
    const asked = fc.constantFrom(null, 'train', 'testing', 'val', 'extra');
    fc.assert(
      fc.property(some, asked, fc.constantFrom('train', null), (of, split, otherwise) => {
        const take = () => takeSplit(of, (item) => item, { path: 'x', split }, otherwise);
        const there = [...new Set(of)].filter((item) => item !== null).sort();
        try {
          const { items, ...choice } = take();
          expect(choice.splits).toEqual(there);
          if (split === null && there.length < 2) expect(items).toEqual(of);
          else expect(new Set(items)).toEqual(new Set([choice.split]));
          expect(choice.split === null).toBe(there.length === 0);
        } catch (error) {
          if ((error as { code?: string }).code !== 'INVALID_INPUT') throw error;
          if (split === null) expect(there.length > 1 && !(otherwise && there.includes(otherwise))).toBe(true);
          else expect(there).not.toContain(askedSplit(split));
          for (const name of there) expect((error as Error).message).toContain(name);
        }
      }),
    );
  });
});

describe('class folders of several splits', () => {
  const sets = async () => ({
    train: await pictures({ cat: 2, dog: 1 }),
    val: { 'cat/v.png': await picture(70), 'dog/v.png': await picture(71) },
    test: { 'cat/t.png': await picture(80), 'bird/t.png': await picture(81) },
  });
  const all = ({ train, val, test }: Awaited<ReturnType<typeof sets>>, prefix = ''): Files => ({
    ...under(`${prefix}train`, train),
    ...under(`${prefix}val`, val),
    ...under(`${prefix}test`, test),
  });

  it('are taken one at a time, from a folder or a tar, whatever the split is called', async () => {
    await withFolder(async (root) => {
      const files = await sets();
      const paths = [await writeFolder(join(root, 'set'), all(files)), await writeTar(join(root, 'a.tar'), all(files))];
      for (const path of [...paths, await gzipped(join(root, 'a.tar.gz'), await readFile(paths[1]!))]) {
        for (const [split, of] of Object.entries(files)) {
          const found = await scanned(path, {}, null, undefined, split);
          expect(pairs(found)).toEqual(expected(of));
          expect(found.summary).toMatchObject({
            split: split === 'val' ? 'validation' : split,
            splits: ['test', 'train', 'validation'],
            emptyClasses: [],
            ignored: { count: 0 },
          });
        }
        expect(pairs(await scanned(path, {}, null, undefined, 'Validation'))).toEqual(expected(files.val));
        await expect(scanned(path)).rejects.toMatchObject({
          code: 'INVALID_INPUT',
          message: `expected one split in ${path}, got test, train, validation: choose one with split (--split on the command line), or name its file or folder as the path`,
        });
        await expect(scanned(path, {}, null, undefined, 'extra')).rejects.toMatchObject({
          code: 'INVALID_INPUT',
          message: `expected split extra in ${path}, got test, train, validation: choose one of these`,
        });
      }
    });
  });

  it('are taken from a store as from a folder, and asked for before an image is read', async () => {
    const files = await sets();
    const store = createMemoryStore();
    for (const [path, bytes] of Object.entries(all(files))) await store.put(`set/${path}`, bytes);
    const read: string[] = [];
    const get: typeof store.get = (key, ...more) => {
      read.push(key);
      return store.get(key, ...more);
    };
    const locate = (uri: string) => ({ store: { ...store, get }, key: uri.replace('s3://b/', '') });
    const scan = (split: string | null) =>
      createSourceScanner({}, locate).scan({
        path: 's3://b/set',
        classes: null,
        split,
        writePack: () => Promise.reject(),
      });
    await expect(scan(null)).rejects.toMatchObject({ message: /got test, train, validation: choose one/ as never });
    expect(read).toEqual([]);
    const { images, summary } = await scan('val');
    const found: string[] = [];
    for await (const batch of images) found.push(...batch.map((image) => `${image.className} ${image.sha256}`));
    expect(found.sort()).toEqual(expected(files.val));
    expect(summary()).toMatchObject({ split: 'validation', splits: ['test', 'train', 'validation'] });
    expect(read.every((key) => key.startsWith('set/val/'))).toBe(true);
  });

  it('lie at any depth; what is in none of them is told', async () => {
    await withFolder(async (root) => {
      const files = await sets();
      // Of two such folders the nearer one counts: whoever packed from below `dev` said nothing of splits.
      await writeFolder(root, { ...all(files, 'dev/set/'), 'stray/1.png': await picture(1) });
      await writeFolder(root, { 'dev/set/test/wolf/.keep': Buffer.from('') });
      await expect(scanned(root)).rejects.toMatchObject({ message: /got test, train, validation: / as never });
      const found = await scanned(root, {}, null, undefined, 'train');
      expect(pairs(found)).toEqual(expected(files.train));
      expect(found.summary).toMatchObject({
        emptyClasses: [],
        ignored: { count: 1, examples: ['stray/1.png (of no split)'] },
      });
      expect((await scanned(root, {}, null, undefined, 'test')).summary.emptyClasses).toEqual(['wolf']);
    });
  });

  it('asked for where names tell none are refused, and classes of these names stay classes', async () => {
    await withFolder(async (root) => {
      const files = await pictures({ train: 2, test: 1 });
      await writeFolder(root, files);
      const found = await scanned(root);
      expect(pairs(found)).toEqual(expected(files));
      expect(found.summary).toMatchObject({ split: null, splits: [] });
      await expect(scanned(root, {}, null, undefined, 'train')).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: `expected split train in ${root}, got names that tell no split: leave split out to take all images`,
      });
    });
  });

  it('may be a tar each, in one folder', async () => {
    await withFolder(async (root) => {
      const { train, test } = await sets();
      await writeTar(join(root, 'train.tar'), train);
      const only = await scanned(root);
      expect(pairs(only)).toEqual(expected(train));
      expect(only.summary).toMatchObject({ format: 'tar', split: 'train', splits: ['train'] });
      const tar = await readFile(await writeTar(join(root, 'test.tar'), test));
      await gzipped(join(root, 'extra.tgz'), tar);
      await expect(scanned(root)).rejects.toMatchObject({ message: /got extra, test, train: / as never });
      for (const [split, of] of [
        ['train', train],
        ['test', test],
        ['extra', test],
      ] as const) {
        const found = await scanned(root, {}, null, undefined, split);
        expect(pairs(found)).toEqual(expected(of));
        expect(found.summary).toMatchObject({ split, splits: ['extra', 'test', 'train'] });
      }
      expect((await scanned(join(root, 'test.tar'))).summary.split).toBe('test');
      await expect(scanned(join(root, 'test.tar'), {}, null, undefined, 'train')).rejects.toMatchObject({
        message: /split train.*got test: /s as never,
      });
    });
  });
});

describe('Parquet of several splits', () => {
  it('is taken by the names of its files', async () => {
    await withFolder(async (root) => {
      const parts = [await pictures({ cat: 2 }), await pictures({ dog: 3 }), { 'cat/9.png': await picture(99) }];
      await writeFolder(root, { 'data/README.md': Buffer.from('x') });
      await writeParquet(join(root, 'data/train-00000-of-00002.parquet'), parts[0]!, null);
      await writeParquet(join(root, 'data/train-00001-of-00002.parquet'), parts[1]!, null);
      const extra = await writeParquet(join(root, 'data/extra-00000-of-00001.parquet'), parts[2]!, null);
      await expect(scanned(root)).rejects.toMatchObject({ message: /got extra, train: choose one/ as never });
      const found = await scanned(root, {}, null, undefined, 'train');
      expect(pairs(found)).toEqual([...expected(parts[0]!), ...expected(parts[1]!)].sort());
      expect(found.summary).toMatchObject({ split: 'train', splits: ['extra', 'train'] });
      expect(pairs(await scanned(root, {}, null, undefined, 'extra'))).toEqual(expected(parts[2]!));
      const one = await writeParquet(join(root, 'my-test.parquet'), parts[0]!, null);
      expect((await scanned(one)).summary).toMatchObject({ split: 'test', splits: ['test'] });
      expect((await scanned(extra)).summary).toMatchObject({ split: null, splits: [] });
      await expect(scanned(one, {}, null, undefined, 'train')).rejects.toMatchObject({
        message: /got test: choose/ as never,
      });
    });
  });
});
