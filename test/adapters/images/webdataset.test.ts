import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../src/base/json.ts';
import {
  gzipped,
  type Member,
  picture,
  pictures,
  withFolder,
  writeFolder,
  writeTar,
} from '../../support/image-sources.ts';
import { scanned, type ScannedSource } from '../../support/scanned.ts';

const pairs = ({ images }: ScannedSource) => images.map((image) => `${image.className} ${image.sha256}`);
const text = (value: string) => Buffer.from(value);

/** Samples `000000`, `000001`, ... of these labels, image first. */
async function shard(path: string, of: { cls?: string; json?: unknown }[], first = 0): Promise<string> {
  const members: Member[] = [];
  for (const [i, { cls, json }] of of.entries()) {
    const key = String(first + i).padStart(6, '0');
    members.push({ name: `${key}.png`, body: await picture(first + i) });
    if (cls !== undefined) members.push({ name: `${key}.cls`, body: text(cls) });
    if (json !== undefined) members.push({ name: `${key}.json`, body: text(JSON.stringify(json)) });
  }
  return await writeTar(path, members);
}

const expected = async (names: string[], first = 0) =>
  Promise.all(names.map(async (name, i) => `${name} ${sha256(await picture(first + i))}`));

describe('a WebDataset', () => {
  it('of one shard goes by the name in the JSON, else by the number in .cls', async () => {
    await withFolder(async (root) => {
      const path = await shard(join(root, 'a.tar'), [
        { cls: '1', json: { class: 'cat' } },
        { json: { label: 'dog' } },
        { cls: '7\n' },
        { json: { label: 3, caption: 'x' } },
        { cls: 'bird' },
      ]);
      const found = await scanned(path);
      expect(pairs(found)).toEqual(await expected(['cat', 'dog', '7', '3', 'bird']));
      expect(found.summary).toMatchObject({ format: 'webdataset', sources: [{ uri: path, format: 'tar' }] });
      for (const { entry, bytes } of await found.read()) expect(sha256(bytes)).toBe(entry.sha256);
    });
  });

  it.each(['classes.txt', 'dataset.json'])('takes names by number from %s', async (file) => {
    await withFolder(async (root) => {
      const path = await shard(join(root, 'a.tar'), [{ cls: '1' }, { cls: '0' }]);
      await writeFile(join(root, file), file.endsWith('.txt') ? 'cat\r\ndog\r\n' : '{"classes":["cat","dog"]}');
      expect(pairs(await scanned(path))).toEqual(await expected(['dog', 'cat']));
      await shard(path, [{ cls: '1' }, { cls: '2' }]);
      await expect(scanned(path)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: /label of 0 to 1 for 000001 in .*a\.tar, got 2/ as never,
      });
    });
  });

  it('of several shards is the folder of one set, plain or compressed', async () => {
    await withFolder(async (root) => {
      await shard(join(root, 'train-000000.tar'), [{ cls: '1' }, { cls: '0' }]);
      const second = await shard(join(root, 'train-000001.tar'), [{ cls: '1' }], 2);
      const all = await expected(['1', '0', '1']);
      const plain = await scanned(root);
      expect(pairs(plain)).toEqual(all);
      expect(plain.summary.sources).toHaveLength(2);
      await gzipped(join(root, 'train-000000.tar.gz'), await readFile(join(root, 'train-000000.tar')));
      await writeTar(join(root, 'train-000000.tar'), []);
      await expect(scanned(root)).rejects.toMatchObject({ message: /no \.cls or \.json/ as never });

      await withFolder(async (mixed) => {
        await gzipped(join(mixed, 'a-000000.tgz'), gunzipSync(await readFile(join(root, 'train-000000.tar.gz'))));
        await writeFile(join(mixed, 'a-000001.tar'), await readFile(second));
        const found = await scanned(mixed);
        expect(pairs(found)).toEqual(all);
        expect(found.summary.sources.map(({ format }) => format)).toEqual(['tar', 'pack']);
        for (const { entry, bytes } of await found.read()) expect(sha256(bytes)).toBe(entry.sha256);
      });

      await shard(join(root, 'val-000000.tar'), [{ cls: '1' }]);
      await expect(scanned(root)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: /one split.*got train, validation: choose one with split/ as never,
      });
      const val = await scanned(root, {}, null, undefined, 'val');
      expect(pairs(val)).toEqual(await expected(['1']));
      expect(val.summary).toMatchObject({ split: 'validation', splits: ['train', 'validation'] });
    });
  });

  it('takes the classes asked for', async () => {
    await withFolder(async (root) => {
      const path = await shard(join(root, 'a.tar'), [{ cls: '1' }, { cls: '0' }, { cls: '1' }]);
      expect((await scanned(path, {}, ['1'])).images).toHaveLength(2);
    });
  });

  it('is told from a tar of class folders by its members, also where JSON lies beside images', async () => {
    await withFolder(async (root) => {
      const files = await pictures({ cat: 2, dog: 1 });
      const members = Object.entries(files).flatMap(([name, body]): Member[] => [
        { name, body },
        { name: name.replace('.png', '.json'), body: text('{"width":8}') },
      ]);
      const path = await writeTar(join(root, 'a.tar'), members);
      const found = await scanned(path);
      expect(found.summary.format).toBe('tar');
      expect(found.images.map((image) => image.className)).toEqual(['cat', 'cat', 'dog']);
      await writeFolder(join(root, 'set'), files);
      await writeTar(join(root, 'set/stray.tar'), members);
      expect((await scanned(join(root, 'set'))).summary).toMatchObject({ format: 'folder', ignored: { count: 1 } });
    });
  });

  it('refuses an image without a label, two images of a sample, and paths that leave', async () => {
    await withFolder(async (root) => {
      const path = await shard(join(root, 'a.tar'), [{ cls: '1' }, {}]);
      await expect(scanned(path)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: /expected 000001\.cls, or 000001\.json/ as never,
      });
      const body = await picture(1);
      await writeTar(path, [
        { name: '1.png', body },
        { name: '1.jpg', body },
        { name: '1.cls', body: text('1') },
      ]);
      await expect(scanned(path)).rejects.toMatchObject({ message: /one image per sample/ as never });
      await writeTar(path, [
        { name: '../1.png', body },
        { name: '../1.cls', body: text('1') },
      ]);
      await expect(scanned(path)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    });
  });

  it('passes over other members and samples without an image, and takes an image whose extension lies', async () => {
    await withFolder(async (root) => {
      const path = await writeTar(join(root, 'a.tar'), [
        { name: '1.jpg', body: await picture(0) },
        { name: '1.cls', body: text('0') },
        { name: '1.seg.png', body: await picture(9) },
        { name: '2.cls', body: text('0') },
      ]);
      const found = await scanned(path);
      expect(pairs(found)).toEqual(await expected(['0']));
      expect(found.summary.ignored).toEqual({ count: 1, examples: ['2 in a.tar (no image)'] });
    });
  });

  it('that ends early is unreadable, wherever the cut is', async () => {
    await withFolder(async (root) => {
      const path = await shard(join(root, 'a.tar'), Array(6).fill({ cls: '1' }));
      const whole = await readFile(path);
      for (const cut of [whole.length - 1024, whole.length - 2000, 5000, 700]) {
        await writeFile(path, whole.subarray(0, cut));
        await expect(scanned(path), `${cut}`).rejects.toMatchObject({ code: 'SOURCE_UNREADABLE' });
      }
    });
  });
});
