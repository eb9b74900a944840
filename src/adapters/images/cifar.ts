import { basename, dirname } from 'node:path';
import { invalid } from '../../base/errors.ts';
import { readNames } from './class-names.ts';
import { byCodeUnit } from '../../base/order.ts';
import { below, fileState, type SourceFiles, unreadable } from './source-file.ts';
import { type RawDataset, type RawImages } from './scan-raw.ts';
import { type SplitChoice, type SplitRequest, takeSplit } from './splits.ts';

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

/** What is asked of a folder of batches. */
export type BatchFiles = Pick<SourceFiles, 'look' | 'read'>;

/** Whether a file is a batch by its name. */
export function isBatch(path: string): boolean {
  return KINDS.some((kind) => splitOf(basename(path), kind) !== null);
}

/** The batches of one split of the folder; where none is asked for, those for training, or without any the test batch. */
export async function cifarIn(files: BatchFiles, request: SplitRequest, names: readonly string[]): Promise<RawDataset> {
  const kind = KINDS.find(({ train, test }) => names.some((file) => train.test(file) || test.test(file)))!;
  const batches = names.filter((file) => splitOf(file, kind) !== null).sort(byCodeUnit);
  const { items, ...choice } = takeSplit(batches, (file) => splitOf(file, kind), request, 'train');
  checkBatches(items, request.path);
  return await cifarOf(files, request.path, items, kind, choice);
}

/** @throws INVALID_INPUT where one of the batches is not there */
function checkBatches(batches: readonly string[], path: string): void {
  const numbers = batches.flatMap((file) => /^data_batch_(\d+)\.bin$/.exec(file)?.[1] ?? []).map(Number);
  const last = Math.max(0, ...numbers);
  const missing = Array.from({ length: last }, (_, i) => i + 1).find((number) => !numbers.includes(number));
  if (missing === undefined) return;
  throw invalid(
    `expected data_batch_1.bin to data_batch_${last}.bin in ${path}, got none called data_batch_${missing}.bin: ` +
      'copy it from the same archive, or name one batch as the path',
    { path },
  );
}

const splitOf = (file: string, { train, test }: (typeof KINDS)[number]): string | null =>
  train.test(file) ? 'train' : test.test(file) ? 'test' : null;

/** One batch, with the names beside it. */
export async function cifarFile(files: SourceFiles, request: SplitRequest): Promise<RawDataset> {
  const { path } = request;
  const file = basename(path);
  const kind = KINDS.find(({ train, test }) => train.test(file) || test.test(file));
  if (!kind) {
    throw invalid(
      `expected a batch of CIFAR by its own name (data_batch_1.bin, test_batch.bin, train.bin, test.bin), got ${file}: ` +
        'name the folder, or give the file its name back',
      { path },
    );
  }
  const { items, ...choice } = takeSplit([file], () => splitOf(file, kind), request);
  return await cifarOf(files, dirname(path), items, kind, choice);
}

async function cifarOf(
  files: BatchFiles,
  folder: string,
  batches: string[],
  { names, prefixBytes }: (typeof KINDS)[number],
  choice: SplitChoice,
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
      batches: [{ name: file, offset: 0, count: bytes / recordBytes }],
      whole: true,
      prefixBytes,
      labelOf: (record) => record[prefixBytes - 1]!,
    });
  }
  return { format: 'cifar', files: images, pixels: PIXELS, classNames, ...choice };
}
