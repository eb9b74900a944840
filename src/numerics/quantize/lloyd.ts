import { throwIfAborted } from '../../base/abort.ts';
import { squaredDistance } from '../math/distance.ts';
import { type Points } from '../math/points.ts';
import { mean } from '../math/sum.ts';
import { startAssignment, type Assignment, type Start } from './assignment.ts';
import { emptyCells, join, leave, moveToMean, varianceBetween, type Cells } from './cells.ts';

export interface LloydOptions {
  readonly maxIterations: number;
  readonly signal?: AbortSignal;
  /** Awaited once per iteration. */
  readonly onIteration?: (iteration: number, distortion: number) => void | Promise<void>;
}

export interface LloydResult {
  /** (k, d): each the mean of its cell, bar empty ones */
  readonly centroids: Float64Array;
  /** (n,) */
  readonly assignment: Int32Array;
  /** mean squared distance of the samples to the centroids of their cells, in float64 from the differences */
  readonly distortion: number;
  /** the same after each iteration, as total variance less variance between cells: never rises by more than 1e-12 of the total */
  readonly distortions: readonly number[];
  /** no sample moved in the last iteration */
  readonly converged: boolean;
}

/**
 * Lloyd's algorithm over the full batch: every sample to its nearest centroid, every centroid to the mean of its cell, until no
 * sample moves. A sample moves only to a strictly nearer centroid.
 *
 * S. P. Lloyd, "Least squares quantization in PCM", 1982. The centroids are byte for byte those of measuring every distance in
 * float64; bounds only leave out distances that cannot matter (see assignment.ts).
 *
 * @param points (n, d), checked by the caller
 */
export async function lloyd(points: Points, k: number, start: Start, options: LloydOptions): Promise<LloydResult> {
  const cells = emptyCells(k, points.d);
  const state = startAssignment(points, k, start);
  for (let i = 0; i < points.n; i++) join(cells, points, i, state.assignment[i]!);
  const total = totalVariance(points);
  const distortions: number[] = [];
  let converged = false;

  for (let iteration = 1; iteration <= options.maxIterations && !converged; iteration++) {
    throwIfAborted(options.signal);
    let moved = state.assign((i, from, to) => moveSample(cells, points, i, from, to));
    moved += repairEmptyCells(points, state, cells);
    const movedCentroids = moveCentroids(state, cells, points.d);
    converged = moved === 0 && movedCentroids === 0;
    const distortion = Math.max(0, total.variance - varianceBetween(cells, state.centroids, total.mean));
    distortions.push(distortion);
    await options.onIteration?.(iteration, distortion);
  }
  const { centroids, assignment } = state;
  const distortion = mean(ownSquaredDistances(points, state));
  return { centroids, assignment, distortion, distortions, converged };
}

function moveCentroids(state: Assignment, cells: Cells, d: number): number {
  let moved = 0;
  for (let c = 0; c < cells.counts.length; c++) {
    if (!cells.changed[c]) continue;
    const step = moveToMean(cells, c, state.centroids, d);
    state.centroidMoved(c, step);
    if (step > 0) moved++;
  }
  return moved;
}

function moveSample(cells: Cells, points: Points, i: number, from: number, to: number): void {
  leave(cells, points, i, from);
  join(cells, points, i, to);
}

/**
 * Moves each empty cell's centroid onto the sample farthest from its own, out of cells that keep another sample. This lowers the
 * distortion by that sample's share. Where every sample lies on its centroid nothing is left to gain and the cell stays empty.
 *
 * @returns how many samples moved
 */
function repairEmptyCells(points: Points, state: Assignment, cells: Cells): number {
  const empty = Array.from(cells.counts.keys()).filter((c) => cells.counts[c] === 0);
  if (empty.length === 0) return 0;
  const { values, d } = points;
  const { assignment, centroids } = state;
  const distances = ownSquaredDistances(points, state);
  const farthestFirst = Array.from(distances.keys())
    .filter((i) => distances[i]! > 0)
    .sort((a, b) => distances[b]! - distances[a]! || a - b);
  let moved = 0;
  for (const i of farthestFirst) {
    if (moved === empty.length) break;
    if (cells.counts[assignment[i]!] === 1) continue;
    const c = empty[moved++]!;
    moveSample(cells, points, i, assignment[i]!, c);
    state.centroidMoved(c, Math.sqrt(squaredDistance(values, i, centroids, c, d)));
    centroids.set(values.subarray(i * d, (i + 1) * d), c * d);
    assignment[i] = c;
  }
  return moved;
}

function ownSquaredDistances({ values, n, d }: Points, { assignment, centroids }: Assignment): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => squaredDistance(values, i, centroids, assignment[i]!, d));
}

function totalVariance(points: Points): { mean: Float64Array; variance: number } {
  const { values, n, d } = points;
  const all = emptyCells(1, d);
  for (let i = 0; i < n; i++) join(all, points, i, 0);
  const centre = new Float64Array(d);
  moveToMean(all, 0, centre, d);
  return {
    mean: centre,
    variance: mean(Float64Array.from({ length: n }, (_, i) => squaredDistance(values, i, centre, 0, d))),
  };
}
