import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';

/** Pixels that differ for each number. */
export function rawImage(number: number, bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, i) => (i * 13 + number * 71 + ((i * number) >> 4)) % 256);
}

export interface IdxFiles {
  width: number;
  height: number;
  labels: number[];
  gzip?: boolean;
}

/** `<prefix>-images-idx3-ubyte` and `<prefix>-labels-idx1-ubyte`; image i is `rawImage(i, width * height)`. */
export async function writeIdx(folder: string, prefix: string, of: IdxFiles): Promise<string> {
  const { width, height, labels, gzip = false } = of;
  const images = Buffer.concat(labels.map((_, i) => rawImage(i, width * height)));
  const name = (kind: string) => join(folder, `${prefix}-${kind}-ubyte${gzip ? '.gz' : ''}`);
  const pack = (bytes: Uint8Array) => (gzip ? gzipSync(bytes) : bytes);
  await mkdir(folder, { recursive: true });
  await writeFile(name('images-idx3'), pack(Buffer.concat([idxHeader(3, [labels.length, height, width]), images])));
  await writeFile(name('labels-idx1'), pack(Buffer.concat([idxHeader(1, [labels.length]), Buffer.from(labels)])));
  return name('images-idx3');
}

export function idxHeader(dimensions: number, sizes: number[]): Buffer {
  const header = Buffer.alloc(4 + 4 * sizes.length);
  header.set([0, 0, 8, dimensions]);
  sizes.forEach((size, i) => header.writeUInt32BE(size, 4 + 4 * i));
  return header;
}

export const CIFAR_BYTES = 3072;

/** A batch of CIFAR: per image its labels and `rawImage(first + i, 3072)`. */
export async function writeCifarBatch(path: string, labels: number[][], first = 0): Promise<string> {
  await mkdir(dirname(path), { recursive: true });
  const records = labels.flatMap((of, i) => [Buffer.from(of), rawImage(first + i, CIFAR_BYTES)]);
  await writeFile(path, Buffer.concat(records));
  return path;
}
