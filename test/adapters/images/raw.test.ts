import { mkdir, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/json.ts';
import { gzipped, withFolder, writeTar } from '../../support/image-sources.ts';
import { CIFAR_BYTES, idxHeader, rawImage, writeCifarBatch, writeIdx } from '../../support/raw-sources.ts';
import { scanned, type ScannedSource } from '../../support/scanned.ts';

const pairs = ({ images }: ScannedSource) => images.map((image) => `${image.className} ${image.sha256}`);
const digestOf = (number: number, bytes: number) => sha256(rawImage(number, bytes));

describe.each([false, true])('IDX, gzipped: %s', (gzip) => {
  const small = { width: 5, height: 4, labels: [7, 2, 7, 0], gzip };

  it('goes by label, from the file and from its folder, and is read back as pixels', async () => {
    await withFolder(async (root) => {
      const path = await writeIdx(root, 'train', small);
      const expected = small.labels.map((label, i) => `${label} ${digestOf(i, 20)}`);
      for (const at of [path, root]) {
        const found = await scanned(at, { packBytes: 64, maxImageBytes: 64 });
        expect(pairs(found)).toEqual(expected);
        expect(found.summary).toMatchObject({ format: 'idx', emptyClasses: [], ignored: { count: 0 } });
        expect(found.summary.sources).toHaveLength(gzip ? 2 : 1);
        const read = await found.read();
        expect(read).toHaveLength(4);
        for (const { entry, bytes, pixels } of read) {
          expect(sha256(bytes)).toBe(entry.sha256);
          expect(pixels).toEqual({ width: 5, height: 4, channels: 1, order: 'interleaved' });
        }
      }
    });
  });

  it.each([
    ['classes.txt', 'shirt\nshoe\nshirt\n', 'shirt', 2],
    ['dataset.json', '{"classes":["shirt","shoe","shirt"]}', 'shirt', 2],
    ['classes.txt', 'shirt\n\nbag\n', '', 1],
    ['dataset.json', '{"classes":["shirt"," ","bag"]}', ' ', 1],
  ])('refuses %s where names do not tell labels apart: %j', (file, text, name, label) =>
    withFolder(async (root) => {
      await writeIdx(root, 'train', { width: 2, height: 2, labels: [0, 1] });
      await writeFile(join(root, file), text);
      await expect(scanned(root)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringContaining(`${file}, got ${JSON.stringify(name)} for label ${label}`) as string,
      });
    }),
  );

  it('takes names from classes.txt or dataset.json, and the classes asked for', async () => {
    await withFolder(async (root) => {
      await writeIdx(root, 'train', { ...small, labels: [1, 0, 1] });
      await writeFile(join(root, 'dataset.json'), '{"classes":["shirt","shoe","bag"]}');
      const named = await scanned(root);
      expect(named.images.map((image) => image.className)).toEqual(['shoe', 'shirt', 'shoe']);
      expect(named.summary.emptyClasses).toEqual(['bag']);
      await writeFile(join(root, 'classes.txt'), 'a\nb\n');
      const some = await scanned(root, {}, ['b']);
      expect(some.images.map((image) => image.className)).toEqual(['b', 'b']);
      expect(some.images.map((image) => image.reference.path)).toEqual(
        [0, 2].map((row) => `train-images-idx3-ubyte${gzip ? '.gz' : ''}#${row}`),
      );
      expect(await some.read()).toHaveLength(2);
      await rm(join(root, 'classes.txt'));
      await symlink('/etc/passwd', join(root, 'classes.txt'));
      await expect(scanned(root)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
      await rm(join(root, 'classes.txt'));
      await writeFile(join(root, 'classes.txt'), 'a\n');
      await expect(scanned(root)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: /label of 0 to 0 for train-images.*#0, got 1/ as never,
      });
    });
  });

  it('takes the training split of two unless another is asked for', async () => {
    await withFolder(async (root) => {
      await writeIdx(root, 'train', small);
      const test = await writeIdx(root, 't10k', { ...small, labels: [5] });
      const both = await scanned(root);
      expect(both.images).toHaveLength(4);
      expect(both.summary).toMatchObject({ split: 'train', splits: ['test', 'train'], ignored: { count: 0 } });
      const tested = await scanned(root, {}, null, undefined, 'test');
      expect(pairs(tested)).toEqual([`5 ${digestOf(0, 20)}`]);
      expect(tested.summary).toMatchObject({ split: 'test', splits: ['test', 'train'] });
      expect(pairs(await scanned(test))).toEqual([`5 ${digestOf(0, 20)}`]);
      await writeIdx(root, 'extra-train', small);
      await expect(scanned(root)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: /one split.*got extra-train, t10k, train: choose one with split/ as never,
      });
    });
  });

  it('refuses labels of another number, none, and a file that was cut or has more', async () => {
    await withFolder(async (root) => {
      const path = await writeIdx(root, 'train', small);
      const labels = join(root, `train-labels-idx1-ubyte${gzip ? '.gz' : ''}`);
      await expect(scanned(labels)).rejects.toMatchObject({ message: /expected images.*got IDX of 1/ as never });
      const three = Buffer.concat([idxHeader(1, [3]), Buffer.from([1, 2, 3])]);
      await writeFile(labels, gzip ? gzipSync(three) : three);
      await expect(scanned(path)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: /expected 4 labels.*got 3/ as never,
      });
      await rm(labels);
      await expect(scanned(path)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: /labels beside.*train-labels-idx1-ubyte/ as never,
      });

      await writeIdx(root, 'train', small);
      const whole = Buffer.concat([idxHeader(3, [4, 4, 5]), Buffer.alloc(80, 3)]);
      for (const bytes of [whole.subarray(0, 90), Buffer.concat([whole, whole])]) {
        await writeFile(path, gzip ? gzipSync(bytes) : bytes);
        await expect(scanned(path), `${bytes.length}`).rejects.toMatchObject({
          code: 'SOURCE_UNREADABLE',
          message: /96 bytes \(16 and 4 records of 20\)/ as never,
        });
      }
      const { length } = await readFile(path);
      await truncate(path, length - 9);
      await expect(scanned(path)).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' });
    });
  });
});

