import { throwIfAborted } from '../../base/abort.ts';
import { invalid } from '../../base/errors.ts';
import { squaredDistance } from '../math/distance.ts';
import { assertPoints, assertSameDimensions, type Points } from '../math/points.ts';

export interface RefittedWeights {
  /** (k,), >= 0, sum to 1; codes that do not help have 0 */
  readonly weights: Float64Array;
  /** energy distance between the weighted codes and the samples */
  readonly energy: number;
  /** the same at the weights that were there before, where given */
  readonly energyBefore?: number;
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
 * on w; it costs n^2 d and is left out of the search. Exact by an active set in at most a few times k steps of k^3.
 *
 * Szekely and Rizzo, "Energy statistics", 2013; Huling and Mak, "Energy balancing of covariate distributions", 2024; Lawson and Hanson, "Solving
 * least squares problems", 1974, chapter 23.
 *
 * @param codes (k, d): re-encoded images
 * @param samples (n, d)
 * @param before (k,): weights to compare with
 * @throws INVALID_INPUT if a shape does not fit or a value is not finite; CANCELLED
 */
export function refitWeights(
  codes: Points,
  samples: Points,
  { before, signal }: { before?: ArrayLike<number>; signal?: AbortSignal } = {},
): RefittedWeights {
  assertPoints(codes, 'codes');
  assertPoints(samples, 'samples');
  assertSameDimensions(samples, codes);
  if (before && before.length !== codes.n)
    throw invalid(`expected ${codes.n} weights, got ${before.length}: give one for each code`);
  const toSamples = meanDistances(codes, samples, signal);
  const between = distances(codes);
  const { weights, iterations } = simplexMinimum(toSamples, between);
  const own = meanOwnDistance(samples, signal);
  const energy = (w: ArrayLike<number>) => Math.max(0, 2 * objective(w, toSamples, between) - own);
  return { weights, energy: energy(weights), iterations, ...(before && { energyBefore: energy(before) }) };
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
 * The minimum of b.w - w.D w / 2 over the simplex, D conditionally negative definite. Starts at the best single code; the code whose
 * gradient is least joins those that count, and one whose weight would fall below zero leaves them.
 */
function simplexMinimum(b: Float64Array, between: Float64Array): { weights: Float64Array; iterations: number } {
  const k = b.length;
  const scale = b.reduce((most, x) => Math.max(most, x), 0) || 1;
  const weights = new Float64Array(k);
  const first = b.indexOf(Math.min(...b));
  weights[first] = 1;
  const active = [first];
  let iterations = 0;
  for (; iterations < 10 * k + 10; iterations++) {
    const gradient = Array.from(b, (x, a) => x - active.reduce((sum, c) => sum + between[a * k + c]! * weights[c]!, 0));
    const level = active.reduce((sum, c) => sum + weights[c]! * gradient[c]!, 0);
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
  const total = weights.reduce((a, c) => a + c, 0);
  return { weights: weights.map((w) => w / total), iterations };
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

function meanOwnDistance({ values, n, d }: Points, signal?: AbortSignal): number {
  let total = 0;
  for (let i = 0; i < n; i++) {
    throwIfAborted(signal);
    let row = 0;
    for (let j = 0; j < i; j++) row += Math.sqrt(squaredDistance(values, i, values, j, d));
    total += (2 * row) / n / n;
  }
  return total;
}
