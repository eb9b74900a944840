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
import { assertPoints, assertSameDimensions, type Points } from '../math/points.ts';
import { type MatrixProduct } from '../math/product.ts';
import { sum } from '../math/sum.ts';

export interface RefitOptions {
  /** (k,), >= 0, sum to 1: weights to compare with; the energy is not above theirs */
  readonly before?: ArrayLike<number>;
  /** for the distances between samples, of which only the energies know */
  readonly product: MatrixProduct;
  readonly signal?: AbortSignal;
}

export interface RefittedWeights {
  /** (k,), >= 0, sum to 1; codes that do not help have 0 */
  readonly weights: Float64Array;
  /** energy distance between the weighted codes and the samples */
  readonly energy: number;
  /** the same at the weights that were there before, where given */
  readonly energyBefore?: number;
  /** codes that joined those that count, or left them, after the first guess */
  readonly iterations: number;
}

/**
 * Weights for points that are where they are: those that bring the weighted codes nearest to the samples in energy distance,
 *
 *     E(w) = 2 sum_k w_k mean_i |y_k - x_i| - sum_kl w_k w_l |y_k - y_l| - mean_ij |x_i - x_j|
 *
 * over w >= 0, sum w = 1. The decoder does not put an image where its codebook point was; weights that were right for the points are then not right for
 * the re-encoded images. Voronoi masses would ignore that several of them may have moved to one place.
 *
 * E is convex on the simplex, since -|y - x| is conditionally positive definite, and zero only for equal distributions. The last term does not depend
 * on w and is left out of the search: it is summed from a product, in single precision, and takes a product of n^2 d. The rest is k n d and a few
 * times k^3; the weights do not depend on the product. On a busy 2-core machine at n = 5000, d = 256, one thread: 1.7 s at K = 50 and
 * 4.6 s at K = 800, of which the product and its roots are 1.6 s.
 *
 * Szekely and Rizzo, "Energy statistics", 2013; Huling and Mak, "Energy balancing of covariate distributions", 2024; Lawson and Hanson, "Solving
 * least squares problems", 1974, chapter 23.
 *
 * @param codes (k, d): re-encoded images
 * @param samples (n, d)
 * @throws INVALID_INPUT if a shape does not fit or a value is not finite; CANCELLED
 */
export async function refitWeights(
  codes: Points,
  samples: Points,
  { before, product, signal }: RefitOptions,
): Promise<RefittedWeights> {
  assertPoints(codes, 'codes');
  assertPoints(samples, 'samples');
  assertSameDimensions(samples, codes);
  if (before && before.length !== codes.n)
    throw invalid(`expected ${codes.n} weights, got ${before.length}: give one for each code`);
  const toSamples = meanDistances(codes, samples, signal);
  const between = distances(codes);
  const own = await meanOwnDistance(samples, product, signal);
  const unit = unitOf(toSamples);
  const value = (w: ArrayLike<number>) => objective(w, toSamples, between);
  const energy = (w: ArrayLike<number>) => Math.max(0, 2 * value(w) - own);
  const { weights: found, iterations } = simplexMinimum(inUnits(toSamples, unit), inUnits(between, unit), signal);
  // Codes far nearer to each other than to the farthest sample differ by rounding alone.
  const weights = before && value(before) < value(found) ? Float64Array.from(before) : found;
  return { weights, energy: energy(weights), iterations, ...(before && { energyBefore: energy(before) }) };
}

/** The power of two below the largest distance: in such units what is solved does not depend on the scale of the samples. */
function unitOf(distances: Float64Array): number {
  const largest = distances.reduce((most, x) => Math.max(most, x), 0);
  return largest > 0 ? 2 ** Math.floor(Math.log2(largest)) : 1;
}

function inUnits(distances: Float64Array, unit: number): Float64Array {
  return distances.map((x) => x / unit);
}

/** b.w - w.D w / 2 */
function objective(w: ArrayLike<number>, b: Float64Array, between: Float64Array): number {
  const k = b.length;
  let total = 0;
  for (let a = 0; a < k; a++) {
    let inner = 0;
    for (let c = 0; c < k; c++) inner += between[a * k + c]! * w[c]!;
    total += w[a]! * (b[a]! - inner / 2);
  }
  return total;
}

/**
 * The minimum of b.w - w.D w / 2 over the simplex, D conditionally negative definite. From a stationary point on some of the codes, the code whose
 * gradient is least joins those that count, and one whose weight would fall below zero leaves them.
 */
function simplexMinimum(
  b: Float64Array,
  between: Float64Array,
  signal?: AbortSignal,
): { weights: Float64Array; iterations: number } {
  const k = b.length;
  const scale = b.reduce((most, x) => Math.max(most, x), 0) || 1;
  const { weights, active } = likelyActive(b, between, signal);
  let iterations = 0;
  for (; iterations < 10 * k + 10; iterations++) {
    throwIfAborted(signal);
    const gradient = Array.from(
      b,
      (x, a) => x - active.reduce((total, c) => total + between[a * k + c]! * weights[c]!, 0),
    );
    const level = active.reduce((total, c) => total + weights[c]! * gradient[c]!, 0);
    let next = -1;
    for (let a = 0; a < k; a++)
      if (!active.includes(a) && gradient[a]! < level - 1e-12 * scale && (next < 0 || gradient[a]! < gradient[next]!))
        next = a;
    if (next < 0) break;
    active.push(next);
    for (;;) {
      const wanted = stationary(active, b, between);
      if (wanted === null) {
        // The new code lies on another one.
        active.pop();
        b = b.map((x, a) => (a === next ? Infinity : x));
        break;
      }
      let step = 1;
      active.forEach((c, at) => {
        if (wanted[at]! < 0) step = Math.min(step, weights[c]! / (weights[c]! - wanted[at]!));
      });
      active.forEach((c, at) => (weights[c] = Math.max(0, weights[c]! + step * (wanted[at]! - weights[c]!))));
      if (step === 1) break;
      for (let at = active.length - 1; at >= 0; at--)
        if (weights[active[at]!]! <= 1e-15) {
          weights[active[at]!] = 0;
          active.splice(at, 1);
        }
    }
  }
  const total = sum(weights);
  return { weights: weights.map((w) => w / total), iterations };
}

