import { throwIfAborted } from '../../base/abort.ts';
import { errorBound, frameFor, inFrame, squaredDistance } from '../math/distance.ts';
import { type Points } from '../math/points.ts';
import { type MatrixProduct } from '../math/product.ts';

/**
 * Finds the nearest centroid of each point, again and again for the same points.
 *
 * Exact: a product only rules out centroids that are farther by more than its error can be; where that leaves several, they are measured in float64
 * from the differences. So the bytes do not depend on the product, nor on how points are cut into batches.
 *
 * @param centroids (k, d), finite
 * @param assignment (n,), filled in: the nearest, ties to the lowest index
 * @returns how many entries changed
 */
export type NearestSearch = (centroids: Points, assignment: Int32Array, signal?: AbortSignal) => Promise<number>;

/**
 * @param points (n, d), checked by the caller
 * @param norms (n,): their squared norms
 */
export function nearestSearch(points: Points, norms: Float64Array, product: MatrixProduct): NearestSearch {
  const { values, n, d } = points;
  const frame = frameFor(points, norms);
  let room = new Float32Array();

  return async function search(centroids, assignment, signal) {
    const k = centroids.n;
    const centres = inFrame(centroids, { ...frame, asTheyAre: false });
    const largest = centres.norms.reduce((a, b) => Math.max(a, b), 0);
    const most = Math.min(n, ROWS_PER_BLOCK) * k;
    if (room.length < most) room = new Float32Array(most);
    let changed = 0;
    for (let from = 0; from < n; from += ROWS_PER_BLOCK) {
      throwIfAborted(signal);
      const rows = Math.min(ROWS_PER_BLOCK, n - from);
      const part = { values: values.subarray(from * d, (from + rows) * d), n: rows, d };
      const block = inFrame(part, frame, norms.subarray(from, from + rows));
      const shape = { m: rows, k: d, n: k, transposeB: true };
      const dots = await product(block.values, centres.values, shape, signal, room.subarray(0, rows * k));
      for (let i = 0; i < rows; i++) {
        const nearest = decide(from + i, i * k, dots, centres.norms, 2 * errorBound(block.norms[i]!, largest, d));
        if (assignment[from + i] !== nearest) changed++;
        assignment[from + i] = nearest;
      }
    }
    return changed;

    function decide(i: number, row: number, dots: Float32Array, centreNorms: Float64Array, slack: number): number {
      let nearest = 0;
      let least = Infinity;
      let next = Infinity;
      for (let c = 0; c < k; c++) {
        const value = centreNorms[c]! - 2 * dots[row + c]!;
        if (value >= next) continue;
        if (value < least) {
          next = least;
          least = value;
          nearest = c;
        } else next = value;
      }
      if (next - least > slack) return nearest;
      let measured = Infinity;
      for (let c = 0; c < k; c++) {
        if (centreNorms[c]! - 2 * dots[row + c]! - least > slack) continue;
        const squared = squaredDistance(values, i, centroids.values, c, d);
        if (squared >= measured) continue;
        measured = squared;
        nearest = c;
      }
      return nearest;
    }
  };
}

/** Bounds the memory of a normalized copy: 64 MiB at d = 4096. */
const ROWS_PER_BLOCK = 4096;
