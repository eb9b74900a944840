import { crc32 } from 'node:zlib';
import { PushforwardError } from '../base/errors.ts';
import { readAnew } from '../base/read-anew.ts';
import { type Points } from '../numerics/math/points.ts';
import { type RandomStream } from '../numerics/math/random.ts';
import { chosenRows } from '../numerics/math/rows.ts';
import { blobKey, getBlob, readManifest } from './artifacts.ts';
import { readSafetensors, tensorOffset } from './formats/safetensors.ts';
import { asLatents, assertSameLength, datasetOrder, SHORT_DIGEST, shortDigests } from './latents.ts';
import { type ObjectStore } from './ports.ts';

/** The latents of a class where they lie: no more of them is in memory than was asked for. */
export interface LatentStream {
  readonly n: number;
  readonly d: number;
  /** What d flattens: (channels, height, width). */
  readonly shape: number[];
  /** (n, 8): the first bytes of the sha256 of each stored image */
  readonly imageDigests: Uint8Array;
  /** @param samples by their place in the order of the dataset version @returns (samples.length, d), in the order asked for */
  read(samples: Int32Array): Promise<Points>;
}

/**
 * Reads the artifacts once, one after the other: checks their digests, and notes which sample lies where. However a version was
 * cut into chunks, its samples have the same order, and so `read` gives the same for the same numbers.
 */
export async function openLatents(
  store: ObjectStore,
  projectId: string,
  artifactIds: readonly string[],
): Promise<LatentStream> {
  /** `sums` has a checksum for each row: those of a range have no digest of their own. */
  const parts: { key: string; offset: number; sums: Uint32Array }[] = [];
  const digests: Uint8Array[] = [];
  let shape: number[] = [];
  let d = 0;
  for (const id of artifactIds) {
    const blob = (await readManifest(store, projectId, id)).blobs['latents.safetensors']!;
    const bytes = await getBlob(store, projectId, blob);
    const { tensors } = readSafetensors(bytes);
    const latents = asLatents(tensors['latents'], `latents of artifact ${id}`);
    if (parts.length > 0) assertSameLength(latents.points.d, d);
    ({ shape } = latents);
    ({ d } = latents.points);
    const offset = tensorOffset(bytes, 'latents');
    const sums = rowSums(bytes.subarray(offset, offset + 4 * d * latents.points.n), 4 * d);
    parts.push({ key: blobKey(projectId, blob.sha256), offset, sums });
    digests.push(tensors['digests']!.data as Uint8Array);
  }
  const order = datasetOrder(digests);

  return {
    n: order.part.length,
    d,
    shape,
    imageDigests: ordered(digests.map(shortDigests), order),
    async read(samples) {
      const values = new Float32Array(samples.length * d);
      const wanted = Map.groupBy(samples.keys(), (at) => order.part[samples[at]!]!);
      for (const [part, places] of wanted) {
        const { key, offset, sums } = parts[part]!;
        const rows = places.map((at) => ({ at, row: order.row[samples[at]!]! })).sort((a, b) => a.row - b.row);
        for (const run of runs(rows)) {
          const first = run[0]!.row;
          const rowCount = run.at(-1)!.row - first + 1;
          const read = await readAnew(['CORRUPT_ARTIFACT'], async () => {
            const bytes = await store.get(key, { offset: offset + 4 * d * first, bytes: 4 * d * rowCount });
            checkRows(bytes, 4 * d, sums.subarray(first, first + rowCount), key);
            return floats(bytes);
          });
          for (const { at, row } of run) values.set(read.subarray((row - first) * d, (row - first + 1) * d), at * d);
        }
      }
      return { values, n: samples.length, d };
    },
  };
}

function ordered(digests: readonly Uint8Array[], { part, row }: { part: Int32Array; row: Int32Array }): Uint8Array {
  const all = new Uint8Array(SHORT_DIGEST * part.length);
  part.forEach((at, i) => {
    const from = SHORT_DIGEST * row[i]!;
    all.set(digests[at]!.subarray(from, from + SHORT_DIGEST), SHORT_DIGEST * i);
  });
  return all;
}

/** All of these samples, or a random choice of so many of them. */
export async function sampleOf(
  stream: LatentStream,
  samples: Int32Array,
  most: number,
  random: RandomStream,
): Promise<Points> {
  const chosen = samples.length <= most ? samples : chosenRows(samples.length, most, random).map((i) => samples[i]!);
  return await stream.read(chosen);
}

/** Rows that lie near each other are read at once, with what is between them: a request costs more than a few rows. */
const GAP_ROWS = 16;
/** The most that one request reads, so that what lies between the samples asked for never outweighs them by much. */
const RUN_ROWS = 1024;

function runs<T extends { row: number }>(rows: readonly T[]): T[][] {
  const found: T[][] = [];
  for (const one of rows) {
    const run = found.at(-1);
    const near = run && one.row - run.at(-1)!.row <= GAP_ROWS && one.row - run[0]!.row < RUN_ROWS;
    if (near) run.push(one);
    else found.push([one]);
  }
  return found;
}

function rowSums(bytes: Uint8Array, rowBytes: number): Uint32Array {
  return Uint32Array.from({ length: bytes.length / rowBytes }, (_, row) =>
    crc32(bytes.subarray(row * rowBytes, (row + 1) * rowBytes)),
  );
}

function checkRows(bytes: Uint8Array, rowBytes: number, expected: Uint32Array, key: string): void {
  const sums = rowSums(bytes, rowBytes);
  if (sums.length === expected.length && sums.every((sum, row) => sum === expected[row])) return;
  throw new PushforwardError(
    'CORRUPT_ARTIFACT',
    `expected rows of ${key} as they were when its digest was checked, got others: delete the object and launch the run again`,
    { key },
  );
}

/** Little-endian, as safetensors has them; copied, because they need not be aligned in their buffer. */
function floats(bytes: Uint8Array): Float32Array {
  return new Float32Array(new Uint8Array(bytes).buffer);
}
