import { squaredDistance } from '../math/distance.ts';
import { type Points } from '../math/points.ts';

/** Which centroid each sample belongs to while the centroids move. */
export interface Assignment {
  /** (n,) */
  readonly assignment: Int32Array;
  /** (n,): to the sample's own centroid, exact in float64 */
  readonly squaredDistances: Float64Array;
  /** (k, d): moved by the caller, who then tells */
  readonly centroids: Float64Array;
  /** Centroid c has moved by `step`. */
  centroidMoved(c: number, step: number): void;
  /** Moves every sample that has a strictly nearer centroid to its nearest one. Returns how many moved. */
  assign(onMove: (i: number, from: number, to: number) => void): number;
}

/**
 * Elkan's bounds: a centroid that has moved by m since its distance to a sample was D is still at least D - m away, and one
 * farther than the sample's own need not be measured. Hamerly's single bound per sample, below all of its others, skips most rows.
 *
 * C. Elkan, "Using the triangle inequality to accelerate k-means", ICML 2003; G. Hamerly, "Making k-means even faster", SDM 2010.
 *
 * Instead of lowering n * k bounds when the centroids move, each is kept as D + (the way its centroid had gone by then). Bounds are
 * shortened by `SLACK`, a million times the rounding in them, so that what they leave out is strictly farther in float64 too.
 */
export function startAssignment(
  points: Points,
  k: number,
  start: { centroids: Float64Array; squaredDistances?: Float64Array },
): Assignment {
  const { values, n, d } = points;
  const centroids = start.centroids.slice();
  const assignment = new Int32Array(n);
  const squaredDistances = new Float64Array(n);
  const bounds = start.squaredDistances?.map((squared) => SLACK * Math.sqrt(squared)) ?? new Float64Array(n * k);
  const rowBounds = new Float64Array(n);
  const way = new Float64Array(k);
  let longestWay = 0;
  let longestStep = 0;
  const stale = new Uint8Array(k);

  for (let i = 0; i < n; i++) {
    let nearest = 0;
    let least = start.squaredDistances?.[i * k] ?? squaredDistance(values, i, centroids, 0, d);
    if (start.squaredDistances)
      for (let c = 1; c < k; c++) {
        const squared = start.squaredDistances[i * k + c]!;
        if (squared >= least) continue;
        nearest = c;
        least = squared;
      }
    assignment[i] = nearest;
    squaredDistances[i] = least;
  }
  return { assignment, squaredDistances, centroids, centroidMoved, assign };

  function centroidMoved(c: number, step: number): void {
    way[c]! += step;
    longestStep = Math.max(longestStep, step);
    stale[c] = 1;
  }

  function assign(onMove: (i: number, from: number, to: number) => void): number {
    longestWay += longestStep;
    longestStep = 0;
    let moved = 0;
    for (let i = 0; i < n; i++) {
      const from = assignment[i]!;
      if (stale[from]) squaredDistances[i] = squaredDistance(values, i, centroids, from, d);
      if (rowBounds[i]! - longestWay > Math.sqrt(squaredDistances[i]!)) continue;
      const to = nearestTo(i, from);
      if (to === from) continue;
      onMove(i, from, to);
      moved++;
    }
    stale.fill(0);
    return moved;
  }

  function nearestTo(i: number, from: number): number {
    let nearest = from;
    let least = squaredDistances[i]!;
    let distance = Math.sqrt(least);
    let others = Infinity;
    for (let c = 0, p = i * k; c < k; c++, p++) {
      if (c === from) continue;
      const bound = bounds[p]! - way[c]!;
      if (bound > distance) {
        if (bound < others) others = bound;
        continue;
      }
      const squared = squaredDistance(values, i, centroids, c, d);
      const measured = Math.sqrt(squared);
      bounds[p] = SLACK * (measured + way[c]!);
      if (squared < least) {
        bounds[i * k + nearest] = SLACK * (distance + way[nearest]!);
        others = Math.min(others, SLACK * distance);
        nearest = c;
        least = squared;
        distance = measured;
      } else others = Math.min(others, SLACK * measured);
    }
    assignment[i] = nearest;
    squaredDistances[i] = least;
    rowBounds[i] = SLACK * (others + longestWay);
    return nearest;
  }
}

const SLACK = 1 - 1e-9;
