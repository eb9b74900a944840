import { PushforwardError } from '../../base/errors.ts';
import { type Points } from '../math/points.ts';

/**
 * Samples on a grid of whole numbers, on which a search decides exactly. A row is a power of two, 1 but for outliers, times whole numbers
 * of norm up to `ROW_NORM`. By Cauchy and Schwarz no partial sum of a dot product of two rows needs more than float32's 24 bits, in any order of
 * summation: every float32 product gives the same one, and float64 sums of them do not round.
 */
export interface Rounded {
  /** (n, d) */
  readonly values: Float32Array;
  readonly n: number;
  readonly d: number;
  /** (n,): squared norms */
  readonly norms: Float64Array;
  /** (d,): where the grid has zero, in the samples' coordinates */
  readonly origin: Float64Array;
  /** units of the grid in one unit of the samples; an outlier may be drawn nearer */
  readonly scale: number;
}

export const ROW_NORM = 2 ** 12;

/**
 * Moves samples to the origin, scales and rounds them. Rounding moves a sample by d / 12 in squared norm on average: at d = 4096
 * by 2e-5 of the largest.
 *
 * Outliers are four times as far out as 99% of the samples. Neither the origin nor the scale heeds them; their own grid is
 * coarser, and one farther than 2^20 is drawn nearer, so that sums of cells do not round either.
 *
 * @param points (n, d), checked by the caller
 */
export function rounded(points: Points): Rounded {
  const { values, n, d } = points;
  const { origin, distances, limit } = centred(points);
  let largest = 0;
  for (const distance of distances) if (distance <= limit && distance > largest) largest = distance;
  // Rounding may add half of sqrt(d) to a norm.
  const room = ROW_NORM - Math.ceil(Math.sqrt(d) / 2);
  const scale = largest > 0 ? room / largest : 1;

  const out = new Float32Array(n * d);
  const norms = new Float64Array(n);
  for (let i = 0, p = 0; i < n; i++) {
    const factor = distances[i]! * scale > FARTHEST ? FARTHEST / distances[i]! : scale;
    const unit = 2 ** Math.max(0, Math.ceil(Math.log2((distances[i]! * factor) / room)));
    const inUnits = factor / unit;
    let norm = 0;
    for (let j = 0; j < d; j++, p++) {
      const x = ((values[p]! - origin[j]!) * inUnits + ROUND - ROUND) * unit;
      out[p] = x;
      norm += x * x;
    }
    norms[i] = norm;
  }
  return { values: out, n, d, norms, origin, scale };
}

function centred(points: Points): { origin: Float64Array; distances: Float64Array; limit: number } {
  let origin = meanOf(points);
  let distances = distancesFrom(origin, points);
  let limit = ordinaryLimit(distances);
  for (let turn = 0; turn < RECENTRINGS && distances.some((distance) => distance > limit); turn++) {
    const outlying = distances.map((distance) => Number(distance > limit));
    origin = meanOf(points, outlying);
    distances = distancesFrom(origin, points);
    limit = ordinaryLimit(distances);
  }
  return { origin, distances, limit };
}

/**
 * Refuses a product of a sample with itself that is not its squared norm: half precision, TF32 and what is not finite show there.
 *
 * @throws NON_FINITE
 */
export function assertExact(received: number, norms: Float64Array, i: number): void {
  const expected = norms[i]!;
  if (received === expected) return;
  throw new PushforwardError(
    'NON_FINITE',
    `expected a product of whole numbers that gives ${expected} for sample ${i} with itself, got ${received}: ` +
      'the runtime must multiply in float32',
    { sample: i },
  );
}

/** Added and taken away again it leaves the nearest whole number. */
const ROUND = 1.5 * 2 ** 52;

const FARTHEST = 2 ** 20;

/** An outlier hides a nearer one behind the mean that it has moved. */
const RECENTRINGS = 4;

function ordinaryLimit(distances: Float64Array): number {
  const sorted = distances.slice().sort();
  const within = sorted[Math.max(0, Math.min(sorted.length - 2, Math.ceil(0.99 * sorted.length) - 1))]!;
  return within > 0 ? 4 * within : Infinity;
}

function meanOf({ values, n, d }: Points, leftOut?: Float64Array): Float64Array {
  const out = new Float64Array(d);
  let count = 0;
  for (let i = 0; i < n; i++) {
    if (leftOut?.[i]) continue;
    count++;
    for (let j = 0, p = i * d; j < d; j++, p++) out[j]! += values[p]!;
  }
  for (let j = 0; j < d; j++) out[j]! /= count;
  return out;
}

function distancesFrom(origin: Float64Array, { values, n, d }: Points): Float64Array {
  const out = new Float64Array(n);
  for (let i = 0, p = 0; i < n; i++) {
    let squared = 0;
    for (let j = 0; j < d; j++, p++) {
      const x = values[p]! - origin[j]!;
      squared += x * x;
    }
    out[i] = Math.sqrt(squared);
  }
  return out;
}
