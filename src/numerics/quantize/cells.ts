import { type Points } from '../math/points.ts';

/**
 * The samples' sum and number per cell, kept while samples move. Each sum is two float64 numbers, the second of which holds
 * what rounding took from the first: a distant sample that leaves a cell leaves no trace in its mean.
 */
export interface Cells {
  /** (k, d) */
  readonly sums: Float64Array;
  /** (k, d) */
  readonly lost: Float64Array;
  /** (k,) */
  readonly counts: Int32Array;
  /** (k,): 1 where a sample joined or left since the mean was last taken */
  readonly changed: Uint8Array;
}

export function emptyCells(k: number, d: number): Cells {
  return {
    sums: new Float64Array(k * d),
    lost: new Float64Array(k * d),
    counts: new Int32Array(k),
    changed: new Uint8Array(k),
  };
}

export function join(cells: Cells, points: Points, i: number, cell: number): void {
  add(cells, points, i, cell, 1);
}

export function leave(cells: Cells, points: Points, i: number, cell: number): void {
  add(cells, points, i, cell, -1);
}

/**
 * Moves a cell's centroid to the mean of its samples. An empty cell's stays.
 *
 * @param centroids (k, d), changed in place
 * @returns how far it moved
 */
export function moveToMean(cells: Cells, cell: number, centroids: Float64Array, d: number): number {
  const { sums, lost, counts, changed } = cells;
  const count = counts[cell]!;
  changed[cell] = 0;
  if (count === 0) return 0;
  let squared = 0;
  for (let p = cell * d, end = p + d; p < end; p++) {
    const mean = (sums[p]! + lost[p]!) / count;
    const step = mean - centroids[p]!;
    centroids[p] = mean;
    squared += step * step;
  }
  return Math.sqrt(squared);
}

/** The mean over samples of the squared distance between the mean of their cell and `centre` (d,). */
export function varianceBetween({ counts }: Cells, centroids: Float64Array, centre: Float64Array): number {
  const d = centre.length;
  let total = 0;
  let samples = 0;
  counts.forEach((count, c) => {
    if (count === 0) return;
    let squared = 0;
    for (let j = 0; j < d; j++) squared += (centroids[c * d + j]! - centre[j]!) ** 2;
    total += count * squared;
    samples += count;
  });
  return total / samples;
}

/** D. Knuth's exact sum of two numbers, per coordinate. */
function add(
  { sums, lost, counts, changed }: Cells,
  { values, d }: Points,
  i: number,
  cell: number,
  sign: 1 | -1,
): void {
  for (let j = 0, p = i * d, q = cell * d; j < d; j++, p++, q++) {
    const x = sign * values[p]!;
    const before = sums[q]!;
    const after = before + x;
    const added = after - before;
    sums[q] = after;
    lost[q]! += before - (after - added) + (x - added);
  }
  counts[cell]! += sign;
  changed[cell] = 1;
}
