import { type Points } from '../math/points.ts';
import { type MatrixProduct } from '../math/product.ts';
import { distancesTo } from './distortion.ts';
import { nearestSearch } from './nearest.ts';

/** Where Lloyd's algorithm ends. */
export interface LloydResult {
  /** (k, d), as they are stored, in float32: each the mean of its cell */
  readonly centroids: Points;
  /** (n,): the nearest centroid of each sample, ties to the lowest index */
  readonly assignment: Int32Array;
  /** mean squared distance of the samples to their nearest centroids, in float64 from the differences */
  readonly distortion: number;
  readonly iterations: number;
  /** no sample moved in the last iteration */
  readonly converged: boolean;
}

export interface LloydContext {
  readonly product: MatrixProduct;
  readonly signal?: AbortSignal;
}

/**
 * Lloyd's algorithm over the full batch: every centroid to the mean of its cell, every sample to its nearest centroid, until no
 * sample moves. The same bytes with any product, since it only rules out what is certainly farther (nearest.ts).
 *
 * S. P. Lloyd, "Least squares quantization in PCM", 1982.
 *
 * A cell that has become empty keeps its centroid; that of one which was empty from the start repeats the first sample.
 *
 * @param points (n, d), checked by the caller
 * @param norms (n,): their squared norms
 * @param start (n,): a cell for each sample, such as a search has found; not changed
 */
export async function lloyd(
  points: Points,
  norms: Float64Array,
  k: number,
  start: Int32Array,
  maxIterations: number,
  { product, signal }: LloydContext,
): Promise<LloydResult> {
  const { values, d } = points;
  const nearest = nearestSearch(points, norms, product);
  const centroids: Points = { values: new Float32Array(k * d), n: k, d };
  for (let c = 0; c < k; c++) centroids.values.set(values.subarray(0, d), c * d);
  const assignment = start.slice();
  let changed: Uint8Array = new Uint8Array(k).fill(1);
  let iterations = 0;
  let converged = false;
  while (iterations < maxIterations && !converged) {
    moveToMeans(points, centroids, assignment, changed);
    const before = assignment.slice();
    converged = (await nearest(centroids, assignment, signal)) === 0;
    changed = changedCells(before, assignment, k);
    iterations++;
  }
  const { distortion } = distancesTo(points, centroids, assignment);
  return { centroids, assignment, distortion, iterations, converged };
}

/** Sums of cells that have changed are taken anew: a distant sample that has left leaves no trace in the mean. */
function moveToMeans({ values, n, d }: Points, centroids: Points, assignment: Int32Array, changed: Uint8Array): void {
  const sums = new Float64Array(centroids.n * d);
  const counts = new Int32Array(centroids.n);
  for (let i = 0; i < n; i++) {
    const c = assignment[i]!;
    if (!changed[c]) continue;
    counts[c]!++;
    for (let p = i * d, q = c * d, end = q + d; q < end; p++, q++) sums[q]! += values[p]!;
  }
  counts.forEach((count, c) => {
    if (count > 0) for (let q = c * d, end = q + d; q < end; q++) centroids.values[q] = sums[q]! / count;
  });
}

function changedCells(before: Int32Array, after: Int32Array, k: number): Uint8Array {
  const changed = new Uint8Array(k);
  for (let i = 0; i < before.length; i++) {
    if (before[i] === after[i]) continue;
    changed[before[i]!] = 1;
    changed[after[i]!] = 1;
  }
  return changed;
}
