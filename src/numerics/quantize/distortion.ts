import { throwIfAborted } from '../../base/abort.ts';
import { approximateSquaredDistances, errorBound, frameOf, normalize, squaredDistance } from '../math/distance.ts';
import { assertPoints, assertSameDimensions, type Points } from '../math/points.ts';
import { type MatrixProduct } from '../math/product.ts';
import { mean } from '../math/sum.ts';

export interface NearestCentroids {
  /** (n,), ties to the lowest index */
  readonly assignment: Int32Array;
  /** (n,): squared distance to it, in float64 */
  readonly squaredDistances: Float64Array;
  /** the mean of the squared distances: the distortion of these points under these centroids */
  readonly distortion: number;
}

/**
 * The nearest centroid of each point, be the points those that the centroids were fitted to or held out.
 *
 * Exact: the product only rules out centroids that are farther by more than its error can be; the rest are measured in float64
 * from the differences. So the bytes do not depend on the product, nor on how points are cut into batches.
 *
 * @param points (n, d)
 * @param centroids (k, d)
 * @throws INVALID_INPUT if a shape does not fit or a value is not finite; CANCELLED
 */
export async function nearestCentroids(
  points: Points,
  centroids: Points,
  { product, signal }: { product: MatrixProduct; signal?: AbortSignal },
): Promise<NearestCentroids> {
  assertPoints(points, 'points');
  assertPoints(centroids, 'centroids');
  assertSameDimensions(points, centroids);
  const { values, n, d } = points;
  const frame = frameOf(points);
  const centres = normalize(centroids.values, centroids.n, d, frame);
  const assignment = new Int32Array(n);
  const squaredDistances = new Float64Array(n);

  for (let from = 0; from < n; from += ROWS_PER_BLOCK) {
    throwIfAborted(signal);
    const rows = Math.min(ROWS_PER_BLOCK, n - from);
    const block = normalize(values.subarray(from * d, (from + rows) * d), rows, d, frame);
    const approximate = await approximateSquaredDistances(block, centres, product, signal);
    for (let i = 0; i < rows; i++) decide(i, from + i, approximate, block.norms[i]!);
  }
  return { assignment, squaredDistances, distortion: mean(squaredDistances) };

  function decide(row: number, i: number, approximate: Float64Array, norm: number): void {
    const k = centroids.n;
    let reach = Infinity;
    for (let c = 0; c < k; c++)
      reach = Math.min(reach, approximate[row * k + c]! + errorBound(norm, centres.norms[c]!, d));
    let least = Infinity;
    for (let c = 0; c < k; c++) {
      if (approximate[row * k + c]! - errorBound(norm, centres.norms[c]!, d) > reach) continue;
      const squared = squaredDistance(values, i, centroids.values, c, d);
      if (squared >= least) continue;
      least = squared;
      assignment[i] = c;
    }
    squaredDistances[i] = least;
  }
}

/** (worst - best) / best of the distortions that several searches end at; 0 of none. */
export function relativeSpread(distortions: readonly number[]): number {
  if (distortions.length === 0) return 0;
  const best = Math.min(...distortions);
  return best > 0 ? (Math.max(...distortions) - best) / best : 0;
}

/** Bounds the memory of the normalized copy: 64 MiB at d = 4096. */
const ROWS_PER_BLOCK = 4096;