it('IDX that promises far more than it can hold is refused from its header', async () => {
  await withFolder(async (root) => {
    const path = await writeIdx(root, 'train', { width: 2, height: 2, labels: [1], gzip: true });
    const promising = Buffer.concat([idxHeader(3, [4_000_000_000, 28, 28]), Buffer.alloc(99)]);
    await writeFile(path, gzipSync(promising));
    await expect(scanned(path)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' });
    await writeFile(path, promising);
    await expect(scanned(path)).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      message: /4000000000 records of 784\) in .*, got 115:/ as never,
    });
  });
});

describe('CIFAR', () => {
  const TEN = 'cat\ndog\n\n';
  const folderOf10 = async (root: string) => {
    await mkdir(root, { recursive: true });
    await writeFile(join(root, 'batches.meta.txt'), TEN);
    await writeCifarBatch(join(root, 'data_batch_1.bin'), [[1], [0]]);
    await writeCifarBatch(join(root, 'data_batch_2.bin'), [[1]], 2);
    return await writeCifarBatch(join(root, 'test_batch.bin'), [[0]], 3);
  };

  it('of ten classes takes every training batch, or the batch that is named', async () => {
    await withFolder(async (root) => {
      const test = await folderOf10(root);
      const found = await scanned(root);
      expect(pairs(found)).toEqual(['dog', 'cat', 'dog'].map((name, i) => `${name} ${digestOf(i, CIFAR_BYTES)}`));
      expect(found.summary).toMatchObject({ format: 'cifar', split: 'train', splits: ['test', 'train'] });
      expect(pairs(await scanned(root, {}, null, undefined, 'test'))).toEqual([`cat ${digestOf(3, CIFAR_BYTES)}`]);
      await expect(scanned(root, {}, null, undefined, 'val')).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: /split validation.*got test, train: choose one of these/ as never,
      });
      for (const { entry, bytes, pixels } of await found.read()) {
        expect(sha256(bytes)).toBe(entry.sha256);
        expect(pixels).toEqual({ width: 32, height: 32, channels: 3, order: 'planar' });
      }
      expect(pairs(await scanned(test))).toEqual([`cat ${digestOf(3, CIFAR_BYTES)}`]);
    });
  });

  it('without one of its batches is refused', async () => {
    await withFolder(async (root) => {
      await folderOf10(root);
      await writeCifarBatch(join(root, 'data_batch_4.bin'), [[1]], 4);
      await expect(scanned(root)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: /data_batch_1\.bin to data_batch_4\.bin in .*, got none called data_batch_3\.bin: copy it/ as never,
      });
      expect(pairs(await scanned(root, {}, null, undefined, 'test'))).toHaveLength(1);
    });
  });

  it('of a hundred classes goes by the fine label', async () => {
    await withFolder(async (root) => {
      await writeFile(join(root, 'fine_label_names.txt'), 'apple\nbear\n');
      await writeFile(join(root, 'coarse_label_names.txt'), 'things\n');
      const path = await writeCifarBatch(join(root, 'train.bin'), [
        [0, 1],
        [0, 0],
      ]);
      const expected = ['bear', 'apple'].map((name, i) => `${name} ${digestOf(i, CIFAR_BYTES)}`);
      for (const at of [root, path]) expect(pairs(await scanned(at))).toEqual(expected);
    });
  });

  it('refuses labels out of range, a batch that ends early, and one without names', async () => {
    await withFolder(async (root) => {
      await folderOf10(root);
      const path = join(root, 'data_batch_2.bin');
      await writeCifarBatch(path, [[1], [2]]);
      await expect(scanned(root)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: /label of 0 to 1 for data_batch_2\.bin#1, got 2/ as never,
      });
      await truncate(path, 5000);
      await expect(scanned(root)).rejects.toMatchObject({
        code: 'SOURCE_UNREADABLE',
        message: /data_batch_2\.bin, got 5000 bytes/ as never,
      });
      await rm(join(root, 'batches.meta.txt'));
      for (const at of [root, path]) {
        await expect(scanned(at)).rejects.toMatchObject({
          code: 'INVALID_INPUT',
          message: /expected batches\.meta\.txt beside/ as never,
        });
      }
    });
  });

  it('in a tar, compressed or not, is the same as in its folder, a split at a time', async () => {
    await withFolder(async (root) => {
      await folderOf10(join(root, 'f'));
      const files = ['data_batch_2.bin', 'batches.meta.txt', 'test_batch.bin', 'data_batch_1.bin'];
      const members = await Promise.all(
        files.map(async (name) => ({ name: `./x/${name}`, body: await readFile(join(root, 'f', name)) })),
      );
      const tar = await writeTar(join(root, 'c.tar'), members);
      const folder = await scanned(join(root, 'f'));
      for (const path of [tar, await gzipped(join(root, 'c.tar.gz'), await readFile(tar))]) {
        const found = await scanned(path);
        expect(pairs(found).sort()).toEqual(pairs(folder).sort());
        expect(found.summary).toMatchObject({ format: 'cifar', split: 'train', splits: ['test', 'train'] });
        expect(found.images.map(({ reference }) => reference.path).sort()).toEqual(
          folder.images.map(({ reference }) => reference.path).sort(),
        );
        for (const { entry, bytes, pixels } of await found.read()) {
          expect(sha256(bytes)).toBe(entry.sha256);
          expect(pixels).toMatchObject({ order: 'planar' });
        }
        expect(pairs(await scanned(path, {}, null, undefined, 'test'))).toEqual([`cat ${digestOf(3, CIFAR_BYTES)}`]);
        expect(pairs(await scanned(path, {}, ['cat']))).toEqual([`cat ${digestOf(1, CIFAR_BYTES)}`]);
      }
      await writeTar(tar, members.slice(0, 3));
      await expect(scanned(tar)).rejects.toThrow(/data_batch_2\.bin in .*c\.tar\/x, got none called data_batch_1/);
      await writeTar(tar, [{ name: 'data_batch_1.bin', body: members[0]!.body }]);
      await expect(scanned(tar)).rejects.toThrow(/expected batches\.meta\.txt beside data_batch_1\.bin in .*c\.tar/);
      await writeTar(tar, [
        { name: 'data_batch_1.bin', body: Buffer.alloc(5000) },
        { ...members[1]!, name: 'batches.meta.txt' },
      ]);
      await expect(scanned(tar)).rejects.toThrow(/whole records of 3073 bytes.*data_batch_1\.bin, got 5000 bytes/);
    });
  });

  it('that changed since is a typed error', async () => {
    await withFolder(async (root) => {
      await folderOf10(root);
      const found = await scanned(root);
      await writeCifarBatch(join(root, 'data_batch_1.bin'), [[1], [1]]);
      await expect(found.read()).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
    });
  });
});
