import { squaredDistance } from '../math/distance.ts';
import { type Points } from '../math/points.ts';
import { startBounds } from './bounds.ts';

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
  /** (n,): may be changed by the caller */
  readonly assignment: Int32Array;
  /** (k, d): moved by the caller, who then tells */
  readonly centroids: Float64Array;
  /** Centroid c has moved by `step`. */
  centroidMoved(c: number, step: number): void;
  /** Moves every sample that has a strictly nearer centroid to its nearest one. Returns how many moved. */
  assign(onMove: (i: number, from: number, to: number) => void): number;
}

/** Bounds leave out the distances that cannot matter (bounds.ts); the others are measured in float64 from the differences. */
export function startAssignment(points: Points, k: number, start: Start): Assignment {
  const { values, n, d } = points;
  const centroids = start.centroids.slice();
  const assignment = start.nearest?.slice() ?? new Int32Array(n);
  const bounds = startBounds(n, k, start.lowerBounds);
  const steps = new Float64Array(k);
  const distance = (i: number, c: number) => squaredDistance(values, i, centroids, c, d);
  const rule = { joining: new Float64Array(k).fill(1), leaving: new Float64Array(k).fill(1) };
  return { assignment, centroids, centroidMoved, assign };

  function centroidMoved(c: number, step: number): void {
    steps[c]! += step;
  }

  function assign(onMove: (i: number, from: number, to: number) => void): number {
    bounds.meansMoved(steps, rule);
    steps.fill(0);
    let moved = 0;
    for (const i of bounds.doubtful(assignment, rule, distance).rows) {
      const from = assignment[i]!;
      const to = bounds.decide(i, from, rule, distance);
      if (to === from) continue;
      assignment[i] = to;
      onMove(i, from, to);
      moved++;
    }
    return moved;
  }
}
