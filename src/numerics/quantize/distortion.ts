import { finiteNorms, squaredDistance } from '../math/distance.ts';
import { assertPoints, assertSameDimensions, assertShape, type Points } from '../math/points.ts';
import { type MatrixProduct } from '../math/product.ts';
import { mean } from '../math/sum.ts';
import { nearestSearch } from './nearest.ts';

export interface NearestCentroids {
  /** (n,), ties to the lowest index */
  readonly assignment: Int32Array;
  /** (n,): squared distance to it, in float64 */
  readonly squaredDistances: Float64Array;
  /** the mean of the squared distances: the distortion of these points under these centroids */
  readonly distortion: number;
}

/**
 * The nearest centroid of each point, be the points those that the centroids were fitted to or held out. Exact whatever the product (nearest.ts).
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
  assertShape(points, 'points');
  assertPoints(centroids, 'centroids');
  assertSameDimensions(points, centroids);
  const search = nearestSearch(points, finiteNorms(points, 'points'), product);
  const assignment = new Int32Array(points.n);
  await search(centroids, assignment, signal);
  return { assignment, ...distancesTo(points, centroids, assignment) };
}

/** Squared distances of points to the centroids that they are assigned to. */
export function distancesTo(
  { values, n, d }: Points,
  centroids: Points,
  assignment: Int32Array,
): { squaredDistances: Float64Array; distortion: number } {
  const squaredDistances = Float64Array.from({ length: n }, (_, i) =>
    squaredDistance(values, i, centroids.values, assignment[i]!, d),
  );
  return { squaredDistances, distortion: mean(squaredDistances) };
}

/** (worst - best) / best of the distortions that several searches end at; 0 of none. */
export function relativeSpread(distortions: readonly number[]): number {
  if (distortions.length === 0) return 0;
  const best = Math.min(...distortions);
  return best > 0 ? (Math.max(...distortions) - best) / best : 0;
}