/**
 * Where the search begins: most codes help, so all of them that differ are taken, and those whose weight comes out below zero left out until none does.
 * At K = 800 that is 3 solutions where one code after the other were 738. If they cannot be solved for: the best single code.
 */
function likelyActive(
  b: Float64Array,
  between: Float64Array,
  signal?: AbortSignal,
): { weights: Float64Array; active: number[] } {
  const k = b.length;
  const weights = new Float64Array(k);
  let active = Array.from(b.keys()).filter((a) => !between.subarray(a * k, a * k + a).includes(0));
  for (;;) {
    throwIfAborted(signal);
    const found = stationary(active, b, between);
    if (found === null) break;
    const helpful = active.filter((_, at) => found[at]! > 0);
    if (helpful.length === active.length) {
      active.forEach((c, at) => (weights[c] = found[at]!));
      return { weights, active };
    }
    active = helpful;
  }
  const first = b.indexOf(Math.min(...b));
  weights[first] = 1;
  return { weights, active: [first] };
}

/** Where b.w - w.D w / 2 is stationary over the active weights with sum 1: D w + level = b, by Gauss with pivots. Null if singular. */
function stationary(active: readonly number[], b: Float64Array, between: Float64Array): Float64Array | null {
  const k = b.length;
  const m = active.length;
  const size = m + 1;
  const rows = Array.from({ length: size }, (_, r) =>
    Float64Array.from({ length: size + 1 }, (__, c) => {
      if (r === m) return c === m ? 0 : 1;
      if (c === size) return b[active[r]!]!;
      return c === m ? 1 : between[active[r]! * k + active[c]!]!;
    }),
  );
  const largest = rows.reduce((most, row) => row.subarray(0, m).reduce((x, y) => Math.max(x, Math.abs(y)), most), 0);
  for (let p = 0; p < size; p++) {
    let pivot = p;
    for (let r = p + 1; r < size; r++) if (Math.abs(rows[r]![p]!) > Math.abs(rows[pivot]![p]!)) pivot = r;
    if (!(Math.abs(rows[pivot]![p]!) > 1e-13 * Math.min(1, largest))) return null;
    [rows[p], rows[pivot]] = [rows[pivot]!, rows[p]!];
    for (let r = 0; r < size; r++) {
      if (r === p) continue;
      const factor = rows[r]![p]! / rows[p]![p]!;
      if (factor !== 0) for (let c = p; c <= size; c++) rows[r]![c]! -= factor * rows[p]![c]!;
    }
  }
  return Float64Array.from({ length: m }, (_, at) => rows[at]![size]! / rows[at]![at]!);
}

function meanDistances(codes: Points, samples: Points, signal?: AbortSignal): Float64Array {
  const out = new Float64Array(codes.n);
  for (let k = 0; k < codes.n; k++) {
    throwIfAborted(signal);
    for (let i = 0; i < samples.n; i++)
      out[k]! += Math.sqrt(squaredDistance(codes.values, k, samples.values, i, codes.d)) / samples.n;
  }
  return out;
}

function distances({ values, n, d }: Points): Float64Array {
  const out = new Float64Array(n * n);
  for (let a = 0; a < n; a++)
    for (let c = 0; c < a; c++) out[a * n + c] = out[c * n + a] = Math.sqrt(squaredDistance(values, a, values, c, d));
  return out;
}

/** mean_ij |x_i - x_j|, by one product in blocks of rows. */
async function meanOwnDistance(samples: Points, product: MatrixProduct, signal?: AbortSignal): Promise<number> {
  const { values, n, d } = samples;
  const frame = frameOf(samples);
  const all = normalize(values, n, d, frame);
  const means = new Float64Array(n);
  const step = Math.max(1, Math.floor(ENTRIES_PER_BLOCK / n));
  for (let from = 0; from < n; from += step) {
    throwIfAborted(signal);
    const to = Math.min(n, from + step);
    const block = rowBlock(all, from, to);
    const squared = await approximateSquaredDistances(block, all, product, signal);
    for (let i = from; i < to; i++) {
      for (let j = 0, p = (i - from) * n; j < n; j++, p++) means[i]! += j === i ? 0 : distance(i, j, squared[p]!);
      means[i]! /= n;
    }
  }
  return sum(means) / n / frame.scale;

  /** In the frame. Samples that are close beside the product's error are measured. */
  function distance(i: number, j: number, squared: number): number {
    return squared > CLOSE * errorBound(all.norms[i]!, all.norms[j]!, d)
      ? Math.sqrt(squared)
      : Math.sqrt(squaredDistance(values, i, values, j, d)) * frame.scale;
  }
}

const CLOSE = 128;

/** 48 MiB with the product. */
const ENTRIES_PER_BLOCK = 2 ** 22;
