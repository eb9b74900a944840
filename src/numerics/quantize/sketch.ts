import { type MatrixProduct } from '../math/product.ts';
import { type RandomStream } from '../math/random.ts';
import { hasOutliers, ROW_NORM, rounded, roomIn, TO_WHOLE, type Rounded } from './rounded.ts';

/** Samples in the few directions that hold most of their variance, on a grid of their own. */
export interface Sketch extends Rounded {
  /** mean squared distance that the other directions add, in squared units of the samples: what no partition of the sketch can see */
  readonly leftOut: number;
}

/**
 * Projects samples onto about their leading principal directions, so that a search costs `RANK` per distance instead of d.
 *
 * With X the samples and S random signs, the rows of (X S)^T X span them nearly: a randomized range finder with one power of X^T X. N. Halko,
 * P. Martinsson and J. Tropp, "Finding structure with randomness", SIAM Review 2011, algorithm 4.3. Projection contracts distances, and the best
 * partition of the projected samples is near the best one: M. Cohen et al., "Dimensionality reduction for k-means clustering and low rank
 * approximation", STOC 2015.
 *
 * Costs three products of 2 n d RANK operations. Between them factors are rounded such that each is exact (rounded.ts): the sketch does not depend on who multiplies.
 *
 * @returns null where it would not pay: few dimensions or samples, or outliers, which may lie in directions of their own
 */
export async function sketchOf(
  samples: Rounded,
  random: RandomStream,
  product: MatrixProduct,
  signal?: AbortSignal,
): Promise<Sketch | null> {
  const { values, n, d, norms, scale } = samples;
  if (d < 2 * RANK || n < 2 * RANK || hasOutliers(samples)) return null;
  const { rows, m } = learnedFrom(samples);
  const seen = await product(rows, signs(d * RANK, random), { m, k: d, n: RANK }, signal);
  const combinations = await product(wholeColumns(seen, m), rows, { m: RANK, k: m, n: d }, signal);
  const basis = await orthonormal(combinations, d, product, signal);
  const r = basis.length / d;
  if (r === 0) return null;
  const coordinates = await product(values, basis, { m: n, k: d, n: r, transposeB: true }, signal);
  const sketch = rounded({ values: coordinates, n, d: r });
  const unit = roomIn(d) * scale;
  let held = 0;
  for (const x of coordinates) held += x * x;
  const total = norms.reduce((a, b) => a + b, 0) / scale ** 2;
  return { ...sketch, scale: sketch.scale * unit, leftOut: Math.max(0, (total - held / unit ** 2) / n) };
}

/** Directions of a sketch. */
const RANK = 32;

/** Evenly spread, all of them where they are few. */
function learnedFrom({ values, n, d }: Rounded): { rows: Float32Array; m: number } {
  if (n <= LEARNED_FROM) return { rows: values, m: n };
  const rows = new Float32Array(LEARNED_FROM * d);
  for (let row = 0; row < LEARNED_FROM; row++) {
    const i = Math.floor((row * n) / LEARNED_FROM);
    rows.set(values.subarray(i * d, (i + 1) * d), row * d);
  }
  return { rows, m: LEARNED_FROM };
}

const LEARNED_FROM = 2048;

/** 48 from one random number. */
function signs(count: number, random: RandomStream): Float32Array {
  const out = new Float32Array(count);
  for (let p = 0; p < count;) {
    let bits = random.uniform(p);
    for (const end = Math.min(count, p + 48); p < end; p++) {
      bits *= 2;
      out[p] = bits >= 1 ? 1 : -1;
      if (bits >= 1) bits -= 1;
    }
  }
  return out;
}

/**
 * @param columns (m, RANK)
 * @returns (RANK, m): of a norm that, times that of a column of m samples, is 2^24 at most
 */
function wholeColumns(columns: Float32Array, m: number): Float32Array {
  const out = new Float32Array(columns.length);
  const room = 2 ** 24 / (ROW_NORM * Math.sqrt(m)) - Math.sqrt(m) / 2;
  for (let a = 0; a < RANK; a++) {
    let squared = 0;
    for (let p = a; p < columns.length; p += RANK) squared += columns[p]! * columns[p]!;
    const factor = squared > 0 ? room / Math.sqrt(squared) : 0;
    for (let i = 0, p = a; i < m; i++, p += RANK) out[a * m + i] = columns[p]! * factor + TO_WHOLE - TO_WHOLE;
  }
  return out;
}

/**
 * By Cholesky's factor of the Gram matrix, which is exact; rows that are nearly combinations of others are left out.
 *
 * @param rows (RANK, d)
 * @returns (r, d): whole numbers, each row of norm `roomIn(d)` but for rounding
 */
async function orthonormal(
  rows: Float32Array,
  d: number,
  product: MatrixProduct,
  signal?: AbortSignal,
): Promise<Float32Array> {
  const whole = wholeRows(rows, d);
  const gram = await product(whole, whole, { m: RANK, k: d, n: RANK, transposeB: true }, signal);
  const basis = Float64Array.from(whole);
  const factor = new Float64Array(RANK * RANK);
  const kept: number[] = [];
  for (let a = 0; a < RANK; a++) {
    let pivot = gram[a * RANK + a]!;
    for (const b of kept) {
      let entry = gram[a * RANK + b]!;
      for (const c of kept) entry -= c < b ? factor[a * RANK + c]! * factor[b * RANK + c]! : 0;
      entry /= factor[b * RANK + b]!;
      factor[a * RANK + b] = entry;
      pivot -= entry * entry;
    }
    if (!(pivot > INDEPENDENT * gram[a * RANK + a]!)) continue;
    factor[a * RANK + a] = Math.sqrt(pivot);
    for (const b of kept) subtract(basis, a * d, factor[a * RANK + b]!, b * d, d);
    for (let j = 0; j < d; j++) basis[a * d + j]! /= factor[a * RANK + a]!;
    kept.push(a);
  }
  const out = new Float32Array(kept.length * d);
  const room = roomIn(d);
  kept.forEach((a, r) => {
    for (let j = 0; j < d; j++) out[r * d + j] = basis[a * d + j]! * room + TO_WHOLE - TO_WHOLE;
  });
  return out;
}

/** Least share of a row that is in none of the rows before it, squared. */
const INDEPENDENT = 1e-4;

function subtract(rows: Float64Array, at: number, factor: number, from: number, d: number): void {
  for (let j = 0, p = at, q = from; j < d; j++, p++, q++) rows[p]! -= factor * rows[q]!;
}

/** Each to a norm of `roomIn(d)`, rounded. */
function wholeRows(rows: Float32Array, d: number): Float32Array {
  const out = new Float32Array(rows.length);
  const room = roomIn(d);
  for (let from = 0; from < rows.length; from += d) {
    let squared = 0;
    for (let p = from; p < from + d; p++) squared += rows[p]! * rows[p]!;
    const factor = squared > 0 ? room / Math.sqrt(squared) : 0;
    for (let p = from; p < from + d; p++) out[p] = rows[p]! * factor + TO_WHOLE - TO_WHOLE;
  }
  return out;
}
