import { basename, dirname } from 'node:path';
import { invalid } from '../../base/errors.ts';
import { namesIn } from './class-names.ts';
import { type ScanLimits } from './limits.ts';
import { byCodeUnit } from '../../base/order.ts';
import { checkPromise, headOf, type RawFile, recordsOf } from './raw-file.ts';
import { type RawDataset } from './scan-raw.ts';
import { below, fileState, type SourceFiles, unreadable } from './source-file.ts';
import { checkSplit, type SplitChoice, splitOfStem, type SplitRequest, splitsOfStems, takeSplit } from './splits.ts';

const IMAGES = /images([.-])idx3-ubyte(\.gz)?$/;

/** What the first bytes of an IDX file say it is: unsigned bytes in so many dimensions. Null if it is none. */
export function idxDimensions(head: Uint8Array): number | null {
  return head.length >= 4 && head[0] === 0 && head[1] === 0 && head[2] === 8 && head[3]! > 0 ? head[3]! : null;
}

export function hasIdx(files: readonly string[]): boolean {
  return files.some((file) => IMAGES.test(file));
}

/** The images of one split of the folder; where none is asked for, the only ones, or those for training. */
export async function idxIn(
  files: SourceFiles,
  request: SplitRequest,
  names: readonly string[],
  limits: ScanLimits,
): Promise<RawDataset> {
  const { path: folder } = request;
  const all = new Map(
    names
      .filter((file) => IMAGES.test(file))
      .sort(byCodeUnit)
      .map((file) => [stemOfImages(file), file]),
  );
  const named = splitsOfStems(all.keys());
  const training = [...all.keys()].filter((stem) => splitOfStem(stem) === 'train');
  const { items, ...choice } = takeSplit(
    [...all],
    ([stem]) => named.get(stem)!,
    request,
    training.length === 1 ? 'train' : null,
  );
  return await idxOf(files, below(folder, items[0]![1]), names, limits, choice);
}

const stemOfImages = (file: string): string => file.replace(IMAGES, '').replace(/[-.]$/, '');

/** @param beside names of the files in the same folder, one of which has the labels */
export async function idxFile(
  files: SourceFiles,
  request: SplitRequest,
  beside: readonly string[],
  limits: ScanLimits,
): Promise<RawDataset> {
  const split = splitOfStem(stemOfImages(basename(request.path)));
  return await idxOf(files, request.path, beside, limits, checkSplit(split === null ? [] : [split], request));
}

async function idxOf(
  files: SourceFiles,
  path: string,
  beside: readonly string[],
  limits: ScanLimits,
  choice: SplitChoice,
): Promise<RawDataset> {
  const images = await openIdx(files, path, 3, 'images (idx3-ubyte)');
  const [count, height, width] = images.sizes as [number, number, number];
  if (count === 0 || height === 0 || width === 0) {
    throw invalid(`expected images in ${path}, got ${count} of ${width}x${height}: name another file`, { path });
  }
  const { bytes } = await fileState(files, path);
  checkPromise(images, { headerBytes: 16, recordBytes: height * width, count }, bytes, limits);
  const labels = await readLabels(files, labelsBeside(path, beside), count, path, limits);
  return {
    format: 'idx',
    files: [
      {
        ...images,
        batches: [{ name: basename(path), offset: 16, count }],
        whole: true,
        prefixBytes: 0,
        labelOf: (_record, index) => labels[index]!,
      },
    ],
    pixels: { width, height, channels: 1, order: 'interleaved' },
    classNames: await namesIn(files, dirname(path)),
    ...choice,
  };
}

function labelsBeside(path: string, beside: readonly string[]): string {
  const name = basename(path);
  const wanted = IMAGES.test(name) ? name.replace(IMAGES, 'labels$1idx1-ubyte') : null;
  const found = wanted && [wanted, `${wanted}.gz`].find((file) => beside.includes(file));
  if (found) return below(dirname(path), found);
  throw invalid(
    `expected labels beside ${path}, ${wanted ? `in ${wanted} or ${wanted}.gz` : 'for a file whose name ends in images-idx3-ubyte'}, got none: ` +
      'put them there under this name',
    { path },
  );
}

async function readLabels(
  files: SourceFiles,
  path: string,
  images: number,
  of: string,
  limits: ScanLimits,
): Promise<Uint8Array> {
  const file = await openIdx(files, path, 1, 'labels (idx1-ubyte)');
  const count = file.sizes[0]!;
  if (count !== images) {
    throw invalid(
      `expected ${images} labels in ${path}, as many as images in ${basename(of)}, got ${count}: ` +
        'put the labels of the same split beside the images',
      { path },
    );
  }
  const layout = { headerBytes: 8, recordBytes: count, count: 1 };
  checkPromise(file, layout, (await fileState(files, path)).bytes, limits);
  let labels: Uint8Array = new Uint8Array();
  for await (const { bytes } of recordsOf(files, file, layout)) {
    labels = Uint8Array.from(bytes);
  }
  return labels;
}

async function openIdx(
  files: SourceFiles,
  path: string,
  dimensions: number,
  what: string,
): Promise<RawFile & { sizes: number[] }> {
  const magic = await headOf(files, { path, gzip: false }, 2);
  const file = { path, gzip: magic[0] === 0x1f && magic[1] === 0x8b };
  const head = await headOf(files, file, 4 + 4 * dimensions);
  const found = idxDimensions(head);
  if (found !== dimensions) {
    throw invalid(
      `expected ${what} in ${path}, got ${found === null ? 'a file that is no IDX file of bytes' : `IDX of ${found} dimensions`}: ` +
        'name the file with the images, and have the one with the labels beside it',
      { path },
    );
  }
  if (head.length < 4 + 4 * dimensions) throw unreadable(path, 'a whole header', `${head.length} bytes`);
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  return { ...file, sizes: Array.from({ length: dimensions }, (_, i) => view.getUint32(4 + 4 * i)) };
}
