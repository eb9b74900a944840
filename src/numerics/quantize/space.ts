import { type MatrixProduct } from '../math/product.ts';
import { assertExact, roomIn, TO_WHOLE, type Rounded } from './rounded.ts';

/** Where a search takes place: samples on a grid, and what multiplies them. Products there are exact, whoever multiplies (rounded.ts). */
export interface Space extends Rounded {
  readonly product: MatrixProduct;
  /** At least so many numbers, until the next call: where products go, which are read before the next one. */
  readonly room: (length: number) => Float32Array;
}

export function spaceOf(samples: Rounded, product: MatrixProduct): Space {
  let memory = new Float32Array();
  const room = (length: number) => {
    if (memory.length < length) memory = new Float32Array(length);
    return memory.subarray(0, length);
  };
  return { ...samples, product, room };
}

/**
 * Dot products of some samples with all.
 *
 * @returns (t, n), exact; until the next product in the space
 * @throws NON_FINITE if the product does not multiply in float32
 */
export async function dotsWith(
  { values, n, d, norms, product, room }: Space,
  some: readonly number[],
  signal?: AbortSignal,
): Promise<Float32Array> {
  const left = new Float32Array(some.length * d);
  some.forEach((i, row) => left.set(values.subarray(i * d, (i + 1) * d), row * d));
  const shape = { m: some.length, k: d, n, transposeB: true };
  const dots = await product(left, values, shape, signal, room(some.length * n));
  some.forEach((i, row) => assertExact(dots[row * n + i]!, norms, i));
  return dots;
}

/** Means of cells, moved to the nearest points of the grid. */
export interface RoundedMeans {
  /** (n, k): their dot products with the samples, exact; until the next product in the space */
  readonly dots: Float32Array;
  /** (k,): their squared norms */
  readonly norms: Float64Array;
}

/**
 * By one product. Rounding moves a mean by d / 12 in squared norm on average, like a sample.
 *
 * @param sums (k, d): of the samples of each cell
 * @param counts (k,): of an empty cell the mean is the origin
 */
export async function roundedMeans(
  { values, n, d, product, room: memory }: Space,
  sums: Float64Array,
  counts: Int32Array,
  signal?: AbortSignal,
): Promise<RoundedMeans> {
  const k = counts.length;
  const means = new Float32Array(k * d);
  const norms = new Float64Array(k);
  const room = roomIn(d);
  for (let c = 0; c < k; c++) {
    const from = c * d;
    const end = from + d;
    let squared = 0;
    for (let p = from; p < end; p++) squared += sums[p]! * sums[p]!;
    if (squared === 0) continue;
    const count = counts[c]!;
    // A mean of outliers is as coarse as they are.
    const unit = 2 ** Math.max(0, Math.ceil(Math.log2(Math.sqrt(squared) / count / room)));
    const inUnits = 1 / (count * unit);
    let norm = 0;
    for (let p = from; p < end; p++) {
      const x = (sums[p]! * inUnits + TO_WHOLE - TO_WHOLE) * unit;
      means[p] = x;
      norm += x * x;
    }
    norms[c] = norm;
  }
  const shape = { m: n, k: d, n: k, transposeB: true };
  return { dots: await product(values, means, shape, signal, memory(n * k)), norms };
}

/** The dot product of two rows in float64: exact for whole numbers as long as it is below 2^53. */
export function rowDot(a: Float32Array | Float64Array, i: number, b: Float64Array, k: number, d: number): number {
  let p = i * d;
  let q = k * d;
  const end = p + d;
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (; p + 3 < end; p += 4, q += 4) {
    s0 += a[p]! * b[q]!;
    s1 += a[p + 1]! * b[q + 1]!;
    s2 += a[p + 2]! * b[q + 2]!;
    s3 += a[p + 3]! * b[q + 3]!;
  }
  for (; p < end; p++, q++) s0 += a[p]! * b[q]!;
  return s0 + s1 + (s2 + s3);
}
