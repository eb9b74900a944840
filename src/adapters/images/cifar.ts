import { basename, dirname } from 'node:path';
import { invalid } from '../../base/errors.ts';
import { type Ignored, ignore } from './class-folders.ts';
import { readNames } from './class-names.ts';
import { byCodeUnit } from '../../base/order.ts';
import { below, fileState, type SourceFiles, unreadable } from './source-file.ts';
import { type RawDataset, type RawImages } from './scan-raw.ts';

const PIXELS = { width: 32, height: 32, channels: 3, order: 'planar' } as const;
const PIXEL_BYTES = 3072;

/** The two that there are: which files, where the names stand, how many bytes of labels a record begins with. */
const KINDS = [
  { train: /^data_batch_\d+\.bin$/, test: /^test_batch\.bin$/, names: 'batches.meta.txt', prefixBytes: 1 },
  // A coarse label and a fine one; the fine one counts.
  { train: /^train\.bin$/, test: /^test\.bin$/, names: 'fine_label_names.txt', prefixBytes: 2 },
];

/** Whether a folder with these files holds CIFAR in its binary version. */
export function hasCifar(files: readonly string[]): boolean {
  return KINDS.some(({ train, test, names }) => {
    const batches = files.some((file) => train.test(file) || test.test(file));
    return batches && (files.includes(names) || files.some((file) => file.startsWith('data_batch_')));
  });
}

/** The training batches of the folder; without any, the test batch. The other split is passed over and told. */
export async function cifarIn(files: SourceFiles, folder: string, names: readonly string[]): Promise<RawDataset> {
  const kind = KINDS.find(({ train, test }) => names.some((file) => train.test(file) || test.test(file)))!;
  const split = names.some((file) => kind.train.test(file)) ? kind.train : kind.test;
  const ignored: Ignored = { count: 0, examples: [] };
  for (const file of names) if (split === kind.train && kind.test.test(file)) ignore(ignored, `${file} (test split)`);
  const chosen = names.filter((file) => split.test(file)).sort(byCodeUnit);
  return await cifarOf(files, folder, chosen, kind, ignored);
}

/** One batch, with the names beside it. */
export async function cifarFile(files: SourceFiles, path: string): Promise<RawDataset> {
  const file = basename(path);
  const kind = KINDS.find(({ train, test }) => train.test(file) || test.test(file));
  if (!kind) {
    throw invalid(
      `expected a batch of CIFAR by its own name (data_batch_1.bin, test_batch.bin, train.bin, test.bin), got ${file}: ` +
        'name the folder, or give the file its name back',
      { path },
    );
  }
  return await cifarOf(files, dirname(path), [file], kind, { count: 0, examples: [] });
}

async function cifarOf(
  files: SourceFiles,
  folder: string,
  batches: string[],
  { names, prefixBytes }: (typeof KINDS)[number],
  ignored: Ignored,
): Promise<RawDataset> {
  const classNames = await readNames(files, below(folder, names));
  if (!classNames) {
    throw invalid(`expected ${names} beside ${batches[0]} in ${folder}, got none: copy it from the same archive`, {
      path: folder,
    });
  }
  const recordBytes = prefixBytes + PIXEL_BYTES;
  const images: RawImages[] = [];
  for (const file of batches) {
    const path = below(folder, file);
    const { bytes } = await fileState(files, path);
    if (bytes === 0 || bytes % recordBytes !== 0) {
      throw unreadable(path, `whole records of ${recordBytes} bytes, as ${names} says`, `${bytes} bytes`);
    }
    images.push({
      path,
      gzip: false,
      headerBytes: 0,
      prefixBytes,
      count: bytes / recordBytes,
      labelOf: (record) => record[prefixBytes - 1]!,
    });
  }
  return { format: 'cifar', files: images, pixels: PIXELS, classNames, ignored };
}
