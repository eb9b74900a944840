import { throwIfAborted } from '../../base/abort.ts';
import { assertPoints, type Points } from './points.ts';
import { type MatrixProduct } from './product.ts';
import { sum } from './sum.ts';

/** Coordinates that distances are measured between: samples are float32, means of samples float64. */
export type Coordinates = Float32Array | Float64Array;

/**
 * The squared distance between row i of a and row k of b, summed in float64 from the differences: relative error about
 * d * 1e-16 at any scale and offset. The order of summation is fixed, so that equal rows give equal bytes.
 */
export function squaredDistance(a: Float32Array, i: number, b: Coordinates, k: number, d: number): number {
  let p = i * d;
  let q = k * d;
  const end = p + d;
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  for (; p + 7 < end; p += 8, q += 8) {
    const x0 = a[p]! - b[q]!;
    const x1 = a[p + 1]! - b[q + 1]!;
    const x2 = a[p + 2]! - b[q + 2]!;
    const x3 = a[p + 3]! - b[q + 3]!;
    const x4 = a[p + 4]! - b[q + 4]!;
    const x5 = a[p + 5]! - b[q + 5]!;
    const x6 = a[p + 6]! - b[q + 6]!;
    const x7 = a[p + 7]! - b[q + 7]!;
    s0 += x0 * x0 + x4 * x4;
    s1 += x1 * x1 + x5 * x5;
    s2 += x2 * x2 + x6 * x6;
    s3 += x3 * x3 + x7 * x7;
  }
  for (; p < end; p++, q++) {
    const x = a[p]! - b[q]!;
    s0 += x * x;
  }
  return s0 + s1 + (s2 + s3);
}

/**
 * All of them, from the differences: n k d operations of one thread.
 *
 * @param centroids (k, d)
 * @returns (n, k)
 * @throws CANCELLED
 */
export function squaredDistances(
  { values, n, d }: Points,
  centroids: Coordinates,
  k: number,
  signal?: AbortSignal,
): Float64Array {
  const out = new Float64Array(n * k);
  for (let i = 0, p = 0; i < n; i++) {
    if (i % 256 === 0) throwIfAborted(signal);
    for (let c = 0; c < k; c++, p++) out[p] = squaredDistance(values, i, centroids, c, d);
  }
  return out;
}

/** (n,): squared norms in float64, which cannot overflow: those of points that are not finite are not finite either. */
export function squaredNorms({ values, n, d }: Points): Float64Array {
  const norms = new Float64Array(n);
  for (let i = 0, p = 0; i < n; i++) {
    let even = 0;
    let odd = 0;
    const end = p + d;
    for (; p + 1 < end; p += 2) {
      even += values[p]! * values[p]!;
      odd += values[p + 1]! * values[p + 1]!;
    }
    if (p < end) even += values[p]! * values[p++]!;
    norms[i] = even + odd;
  }
  return norms;
}

/**
 * The squared norms, which show whether all values are finite.
 *
 * @throws INVALID_INPUT naming the first value that is not
 */
export function finiteNorms(points: Points, what: string): Float64Array {
  const norms = squaredNorms(points);
  if (!norms.every(Number.isFinite)) assertPoints(points, what);
  return norms;
}

/** Points moved to the origin and scaled by a power of two to at most 1, so that a float32 product neither cancels nor overflows. */
export interface Normalized {
  readonly values: Float32Array;
  readonly n: number;
  readonly d: number;
  /** (n,): squared norms */
  readonly norms: Float64Array;
  readonly frame: Frame;
}

export interface Frame {
  /** (d,) */
  readonly origin: Float64Array;
  readonly scale: number;
  /** the origin is zero, the scale one */
  readonly asTheyAre?: boolean;
}

/** The frame of a cloud: its mean, and the power of two above its largest deviation. */
export function frameOf({ values, n, d }: Points): Frame {
  const origin = new Float64Array(d);
  for (let i = 0, p = 0; i < n; i++) for (let j = 0; j < d; j++) origin[j]! += values[p++]!;
  for (let j = 0; j < d; j++) origin[j]! /= n;
  let largest = 0;
  for (let i = 0, p = 0; i < n; i++)
    for (let j = 0; j < d; j++) largest = Math.max(largest, Math.abs(values[p++]! - origin[j]!));
  return { origin, scale: largest > 0 ? 2 ** -Math.ceil(Math.log2(largest)) : 1 };
}

