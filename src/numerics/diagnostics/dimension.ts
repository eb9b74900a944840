import { throwIfAborted } from '../../base/abort.ts';
import { invalid } from '../../base/errors.ts';
import {
  approximateSquaredDistances,
  errorBound,
  frameOf,
  normalize,
  rowBlock,
  squaredDistance,
} from '../math/distance.ts';
import { normalQuantile } from '../math/normal.ts';
import { assertPoints, type Points } from '../math/points.ts';
import { type MatrixProduct } from '../math/product.ts';
import { type RandomStream } from '../math/random.ts';
import { chosenRows, rowsOf } from '../math/rows.ts';
import { studentQuantile } from '../math/student.ts';
import { mean, sum } from '../math/sum.ts';

/** An estimate with an interval that holds the true value with the confidence asked for, if the model is right. */
export interface Estimate {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

export interface IntrinsicDimension extends Estimate {
  /** points whose two nearest neighbours were used */
  readonly n: number;
}

export interface DimensionOptions {
  readonly product: MatrixProduct;
  /** chooses the points, if there are more than `most` */
  readonly random: RandomStream;
  /** default 2000; time and memory grow with its square */
  readonly most?: number;
  /** default 0.95 */
  readonly confidence?: number;
  readonly signal?: AbortSignal;
}

/**
 * The intrinsic dimension of points by their two nearest neighbours at distances r1 < r2: where the density is even as far as r2,
 * log(r2 / r1) is exponential with the dimension as its rate.
 *
 * Facco, d'Errico, Rodriguez and Laio, "Estimating the intrinsic dimension of datasets by a minimal neighborhood information", 2017.
 * They leave out the largest tenth of the ratios, where the density is least even, and fit a line to the rest; in its place stands the
 * maximum-likelihood estimate for ratios censored in that way. Neighbourhoods share points, so the ratios are not independent (intervals
 * that take them so held the truth in 64 of 100 cases instead of 80): the variance of the score is summed over all pairs of
 * neighbourhoods with a point in common.
 *
 * Points that repeat count as one.
 *
 * @param points (n, d)
 * @returns null where fewer than ten points have neighbours at two distances
 * @throws INVALID_INPUT if a value is not finite; CANCELLED
 */
export async function intrinsicDimension(
  points: Points,
  { product, random, most = 2000, confidence = 0.95, signal }: DimensionOptions,
): Promise<IntrinsicDimension | null> {
  assertPoints(points, 'points');
  const found = await neighbourhoods(rowsOf(points, chosenRows(points.n, most, random)), product, signal);
  const n = found.length;
  const kept = Math.floor(KEPT * n);
  if (kept < 9) return null;
  const limit = found.map(({ logRatio }) => logRatio).sort((a, b) => a - b)[kept - 1]!;
  const times = found.map(({ logRatio }) => Math.min(logRatio, limit));
  const value = kept / sum(times);
  const scores = found.map(({ logRatio }, i) => (logRatio <= limit ? 1 / value : 0) - times[i]!);
  const deviation = (Math.sqrt(varianceOfSum(scores, found)) * value) / kept;
  const factor = Math.exp(normalQuantile((1 + confidence) / 2) * deviation);
  return { value, low: value / factor, high: value * factor, n };
}

/** Of scores with mean 0, where those of neighbourhoods with a common point depend on each other. */
function varianceOfSum(scores: readonly number[], found: readonly Neighbourhood[]): number {
  const having = new Map<number, number[]>();
  found.forEach(({ points }, i) => {
    for (const point of points) having.set(point, [...(having.get(point) ?? []), i]);
  });
  const products = found.map(({ points }, i) => {
    const dependent = new Set(points.flatMap((point) => having.get(point)!));
    return scores[i]! * sum([...dependent].map((j) => scores[j]!));
  });
  return Math.max(sum(products), sum(scores.map((score) => score * score)));
}

interface Neighbourhood {
  /** log(r2 / r1) */
  readonly logRatio: number;
  /** the point and its two neighbours */
  readonly points: readonly [number, number, number];
}

/**
 * The slope of log W2 against log K by ordinary least squares, with the t interval of its residuals. Theory: -1/d for data of
 * dimension d (METHOD: W2 of optimal quantizers falls as K^(-1/d); Graf and Luschgy, "Foundations of quantization", 2000).
 *
 * @param w2 > 0, one for each K; held-out ones, since those of the training data fall faster
 * @throws INVALID_INPUT with fewer than three different K, or values that have no logarithm
 */
export function quantizationRate(ks: readonly number[], w2: readonly number[], confidence = 0.95): Estimate {
  if (ks.length !== w2.length || new Set(ks).size < 3)
    throw invalid(
      `expected a W2 for each of at least three different K, got ${w2.length} for K = ${ks.join(', ')}: measure more`,
    );
  const bad = [...ks, ...w2].find((value) => !(value > 0 && value < Infinity));
  if (bad !== undefined) throw invalid(`expected K and W2 above 0, got ${bad}: leave out what is reproduced exactly`);
  const x = ks.map(Math.log);
  const y = w2.map(Math.log);
  const [centreX, centreY] = [mean(x), mean(y)];
  const spread = sum(x.map((value) => (value - centreX) ** 2));
  const value = sum(x.map((at, i) => (at - centreX) * (y[i]! - centreY))) / spread;
  const residuals = sum(x.map((at, i) => (y[i]! - centreY - value * (at - centreX)) ** 2));
  const degrees = ks.length - 2;
  const margin = studentQuantile((1 + confidence) / 2, degrees) * Math.sqrt(residuals / degrees / spread);
  return { value, low: value - margin, high: value + margin };
}

/** Of every point that has neighbours at two distances and is no repeat. */
async function neighbourhoods(points: Points, product: MatrixProduct, signal?: AbortSignal): Promise<Neighbourhood[]> {
  const normalized = normalize(points.values, points.n, points.d, frameOf(points));
  const scale = normalized.frame.scale ** 2;
  const largest = normalized.norms.reduce((a, b) => Math.max(a, b), 0);
  const found: Neighbourhood[] = [];
  for (let from = 0; from < points.n; from += ROWS_PER_BLOCK) {
    throwIfAborted(signal);
    const rows = rowBlock(normalized, from, Math.min(points.n, from + ROWS_PER_BLOCK));
    const approximate = await approximateSquaredDistances(rows, normalized, product, signal);
    for (let i = 0; i < rows.n; i++) {
      const row = approximate.subarray(i * points.n, (i + 1) * points.n);
      const neighbourhood = twoNearest(points, from + i, row, scale, errorBound(rows.norms[i]!, largest, points.d));
      if (neighbourhood) found.push(neighbourhood);
    }
  }
  return found;
}

/** By exact distances: what the product proposes is measured unless it is certainly farther. Null for a repeat of an earlier point. */
function twoNearest(
  { values, n, d }: Points,
  i: number,
  approximate: Float64Array,
  scale: number,
  bound: number,
): Neighbourhood | null {
  let first = Infinity;
  let second = Infinity;
  let firstPoint = -1;
  let secondPoint = -1;
  for (let j = 0; j < n; j++) {
    if (j === i || approximate[j]! - bound > second * scale) continue;
    const squared = squaredDistance(values, i, values, j, d);
    if (squared === 0 && j < i) return null;
    if (squared === 0 || squared === first || squared >= second) continue;
    if (squared < first) {
      [second, secondPoint] = [first, firstPoint];
      [first, firstPoint] = [squared, j];
    } else [second, secondPoint] = [squared, j];
  }
  return second < Infinity ? { logRatio: Math.log(second / first) / 2, points: [i, firstPoint, secondPoint] } : null;
}

const KEPT = 0.9;
const ROWS_PER_BLOCK = 256;
