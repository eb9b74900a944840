import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { describe, expect, it } from 'vitest';
import { createArchiveWriter } from '../../../src/adapters/images/archive.ts';
import { unpackTar } from '../../../src/cli/untar.ts';
import { type ArchiveFile, type SyntheticRow } from '../../../src/pipeline/ports.ts';
import { classBalance } from '../../../src/pipeline/dataset/balance.ts';
import { datasetCard } from '../../../src/pipeline/report/card.ts';
import { folderNames, imageFolder } from '../../../src/pipeline/report/image-folder.ts';
import { webDataset } from '../../../src/pipeline/report/webdataset.ts';
import { sha256 } from '../../../src/base/json.ts';
import { localFiles } from '../../../src/adapters/images/local-files.ts';
import { tarMembers } from '../../../src/adapters/images/tar-members.ts';
import { DEFAULT_LIMITS } from '../../../src/adapters/images/limits.ts';
import { picture, withFolder } from '../../support/image-sources.ts';
import { scanned } from '../../support/scanned.ts';

const CLASSES = ['cat', 'dog'];
const archives = createArchiveWriter();

const tarOf = async (files: readonly ArchiveFile[]): Promise<Uint8Array> =>
  new Uint8Array(await buffer(archives.tar(files)));

async function packed(shards: Record<string, ArchiveFile[]>): Promise<Record<string, Uint8Array>> {
  const tars: Record<string, Uint8Array> = {};
  for (const [name, files] of Object.entries(shards)) tars[name] = await tarOf(files);
  return tars;
}

async function rows(perClass: number, classes = CLASSES): Promise<SyntheticRow[]> {
  const made: SyntheticRow[] = [];
  for (const label of classes.keys()) {
    for (let point = 0; point < perClass; point++) {
      made.push({
        imagePng: await picture(10 * label + point),
        path: `${classes[label]!}/${point}.png`,
        label,
        weight: 0.1 + point,
        softLabel: [0.25, 0.75],
        point,
        cellCount: 3,
      });
    }
  }
  return made;
}

async function members(tar: Uint8Array): Promise<Map<string, Uint8Array>> {
  return await withFolder(async (root) => {
    const path = join(root, 'a.tar');
    await writeFile(path, tar);
    const found = new Map<string, Uint8Array>();
    for await (const member of tarMembers(path, { files: localFiles, gzip: false, limits: DEFAULT_LIMITS })) {
      found.set(member.name, member.body!);
    }
    return found;
  });
}

const json = (bytes: Uint8Array | undefined): unknown => JSON.parse(new TextDecoder().decode(bytes));

describe('the image folder', () => {
  it('has an image per row and repeats its label with weight and soft label', async () => {
    const all = await rows(2);
    const { files: made, renamed } = imageFolder(CLASSES, all);
    const tar = await tarOf(made);
    expect(renamed).toEqual([]);
    const files = await members(tar);
    expect([...files.keys()]).toEqual([
      'metadata.jsonl',
      'cat/00000.png',
      'cat/00001.png',
      'dog/00000.png',
      'dog/00001.png',
    ]);
    const lines = new TextDecoder().decode(files.get('metadata.jsonl')).trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(
      all.map((row) => ({
        file_name: `${CLASSES[row.label]!}/0000${row.point}.png`,
        label: CLASSES[row.label],
        weight: Math.fround(row.weight),
        soft_label: [0.25, 0.75],
        point: row.point,
        cell_count: 3,
      })),
    );
    expect(files.get('dog/00001.png')).toEqual(all[3]!.imagePng);
  });

  it('gives each class a folder of its own on every file system, and the label its name', async () => {
    const names = ['Cat', 'CON', 'a/b', 'a_b', 'cat', 'cat~2', '..', 'e\u0301', '\u00e9', 'x'.repeat(255), 'n\u0303.'];
    const folders = folderNames(names);
    expect(folders.slice(0, 7)).toEqual(['Cat', '_CON', 'a_b~2', 'a_b', 'cat~3', 'cat~2', '__']);
    expect(new Set(folders.map((folder) => folder.normalize('NFC').toLowerCase())).size).toBe(names.length);
    const { files: made, renamed } = imageFolder(['Cat', 'cat'], await rows(1, ['Cat', 'cat']));
    const tar = await tarOf(made);
    expect(renamed).toEqual([{ className: 'cat', folder: 'cat~2' }]);
    const files = await members(tar);
    expect([...files.keys()]).toEqual(['metadata.jsonl', 'Cat/00000.png', 'cat~2/00000.png']);
    expect(new TextDecoder().decode(files.get('metadata.jsonl'))).toContain('"cat~2/00000.png","label":"cat"');
  });

  it('is unpacked in place of an earlier one, never of other files', async () => {
    await withFolder(async (root) => {
      const at = join(root, 'imagefolder');
      const first = await tarOf(imageFolder(CLASSES, await rows(3)).files);
      await unpackTar(first, at);
      expect((await scanned(at)).images).toHaveLength(6);
      const tar = await tarOf(imageFolder(CLASSES, await rows(2)).files);
      await expect(unpackTar(tar.subarray(0, tar.length - 1200), at)).rejects.toMatchObject({
        code: 'CORRUPT_ARTIFACT',
      });
      expect((await scanned(at)).images).toHaveLength(6);
      await unpackTar(tar, at);
      expect((await scanned(at)).images).toHaveLength(4);
      await writeFile(join(root, 'mine.txt'), 'x');
      await expect(unpackTar(tar, root)).rejects.toMatchObject({ code: 'INVALID_INPUT', message: /--out/ as never });

      const outside = pack();
      outside.entry({ name: '../metadata.jsonl' }, 'x');
      outside.finalize();
      await expect(unpackTar(await buffer(outside), at)).rejects.toMatchObject({ code: 'CORRUPT_ARTIFACT' });
    });
  });
});

