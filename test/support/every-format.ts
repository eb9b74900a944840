import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Files, gzipped, type Member, pictures, writeFolder, writeParquet, writeTar } from './image-sources.ts';
import { writeCifarBatch, writeIdx } from './raw-sources.ts';

const NAMES = ['ant', 'bee', 'cat'];

/** Writes a source of every format that can be imported into a folder; each gives the path of it there. */
export const EVERY_FORMAT: Record<string, (root: string) => Promise<string>> = {
  'class folders': async (root) => {
    await writeFolder(join(root, 'folder'), await images());
    return 'folder';
  },
  'class folders below a split': async (root) => {
    await writeFolder(join(root, 'data/train'), await images());
    return 'data';
  },
  tar: async (root) => {
    await writeTar(join(root, 'images.tar'), await images());
    return 'images.tar';
  },
  'tar.gz': async (root) => {
    await gzipped(join(root, 'images.tar.gz'), await readFile(await writeTar(join(root, 'a'), await images())));
    return 'images.tar.gz';
  },
  'Parquet file': async (root) => {
    await writeParquet(join(root, 'images.parquet'), await images(), NAMES);
    return 'images.parquet';
  },
  'folder of Parquet files': async (root) => {
    await writeFolder(join(root, 'hub'), { 'README.md': new Uint8Array(1), 'data/x.txt': new Uint8Array(1) });
    const files = Object.entries(await images());
    for (const [i, part] of [files.slice(0, 20), files.slice(20)].entries()) {
      await writeParquet(join(root, `hub/data/train-0000${i}-of-00002.parquet`), Object.fromEntries(part), NAMES);
    }
    return 'hub';
  },
  'WebDataset shard': async (root) => {
    await writeTar(join(root, 'shard.tar'), samples(await images()));
    await writeFile(join(root, 'classes.txt'), NAMES.join('\n'));
    return 'shard.tar';
  },
  'folder of WebDataset shards': async (root) => {
    const all = samples(await images());
    await writeFolder(join(root, 'web'), { 'classes.txt': Buffer.from(NAMES.join('\n')) });
    await writeTar(join(root, 'web/train-000000.tar'), all.slice(0, 40));
    const second = await readFile(await writeTar(join(root, 'b'), all.slice(40)));
    await gzipped(join(root, 'web/train-000001.tar.gz'), second);
    return 'web';
  },
  'CIFAR folder': async (root) => {
    await writeCifar(join(root, 'cifar'));
    return 'cifar';
  },
  'CIFAR batch': async (root) => {
    await writeCifar(join(root, 'cifar'));
    return 'cifar/data_batch_2.bin';
  },
  'CIFAR in a tar': async (root) => {
    await writeTar(join(root, 'cifar.tar'), await cifarMembers(root));
    return 'cifar.tar';
  },
  'CIFAR in a tar.gz': async (root) => {
    await gzipped(
      join(root, 'cifar.tar.gz'),
      await readFile(await writeTar(join(root, 'c'), await cifarMembers(root))),
    );
    return 'cifar.tar.gz';
  },
  'folder above CIFAR': async (root) => {
    await writeCifar(join(root, 'unpacked/cifar-10-batches-bin'));
    return 'unpacked';
  },
  'IDX folder, gzipped': async (root) => {
    await writeIdx(join(root, 'idx'), 'train', { width: 9, height: 7, labels: [0, 2, 1, 1, 0], gzip: true });
    await writeIdx(join(root, 'idx'), 't10k', { width: 9, height: 7, labels: [0], gzip: true });
    return 'idx';
  },
  'IDX file': async (root) => {
    await writeIdx(join(root, 'idx'), 'train', { width: 9, height: 7, labels: [0, 2, 1, 1, 0] });
    return 'idx/train-images-idx3-ubyte';
  },
  'IDX file, gzipped': async (root) => {
    await writeIdx(join(root, 'idx'), 'train', { width: 9, height: 7, labels: [0, 2, 1, 1, 0], gzip: true });
    return 'idx/train-images-idx3-ubyte.gz';
  },
};

const images = (): Promise<Files> => pictures({ ant: 13, bee: 20, cat: 7 });

function samples(files: Files): Member[] {
  return Object.entries(files).flatMap(([path, body], i) => [
    { name: `${i}.png`, body },
    { name: `${i}.cls`, body: Buffer.from(String(NAMES.indexOf(path.split('/')[0]!))) },
  ]);
}

/** As the archive of CIFAR-10 has them: the names after the first batch. */
async function cifarMembers(root: string): Promise<Member[]> {
  const folder = join(root, 'members');
  await writeCifar(folder);
  const files = ['data_batch_2.bin', 'batches.meta.txt', 'data_batch_1.bin'];
  const bodies = await Promise.all(files.map((name) => readFile(join(folder, name))));
  await rm(folder, { recursive: true });
  return [
    { name: 'cifar-10-batches-bin', type: 'directory' },
    ...files.map((name, i) => ({ name: `cifar-10-batches-bin/${name}`, body: bodies[i]! })),
  ];
}

async function writeCifar(folder: string): Promise<void> {
  await writeCifarBatch(join(folder, 'data_batch_1.bin'), [[0], [2], [1]]);
  await writeCifarBatch(join(folder, 'data_batch_2.bin'), [[1], [2], [0], [0]], 3);
  await writeFile(join(folder, 'batches.meta.txt'), `${NAMES.join('\n')}\n`);
}
