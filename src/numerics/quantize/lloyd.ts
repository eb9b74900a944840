import { throwIfAborted } from '../../base/abort.ts';
import { squaredDistance } from '../math/distance.ts';
import { type Points } from '../math/points.ts';
import { mean } from '../math/sum.ts';
import { startAssignment, type Assignment } from './assignment.ts';
import { emptyCells, join, leave, moveToMean, type Cells } from './cells.ts';

export interface LloydStart {
  /** (k, d) */
  readonly centroids: Float64Array;
  /** (n, k), exact, where the start has them already */
  readonly squaredDistances?: Float64Array;
}

export interface LloydOptions {
  readonly maxIterations: number;
  readonly signal?: AbortSignal;
  /** Awaited once per iteration. */
  readonly onIteration?: (iteration: number, distortion: number) => void | Promise<void>;
}

export interface LloydResult {
  /** (k, d): each the mean of its cell if converged */
  readonly centroids: Float64Array;
  /** (n,) */
  readonly assignment: Int32Array;
  /** after each iteration's assignment; never rises */
  readonly distortions: readonly number[];
  /** no sample moved in the last iteration */
  readonly converged: boolean;
}

/**
 * Lloyd's algorithm over the full batch: every sample to its nearest centroid, every centroid to the mean of its cell, until no
 * sample moves. A sample moves only to a strictly nearer centroid.
 *
 * S. P. Lloyd, "Least squares quantization in PCM", 1982. The result is byte for byte that of computing every distance in
 * float64; bounds only leave out distances that cannot matter (see assignment.ts).
 *
 * @param points (n, d), checked by the caller
 */
export async function lloyd(points: Points, k: number, start: LloydStart, options: LloydOptions): Promise<LloydResult> {
  const { n, d } = points;
  const cells = emptyCells(k, d);
  const state = startAssignment(points, k, start);
  for (let i = 0; i < n; i++) join(cells, points, i, state.assignment[i]!);
  const distortions: number[] = [];
  let converged = false;

  for (let iteration = 1; iteration <= options.maxIterations && !converged; iteration++) {
    throwIfAborted(options.signal);
    let moved = state.assign((i, from, to) => moveSample(cells, points, i, from, to));
    moved += repairEmptyCells(points, state, cells);
    const distortion = mean(state.squaredDistances);
    distortions.push(distortion);
    await options.onIteration?.(iteration, distortion);
    converged = moved === 0 && iteration > 1;
    for (let c = 0; c < k; c++) if (cells.changed[c]) state.centroidMoved(c, moveToMean(cells, c, state.centroids, d));
  }
  return { centroids: state.centroids, assignment: state.assignment, distortions, converged };
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
  const { assignment, squaredDistances, centroids } = state;
  const { n, d, values } = points;
  let moved = 0;
  for (let c = 0; c < cells.counts.length; c++) {
    if (cells.counts[c] !== 0) continue;
    let farthest = -1;
    let most = 0;
    for (let i = 0; i < n; i++) {
      if (squaredDistances[i]! <= most || cells.counts[assignment[i]!] === 1) continue;
      farthest = i;
      most = squaredDistances[i]!;
    }
    if (farthest < 0) continue;
    moveSample(cells, points, farthest, assignment[farthest]!, c);
    const step = Math.sqrt(squaredDistance(values, farthest, centroids, c, d));
    centroids.set(values.subarray(farthest * d, (farthest + 1) * d), c * d);
    assignment[farthest] = c;
    squaredDistances[farthest] = 0;
    state.centroidMoved(c, step);
    moved++;
  }
  return moved;
}
