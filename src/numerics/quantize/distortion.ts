import { type MatrixProduct } from '../math/product.ts';
import { type Points } from '../math/points.ts';

export interface NearestCentroids {
  /** (n,), ties to the lowest index */
  readonly assignment: Int32Array;
  /** (n,): squared distance to it, in float64 */
  readonly squaredDistances: Float64Array;
  /** the mean of the squared distances */
  readonly distortion: number;
}

export async function nearestCentroids(
  _points: Points,
  _centroids: Points,
  _context: { product: MatrixProduct; signal?: AbortSignal },
): Promise<NearestCentroids> {
  throw new Error('to be filled in');
}
