import { squaredDistance } from '../math/distance.ts';
import { type Points } from '../math/points.ts';

/** Where centroids begin, and what is known of distances to them. */
export interface Start {
  /** (k, d) */
  readonly centroids: Float64Array;
  /** (n,): a first cell for each sample; without it all begin in cell 0 */
  readonly nearest?: Int32Array;
  /** (n, k): distances, or less; without it nothing is known */
  readonly lowerBounds?: Float64Array;
}

/** Which centroid each sample belongs to while the centroids move. */
export interface Assignment {
  /** (n,): a sample may be assigned by the caller to a centroid that was moved onto it, from farther than all its bounds */
  readonly assignment: Int32Array;
  /** (k, d): moved by the caller, who then tells */
  readonly centroids: Float64Array;
  /** Centroid c has moved by `step`. */
  centroidMoved(c: number, step: number): void;
  /** Moves every sample that has a strictly nearer centroid to its nearest one. Returns how many moved. */
  assign(onMove: (i: number, from: number, to: number) => void): number;
}

/**
 * Elkan's bounds: a centroid that has moved by m since its distance to a sample was D is at least D - m and at most D + m away.
 * One that is certainly farther than the sample's own need not be measured. Hamerly's single bound per sample, below the
 * distances to all others, skips most samples whole.
 *
 * C. Elkan, "Using the triangle inequality to accelerate k-means", ICML 2003; G. Hamerly, "Making k-means even faster", SDM 2010.
 *
 * Instead of lowering n * k bounds when the centroids move, each is kept as D + (the way its centroid had gone by then). Bounds are
 * shortened by `SLACK`, a million times the rounding in them, so that what they leave out is strictly farther in float64 too.
 */
export function startAssignment(points: Points, k: number, start: Start): Assignment {
  const { values, n, d } = points;
  const centroids = start.centroids.slice();
  const assignment = start.nearest?.slice() ?? new Int32Array(n);
  const lower = start.lowerBounds?.map((distance) => SLACK * distance) ?? new Float64Array(n * k);
  const lowerOfOthers = new Float64Array(n);
  const upper = new Float64Array(n).fill(Infinity);
  const way = new Float64Array(k);
  const steps = new Float64Array(k);
  let longestWay = 0;
  return { assignment, centroids, centroidMoved, assign };

  function centroidMoved(c: number, step: number): void {
    way[c]! += step;
    steps[c]! += step;
  }

  function assign(onMove: (i: number, from: number, to: number) => void): number {
    longestWay += steps.reduce((a, b) => Math.max(a, b), 0);
    let moved = 0;
    for (let i = 0; i < n; i++) {
      const from = assignment[i]!;
      const others = lowerOfOthers[i]! - longestWay;
      upper[i]! += steps[from]!;
      if (others > upper[i]!) continue;
      const to = nearestTo(i, from);
      if (to === from) continue;
      onMove(i, from, to);
      moved++;
    }
    steps.fill(0);
    return moved;
  }

  /** The sample's own centroid is measured only once another may be nearer. */
  function nearestTo(i: number, from: number): number {
    let nearest = from;
    let distance = upper[i]!;
    let least = NaN;
    let others = Infinity;
    for (let c = 0, p = i * k; c < k; c++, p++) {
      if (c === from) continue;
      const bound = lower[p]! - way[c]!;
      if (bound <= distance && Number.isNaN(least)) {
        least = squaredDistance(values, i, centroids, from, d);
        distance = Math.sqrt(least);
      }
      if (bound > distance) {
        if (bound < others) others = bound;
        continue;
      }
      const squared = squaredDistance(values, i, centroids, c, d);
      const measured = Math.sqrt(squared);
      lower[p] = SLACK * (measured + way[c]!);
      if (squared < least) {
        lower[i * k + nearest] = SLACK * (distance + way[nearest]!);
        others = Math.min(others, SLACK * distance);
        nearest = c;
        least = squared;
        distance = measured;
      } else others = Math.min(others, SLACK * measured);
    }
    assignment[i] = nearest;
    upper[i] = distance;
    lowerOfOthers[i] = SLACK * (others + longestWay);
    return nearest;
  }
}

const SLACK = 1 - 1e-9;
