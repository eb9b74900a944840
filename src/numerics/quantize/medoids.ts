import { invalid } from '../../base/errors.ts';
import { squaredDistance } from '../math/distance.ts';
import { assertPoints, assertSameDimensions, type Points } from '../math/points.ts';

/**
 * The medoid of each cell: of its samples the one nearest to its centroid, for a codebook of real samples. Cells do not share samples, so
 * neither do medoids; but an empty cell takes the sample nearest to its centroid, whose ever it is. Ties go to the first.
 *
 * @param points (n, d)
 * @param centroids (k, d)
 * @param assignment (n,): the cell of each sample
 * @returns (k,): indices of samples
 * @throws INVALID_INPUT if a shape does not fit or a value is not finite
 */
export function medoids(points: Points, centroids: Points, assignment: ArrayLike<number>): Int32Array {
  assertPoints(points, 'points');
  assertPoints(centroids, 'centroids');
  assertSameDimensions(points, centroids);
  const { values, n, d } = points;
  if (assignment.length !== n)
    throw invalid(`expected the cells of ${n} samples, got ${assignment.length}: give one for each`, { n });
  const found = new Int32Array(centroids.n).fill(-1);
  const least = new Float64Array(centroids.n).fill(Infinity);
  const offer = (i: number, c: number) => {
    const squared = squaredDistance(values, i, centroids.values, c, d);
    if (squared >= least[c]!) return;
    least[c] = squared;
    found[c] = i;
  };
  for (let i = 0; i < n; i++) offer(i, assignment[i]!);
  found.forEach((medoid, c) => {
    if (medoid < 0) for (let i = 0; i < n; i++) offer(i, c);
  });
  return found;
}