describe('the WebDataset', () => {
  it('has three members a sample and goes round the classes', async () => {
    const shards = await packed(webDataset(CLASSES, await rows(2)));
    expect(Object.keys(shards)).toEqual(['webdataset-000000.tar']);
    const files = await members(shards['webdataset-000000.tar']!);
    expect([...files.keys()].slice(0, 4)).toEqual(['000000.cls', '000000.json', '000000.png', '000001.cls']);
    expect(['000000', '000001', '000002', '000003'].map((key) => json(files.get(`${key}.cls`)))).toEqual([0, 1, 0, 1]);
    expect(json(files.get('000003.json'))).toEqual({
      class: 'dog',
      label: 1,
      weight: Math.fround(1.1),
      soft_label: [0.25, 0.75],
      point: 1,
      cell_count: 3,
    });
  });

  it('is cut into shards of bounded size that together are the whole', async () => {
    const all = await rows(5);
    const shards = await packed(webDataset(CLASSES, all, 8_000));
    expect(Object.keys(shards).length).toBeGreaterThan(2);
    for (const tar of Object.values(shards)) expect(tar.length).toBeLessThanOrEqual(8_000);
    await withFolder(async (root) => {
      for (const [name, tar] of Object.entries(shards)) await writeFile(join(root, name), tar);
      const found = await scanned(root);
      expect(found.images.map((image) => `${image.className} ${image.sha256}`).sort()).toEqual(
        all.map((row) => `${CLASSES[row.label]!} ${sha256(row.imagePng)}`).sort(),
      );
    });
  });
});

it('has the same bytes for the same rows', async () => {
  const once = await rows(3);
  const again = await rows(3);
  const both = [once, again].map((made) => tarOf(imageFolder(CLASSES, made).files));
  expect(await both[0]).toEqual(await both[1]);
  expect(await packed(webDataset(CLASSES, once))).toEqual(await packed(webDataset(CLASSES, again)));
});

it('a tar is made as it is read, and ends where nobody reads on', async () => {
  let asked = 0;
  const files = Array.from({ length: 200 }, (_, i) => ({
    path: `a/${i}.png`,
    get bytes() {
      asked += 1;
      return new Uint8Array(100_000).fill(i);
    },
  }));
  for await (const piece of archives.tar(files)) {
    expect(piece.length).toBeGreaterThan(0);
    break;
  }
  expect(asked).toBeLessThan(5);
  const tar = await tarOf(files);
  expect([...(await members(tar)).values()].map((bytes) => bytes[0])).toEqual(files.map((_, i) => i));
});

it.each(['/a', '../a', 'a//b', ''])('a tar has no file called %j', async (path) => {
  await expect(tarOf([{ path, bytes: new Uint8Array(1) }])).rejects.toMatchObject({ code: 'INVALID_INPUT' });
});

const cardOf = (rows: number) =>
  datasetCard({
    names: ['Cat', 'cat'],
    rows,
    made: {
      datasetVersion: {
        digest: 'd',
        images: 10,
        bytes: 999,
        balance: classBalance([
          { name: 'Cat', images: 5 },
          { name: 'cat', images: 5 },
        ]),
        duplicates: { withinClass: 0, acrossClasses: 2 },
      },
      prior: { id: 'p', name: 'tiny', version: '1', license: 'MIT' },
      pointsPerClass: [1, 1],
      recipe: {} as never,
    },
    weights: { exponent: 1, classShares: 'DATA', refit: false },
    distances: { w2Weighted: 1.5, reduction: 0.25, reductionBalanced: -0.001, reductionD4m: null },
    soft: true,
    shards: 3,
    renamed: [{ className: 'cat', folder: 'cat~2' }],
  });

it.each([
  [999, 'n<1K'],
  [1000, '1K<n<10K'],
  [99_999, '10K<n<100K'],
  [999_999, '100K<n<1M'],
  [1_000_000, '1M<n<10M'],
  [12_000_000, '10M<n<100M'],
])('the card of %i images names their category of the hub: %s', (rows, category) => {
  expect(cardOf(rows)).toContain(`\nsize_categories: [${category}]\n`);
});

it('the card names every shard and every folder that has another name', () => {
  const card = cardOf(2);
  expect(card).toContain('WebDataset("webdataset-{000000..000002}.tar", shardshuffle=False)');
  expect(card).toContain('cat in cat~2');
  expect(card).toContain(
    'distance of 1.500 from the latents of the real images (mean over classes, by exact transport): ' +
      '25.0% below that of the same points with uniform weights, 0.1% above that of the balanced quantizer.',
  );
  expect(card).toContain('2 classes: Cat, cat; numbered in this order');
  expect(card).toContain('has 10 images (999 bytes) of 2 classes, 5 in each; duplicates: 2 across classes.');
});
