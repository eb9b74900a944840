import { PushforwardError } from '../../base/errors.ts';
import { assertPoints, type Points } from '../math/points.ts';

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
  /** (n,): squared norms of the samples as they were */
  readonly sampleNorms: Float64Array;
}

export const ROW_NORM = 2 ** 12;

/** The norm of a row before rounding, which may add half of sqrt(d), such that it is `ROW_NORM` at most after it. */
export function roomIn(d: number): number {
  return ROW_NORM - Math.ceil(Math.sqrt(d) / 2);
}

/** Added to a number below 2^51 and taken away again, it leaves the nearest whole number. */
export const TO_WHOLE = 1.5 * 2 ** 52;

/**
 * Moves samples to the origin, scales and rounds them. Rounding moves a sample by d / 12 in squared norm on average: at d = 4096
 * by 2e-5 of the largest.
 *
 * Outliers are four times as far out as 99% of the samples. Neither the origin nor the scale heeds them; their own grid is
 * coarser, and one farther than 2^20 is drawn nearer, so that sums of cells do not round either.
 *
 * The origin is the mean of a few hundred samples, which is near enough, so that the samples are read twice.
 *
 * @param points (n, d), of checked shape
 * @throws INVALID_INPUT if a value is not finite, with its index
 */
export function rounded(points: Points): Rounded {
  const { values, n, d } = points;
  const { origin, distances, sampleNorms, limit } = centred(points);
  let largest = 0;
  for (const distance of distances) if (distance <= limit && distance > largest) largest = distance;
  const room = roomIn(d);
  const scale = largest > 0 ? room / largest : 1;

  const out = new Float32Array(n * d);
  const norms = new Float64Array(n);
  for (let i = 0, p = 0; i < n; i++) {
    const factor = distances[i]! * scale > FARTHEST ? FARTHEST / distances[i]! : scale;
    const unit = 2 ** Math.max(0, Math.ceil(Math.log2((distances[i]! * factor) / room)));
    const inUnits = factor / unit;
    let norm = 0;
    for (let j = 0; j < d; j++, p++) {
      const x = ((values[p]! - origin[j]!) * inUnits + TO_WHOLE - TO_WHOLE) * unit;
      out[p] = x;
      norm += x * x;
    }
    norms[i] = norm;
  }
  return { values: out, n, d, norms, origin, scale, sampleNorms };
}

/** Whether a sample is on a coarser grid than the others. */
export function hasOutliers({ norms }: Rounded): boolean {
  return norms.some((norm) => norm > ROW_NORM * ROW_NORM);
}

interface Centred extends Measured {
  readonly origin: Float64Array;
  readonly limit: number;
}

function centred(points: Points): Centred {
  let origin = meanOf(points);
  let measured = distancesFrom(origin, points);
  if (!measured.distances.every(Number.isFinite)) assertPoints(points, 'points');
  let limit = ordinaryLimit(measured.distances);
  for (let turn = 0; turn < RECENTRINGS && measured.distances.some((distance) => distance > limit); turn++) {
    const outlying = measured.distances.map((distance) => Number(distance > limit));
    origin = meanOf(points, outlying);
    measured = distancesFrom(origin, points);
    limit = ordinaryLimit(measured.distances);
  }
  return { ...measured, origin, limit };
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

const FARTHEST = 2 ** 20;

/** An outlier hides a nearer one behind the mean that it has moved. */
const RECENTRINGS = 4;

/** Samples that the origin is the mean of. */
const CENTRED = 256;

function ordinaryLimit(distances: Float64Array): number {
  const sorted = distances.slice().sort();
  const within = sorted[Math.max(0, Math.min(sorted.length - 2, Math.ceil(0.99 * sorted.length) - 1))]!;
  return within > 0 ? 4 * within : Infinity;
}

function meanOf({ values, n, d }: Points, leftOut?: Float64Array): Float64Array {
  const out = new Float64Array(d);
  let count = 0;
  for (let i = 0, stride = Math.max(1, Math.floor(n / CENTRED)); i < n; i += stride) {
    if (leftOut?.[i]) continue;
    count++;
    for (let j = 0, p = i * d; j < d; j++, p++) out[j]! += values[p]!;
  }
  if (count > 0) for (let j = 0; j < d; j++) out[j]! /= count;
  return out;
}

interface Measured {
  /** (n,): to the origin */
  readonly distances: Float64Array;
  /** (n,) */
  readonly sampleNorms: Float64Array;
}

function distancesFrom(origin: Float64Array, { values, n, d }: Points): Measured {
  const distances = new Float64Array(n);
  const sampleNorms = new Float64Array(n);
  for (let i = 0, p = 0; i < n; i++) {
    let squared = 0;
    let norm = 0;
    for (let j = 0; j < d; j++, p++) {
      const x = values[p]!;
      const difference = x - origin[j]!;
      squared += difference * difference;
      norm += x * x;
    }
    distances[i] = Math.sqrt(squared);
    sampleNorms[i] = norm;
  }
  return { distances, sampleNorms };
}
