import { throwIfAborted } from '../../base/abort.ts';
import { invalid } from '../../base/errors.ts';

/** a is (m, k); b is (k, n), or (n, k) with `transposeB`; the product is (m, n). All flat, row-major. */
export interface ProductShape {
  readonly m: number;
  readonly k: number;
  readonly n: number;
  readonly transposeB?: boolean;
}

/**
 * A matrix product that is handed in: this plain one, or a runtime's on CPU or GPU.
 *
 * Contract: every entry is within k * 2^-24 of the exact one, relative to the norms of its row of a and of its column of b.
 * Float32 with any order of summation keeps it; TF32 and half precision do not. What is computed from a product in this
 * folder is checked in float64 where it decides, so two products that keep the contract lead to the same assignments.
 *
 * `out`, (m, n), may be overwritten and returned instead of a new array: a loop that asks for many products spares the collector their memory.
 *
 * Such a product of whole numbers is exact where |a_i| |b_j| <= 2^24: no partial sum, in whatever order, needs more than
 * float32's 24 bits (Cauchy and Schwarz). quantize/rounded.ts builds on that.
 */
export type MatrixProduct = (
  a: Float32Array,
  b: Float32Array,
  shape: ProductShape,
  signal?: AbortSignal,
  out?: Float32Array,
) => Promise<Float32Array>;

/**
 * The product in plain JavaScript, summed in float64: for tests and for small sizes. An entry's bytes do not depend on m and n.
 *
 * @throws INVALID_INPUT if a length does not fit the shape; CANCELLED between blocks of rows
 */
export const plainProduct: MatrixProduct = async (a, b, shape, signal, into) => {
  const { m, k, n, transposeB = false } = shape;
  if (a.length !== m * k || b.length !== k * n)
    throw invalid(`expected ${m * k} and ${k * n} values, got ${a.length} and ${b.length}: the shape is another`, {
      shape,
    });
  const columns = transposeB ? b : transposed(b, k, n);
  const out = into ?? new Float32Array(m * n);
  for (let from = 0; from < m; from += ROWS_PER_BLOCK) {
    throwIfAborted(signal);
    multiplyRows(a, columns, out, from, Math.min(m, from + ROWS_PER_BLOCK), k, n);
  }
  return out;
};

const ROWS_PER_BLOCK = 256;

/** Two by two entries at a time: eight loads of memory become four. b is (n, k). */
function multiplyRows(
  a: Float32Array,
  b: Float32Array,
  out: Float32Array,
  from: number,
  to: number,
  k: number,
  n: number,
) {
  for (let i = from; i < to; i += 2) {
    const a0 = i * k;
    const a1 = i + 1 < to ? a0 + k : a0;
    for (let j = 0; j < n; j += 2) {
      const b0 = j * k;
      const b1 = j + 1 < n ? b0 + k : b0;
      let s00 = 0;
      let s01 = 0;
      let s10 = 0;
      let s11 = 0;
      for (let l = 0; l < k; l++) {
        const x0 = a[a0 + l]!;
        const x1 = a[a1 + l]!;
        const y0 = b[b0 + l]!;
        const y1 = b[b1 + l]!;
        s00 += x0 * y0;
        s01 += x0 * y1;
        s10 += x1 * y0;
        s11 += x1 * y1;
      }
      out[i * n + j] = s00;
      if (b1 !== b0) out[i * n + j + 1] = s01;
      if (a1 !== a0) {
        out[(i + 1) * n + j] = s10;
        if (b1 !== b0) out[(i + 1) * n + j + 1] = s11;
      }
    }
  }
}

function transposed(b: Float32Array, k: number, n: number): Float32Array {
  const out = new Float32Array(n * k);
  for (let l = 0; l < k; l++) for (let j = 0; j < n; j++) out[j * k + l] = b[l * n + j]!;
  return out;
}
