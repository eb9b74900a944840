import { approximateSquaredDistances, errorBound, frameOf, normalize } from '../math/distance.ts';
import { type Points } from '../math/points.ts';
import { type MatrixProduct } from '../math/product.ts';
import { emptyCells, join, moveToMean } from './cells.ts';
import { nearestCentroids } from './distortion.ts';
import { lloyd } from './lloyd.ts';

/** Centroids as they are stored, in float32, and what the samples make of them. */
export interface Polished {
  /** (k, d) */
  readonly centroids: Points;
  /** (k,), sum to 1 */
  readonly weights: Float64Array;
  /** (k,), sum to n */
  readonly counts: Int32Array;
  /** (n,) */
  readonly assignment: Int32Array;
  readonly distortion: number;
}

/**
 * From the partition that a search has found on a grid to a fixed point of Lloyd's algorithm on the samples themselves. Where every sample is nearest to
 * the mean of its cell, that is the partition itself.
 *
 * @param points (n, d), checked by the caller
 * @param assignment (n,)
 */
export async function polished(
  points: Points,
  assignment: Int32Array,
  k: number,
  maxIterations: number,
  context: { product: MatrixProduct; signal?: AbortSignal },
): Promise<Polished> {
  const means = meansOf(points, assignment, k);
  const stored = await measured(points, means, context);
  if (stored.assignment.every((c, i) => c === assignment[i])) return stored;
  const lowerBounds = await lowerBoundsOf(points, means, context);
  const start = { centroids: means, nearest: assignment, lowerBounds };
  const { centroids } = await lloyd(points, k, start, { maxIterations, signal: context.signal });
  const result = await measured(points, centroids, context);
  return result.distortion <= stored.distortion ? result : stored;
}

/** (k, d); an empty cell's is the origin until Lloyd's algorithm finds a place for it. */
function meansOf(points: Points, assignment: Int32Array, k: number): Float64Array {
  const cells = emptyCells(k, points.d);
  for (let i = 0; i < points.n; i++) join(cells, points, i, assignment[i]!);
  const means = new Float64Array(k * points.d);
  for (let c = 0; c < k; c++) moveToMean(cells, c, means, points.d);
  return means;
}

/** (n, k): below the distances, by one product. */
async function lowerBoundsOf(
  points: Points,
  centroids: Float64Array,
  { product, signal }: { product: MatrixProduct; signal?: AbortSignal },
): Promise<Float64Array> {
  const { values, n, d } = points;
  const frame = frameOf(points);
  const samples = normalize(values, n, d, frame);
  const centres = normalize(centroids, centroids.length / d, d, frame);
  const k = centres.n;
  const bounds = await approximateSquaredDistances(samples, centres, product, signal);
  for (let i = 0, p = 0; i < n; i++)
    for (let c = 0; c < k; c++, p++) {
      const squared = bounds[p]! - errorBound(samples.norms[i]!, centres.norms[c]!, d);
      bounds[p] = squared > 0 ? Math.sqrt(squared) / frame.scale : 0;
    }
  return bounds;
}

async function measured(
  points: Points,
  centroids: Float64Array,
  context: { product: MatrixProduct; signal?: AbortSignal },
): Promise<Polished> {
  const stored: Points = { values: Float32Array.from(centroids), n: centroids.length / points.d, d: points.d };
  const { assignment, distortion } = await nearestCentroids(points, stored, context);
  const counts = new Int32Array(stored.n);
  for (const c of assignment) counts[c]!++;
  const weights = Float64Array.from(counts, (count) => count / points.n);
  return { centroids: stored, weights, counts, assignment, distortion };
}
