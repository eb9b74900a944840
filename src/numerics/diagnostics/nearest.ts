import { throwIfAborted } from '../../base/abort.ts';
import { approximateSquaredDistances, errorBound, frameOf, normalize, squaredDistance } from '../math/distance.ts';
import { assertPoints, assertSameDimensions, type Points } from '../math/points.ts';
import { type MatrixProduct } from '../math/product.ts';

export interface NearestOptions {
  readonly product: MatrixProduct;
  /** (m,): the row that a query is itself, and which is not its nearest */
  readonly except?: ArrayLike<number>;
  readonly signal?: AbortSignal;
}

/**
 * The distance of each query to the nearest of many points.
 *
 * Exact: what the product proposes is measured in float64 unless it is certainly farther than another, so the bytes do not depend on the
 * product. Memory is bounded; time is that of a product of m n d.
 *
 * @param queries (m, d)
 * @param points (n, d)
 * @returns (m,); Infinity where there is no other point
 * @throws INVALID_INPUT if a shape does not fit or a value is not finite; CANCELLED
 */
export async function nearestDistances(
  queries: Points,
  points: Points,
  { product, except, signal }: NearestOptions,
): Promise<Float64Array> {
  assertPoints(queries, 'queries');
  assertPoints(points, 'points');
  assertSameDimensions(queries, points);
  const { n: m, d } = queries;
  const { n } = points;
  const frame = frameOf(points);
  const those = normalize(points.values, n, d, frame);
  const largest = those.norms.reduce((a, b) => Math.max(a, b), 0);
  const out = new Float64Array(m).fill(Infinity);
  const step = Math.max(1, Math.floor(ENTRIES_PER_BLOCK / n));
  for (let from = 0; from < m; from += step) {
    throwIfAborted(signal);
    const rows = Math.min(step, m - from);
    const block = normalize(queries.values.subarray(from * d, (from + rows) * d), rows, d, frame);
    const approximate = await approximateSquaredDistances(block, those, product, signal);
    for (let i = 0; i < rows; i++) {
      const bound = errorBound(block.norms[i]!, largest, d);
      out[from + i] = Math.sqrt(least(from + i, approximate.subarray(i * n, (i + 1) * n), bound));
    }
  }
  return out;

  /** Measures those that may be the nearest: what the product proposes is off by the bound at most. */
  function least(i: number, approximate: Float64Array, bound: number): number {
    const self = except ? except[i]! : -1;
    let nearestProposed = Infinity;
    for (let j = 0; j < n; j++) if (j !== self && approximate[j]! < nearestProposed) nearestProposed = approximate[j]!;
    let nearest = Infinity;
    for (let j = 0; j < n; j++)
      if (j !== self && approximate[j]! <= nearestProposed + 2 * bound)
        nearest = Math.min(nearest, squaredDistance(queries.values, i, points.values, j, d));
    return nearest;
  }
}

/** 48 MiB with the product. */
const ENTRIES_PER_BLOCK = 2 ** 22;
