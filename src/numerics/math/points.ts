import { invalid } from '../../base/errors.ts';
import { assertFinite } from './tensor.ts';

/** n points of d dimensions: `values[i * d + j]` is coordinate j of point i. */
export interface Points {
  readonly values: Float32Array;
  readonly n: number;
  readonly d: number;
}

/**
 * Refuses what is not n >= 1 finite points of d >= 1 dimensions.
 *
 * @throws INVALID_INPUT naming the first offending index
 */
export function assertPoints(points: Points, what: string): void {
  assertShape(points, what);
  assertFinite(points.values, what, points.d);
}

/** @throws INVALID_INPUT if values are not of n >= 1 points of d >= 1 dimensions; their being finite is left to the caller */
export function assertShape({ values, n, d }: Points, what: string): void {
  if (!Number.isInteger(n) || n < 1 || !Number.isInteger(d) || d < 1)
    throw invalid(`expected ${what} of shape (n >= 1, d >= 1), got (${n}, ${d}): give at least one point`, { n, d });
  if (values.length !== n * d)
    throw invalid(
      `expected ${what} of shape (${n}, ${d}), ${n * d} values, got ${values.length}: pass the shape that they were written with`,
      { n, d, length: values.length },
    );
}

/** @throws INVALID_INPUT if the two do not live in the same space */
export function assertSameDimensions(points: Points, centroids: Points): void {
  if (points.d !== centroids.d)
    throw invalid(
      `expected points of shape (n, ${centroids.d}), got (n, ${points.d}): the centroids were fitted in another space`,
      { expected: centroids.d, received: points.d },
    );
}
