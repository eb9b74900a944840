import { PushforwardError } from '../base/errors.ts';
import { squaredDistance } from '../numerics/math/distance.ts';
import { type Points } from '../numerics/math/points.ts';
import { sum } from '../numerics/math/sum.ts';
import { asLatents, assertSameLength, datasetOrder, readEncoded, readTensors } from './latents.ts';
import { type ObjectStore, type TensorData } from './ports.ts';

/** The n samples of a class by the point of its codebook that they went to, in the order of the dataset version. */
export interface ClassCells {
  /** (k,) Voronoi masses, sum 1 */
  readonly weights: Float64Array;
  /** (k,) training samples of each cell */
  readonly counts: Int32Array;
  /** (n,) the point of each sample; `HELD_OUT` for those that the quantizer never saw */
  readonly assignment: Int32Array;
  /** (n,) squared distance to it, NaN of those held out */
  readonly squaredDistances: Float64Array;
  /** (n, 32) sha256 of each stored image */
  readonly digests: Uint8Array;
  /** (n,) which of the latents artifacts a sample is of */
  readonly part: Int32Array;
}

const HELD_OUT = -1;

/**
 * Reads a codebook and the latents that it was made from: once for their order, once for their distances, so that no more than the latents of
 * one artifact (`CHUNK_SIZES.max` images) are in memory at once. What stays takes about 50 bytes a sample.
 *
 * @param latents artifacts that the codebook was made from, in its own order
 * @throws CORRUPT_ARTIFACT; NOT_FOUND where bytes are gone
 */
export async function readCells(
  store: ObjectStore,
  projectId: string,
  of: { codebook: string; latents: readonly string[] },
): Promise<ClassCells> {
  const tensors = await readTensors(store, projectId, of.codebook, 'codebook.safetensors');
  const { points } = asLatents(tensors['centroids'], `centroids of artifact ${of.codebook}`);
  const assignment = int32(tensors['assignment']);
  const digests: Uint8Array[] = [];
  for (const id of of.latents) digests.push((await readEncoded(store, projectId, id)).digests);
  const { part, row } = datasetOrder(digests);
  if (part.length !== assignment.length) throw otherSamples(of.codebook, assignment.length, part.length);

  const ofParts = digests.map((some) => new Int32Array(some.length / 32).fill(HELD_OUT));
  part.forEach((at, i) => (ofParts[at]![row[i]!] = assignment[i]!));
  const distances: Float64Array[] = [];
  for (const [at, id] of of.latents.entries()) {
    const { points: samples } = await readEncoded(store, projectId, id);
    assertSameLength(samples.d, points.d);
    distances.push(distancesOf(samples, points, ofParts[at]!));
  }
  return {
    weights: tensors['weights']!.data as Float64Array,
    counts: int32(tensors['counts']),
    assignment,
    squaredDistances: Float64Array.from(part, (at, i) => distances[at]![row[i]!]!),
    digests: inOrder(digests, part, row),
    part,
  };
}

function inOrder(digests: readonly Uint8Array[], part: Int32Array, row: Int32Array): Uint8Array {
  const all = new Uint8Array(32 * part.length);
  part.forEach((at, i) => all.set(rowOf(digests[at]!, row[i]!), 32 * i));
  return all;
}

/** One point's cell. */
export interface Cell {
  weight: number;
  count: number;
  /** Mean squared distance of its samples to the point. */
  distortion: number;
  /** Its part of the class's distortion, 0 to 1; 0 where there is none. */
  distortionShare: number;
  /** (count,) its samples, nearest first */
  members: Int32Array;
}

export function cellOf(cells: ClassCells, point: number): Cell {
  const { weights, counts, assignment, squaredDistances } = cells;
  const members = Int32Array.from(assignment.keys())
    .filter((i) => assignment[i] === point)
    .sort((a, b) => squaredDistances[a]! - squaredDistances[b]! || a - b);
  const own = sum(Float64Array.from(members, (i) => squaredDistances[i]!));
  const all = sum(squaredDistances.filter((_, i) => assignment[i] !== HELD_OUT));
  return {
    weight: weights[point]!,
    count: counts[point]!,
    distortion: own / counts[point]!,
    distortionShare: all > 0 ? own / all : 0,
    members,
  };
}

/** A sample by what it is wherever it lies: its bytes, the chunk it is of, and which of the equal ones there. */
export function identityOf(
  { digests, part }: ClassCells,
  sample: number,
): { sha256: string; part: number; copy: number } {
  const own = rowOf(digests, sample);
  let copy = 0;
  // equal ones are neighbours in this order
  for (let i = sample - 1; i >= 0 && own.equals(rowOf(digests, i)); i--) if (part[i] === part[sample]) copy += 1;
  return { sha256: own.toString('hex'), part: part[sample]!, copy };
}

function distancesOf(samples: Points, points: Points, assignment: Int32Array): Float64Array {
  return Float64Array.from(assignment, (point, i) =>
    point === HELD_OUT ? NaN : squaredDistance(samples.values, i, points.values, point, points.d),
  );
}

const rowOf = (digests: Uint8Array, i: number): Buffer => Buffer.from(digests.buffer, digests.byteOffset + 32 * i, 32);

const int32 = (tensor: TensorData | undefined): Int32Array => tensor!.data as Int32Array;

function otherSamples(codebook: string, expected: number, received: number): PushforwardError {
  return new PushforwardError(
    'CORRUPT_ARTIFACT',
    `expected latents of the ${expected} samples of codebook ${codebook}, got ${received}: delete its manifest and launch the run again`,
    { artifactId: codebook },
  );
}