/**
 * The frame of a cloud for products; points near the origin, of a size that float32 products neither overflow nor lose, are taken as they
 * are: to move them takes three passes over them, 13 of the 20 ms for W2 at n = 1300, d = 4096, K = 10.
 *
 * @param norms (n,): squared norms; without them a few points speak for all, and a product may overflow
 */
export function frameFor(points: Points, norms?: Float64Array): Frame {
  const { values, n, d } = points;
  const stride = Math.ceil(n / LOOKED_AT);
  const count = Math.ceil(n / stride);
  const mean = new Float64Array(d);
  const some = new Float64Array(count);
  for (let row = 0; row < count; row++)
    for (let j = 0, p = row * stride * d; j < d; j++, p++) {
      mean[j]! += values[p]! / count;
      some[row]! += values[p]! * values[p]!;
    }
  const size = sum(norms ?? some) / (norms ?? some).length;
  const largest = (norms ?? some).reduce((a, b) => Math.max(a, b), 0);
  let offset = 0;
  for (const x of mean) offset += x * x;
  const fit = size > 2 ** -40 && largest < 2 ** 60 && offset <= size / 2;
  return fit ? { origin: new Float64Array(d), scale: 1, asTheyAre: true } : frameOf(points);
}

/** Samples whose mean says where the origin lies. */
const LOOKED_AT = 64;

/** @param norms (n,): squared norms, where they are known */
export function inFrame({ values, n, d }: Points, frame: Frame, norms?: Float64Array): Normalized {
  return frame.asTheyAre && norms ? { values, n, d, norms, frame } : normalize(values, n, d, frame);
}

export function normalize(values: Coordinates, n: number, d: number, frame: Frame): Normalized {
  const { origin, scale } = frame;
  const out = new Float32Array(n * d);
  const norms = new Float64Array(n);
  for (let i = 0, p = 0; i < n; i++) {
    let norm = 0;
    for (let j = 0; j < d; j++, p++) {
      const x = (out[p] = (values[p]! - origin[j]!) * scale);
      norm += x * x;
    }
    norms[i] = norm;
  }
  return { values: out, n, d, norms, frame };
}

/** The rows `from` to `to` of normalized points, in the same memory. */
export function rowBlock({ values, norms, d, frame }: Normalized, from: number, to: number): Normalized {
  return { values: values.subarray(from * d, to * d), norms: norms.subarray(from, to), n: to - from, d, frame };
}

/**
 * Squared distances in the frame by |x|^2 - 2 x.c + |c|^2 with one matrix product.
 *
 * @returns (n, k), each within `errorBound` of the exact one, possibly below zero
 */
export async function approximateSquaredDistances(
  points: Normalized,
  centroids: Normalized,
  product: MatrixProduct,
  signal?: AbortSignal,
): Promise<Float64Array> {
  const { n, d } = points;
  const k = centroids.n;
  const dots = await product(points.values, centroids.values, { m: n, k: d, n: k, transposeB: true }, signal);
  const out = new Float64Array(n * k);
  for (let i = 0, p = 0; i < n; i++)
    for (let c = 0; c < k; c++, p++) out[p] = points.norms[i]! - 2 * dots[p]! + centroids.norms[c]!;
  return out;
}

/**
 * How far an approximate squared distance in the frame can be from the exact one: rounding of the two rows to float32, and the
 * product's contract. With u = 2^-24, (d / 2) u (|x| + |c|)^2 covers the product and 4 u (|x| + |c|)^2 the rows; the constant
 * covers products too small for float32.
 */
export function errorBound(pointNorm: number, centroidNorm: number, d: number): number {
  const sum = Math.sqrt(pointNorm) + Math.sqrt(centroidNorm);
  return (d / 2 + 4) * 2 ** -24 * sum * sum + 1e-30;
}
