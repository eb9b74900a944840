import fc from 'fast-check';
import { type Points } from '../../src/numerics/math/points.ts';
import { plainProduct, type MatrixProduct } from '../../src/numerics/math/product.ts';
import { randomStream } from '../../src/numerics/math/random.ts';

export const product = plainProduct;

/** Correlated samples around a few modes of uneven mass. */
export function cloud(n: number, d: number, seed = 1, modes = 4): Points {
  const stream = randomStream({ seed, classIndex: 0, purpose: 'test cloud' });
  const values = stream.normals(n * d);
  const centres = stream.normals(modes * d, n * d);
  for (let i = 0; i < n; i++) {
    const mode = Math.floor(stream.uniform((n + modes) * d + i) ** 2 * modes);
    for (let j = 0; j < d; j++)
      values[i * d + j] = (values[i * d + j]! + 2 * centres[mode * d + j]!) / Math.sqrt(j + 1);
  }
  return { values, n, d };
}

export function pointsOf(rows: readonly (readonly number[])[]): Points {
  return { values: Float32Array.from(rows.flat()), n: rows.length, d: rows[0]!.length };
}

/** Small point sets on a coarse grid, so that ties and duplicates are common; at any power of two. */
export const gridPoints = fc
  .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 14 }), fc.integer({ min: -60, max: 60 }))
  .chain(([d, n, power]) =>
    fc
      .array(fc.array(fc.integer({ min: -4, max: 4 }), { minLength: d, maxLength: d }), { minLength: n, maxLength: n })
      .map((rows) => pointsOf(rows.map((row) => row.map((x) => x * 2 ** power)))),
  );

/** The squared distance, straight from its definition. */
export function squared(a: Points, i: number, b: Points, k: number): number {
  let total = 0;
  for (let j = 0; j < a.d; j++) total += (a.values[i * a.d + j]! - b.values[k * b.d + j]!) ** 2;
  return total;
}

/** A product of the least precision that the contract allows: float32 throughout, summed from the far end. */
export const roughProduct: MatrixProduct = async (a, b, { m, k, n, transposeB = false }) => {
  const out = new Float32Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++) {
      let total = 0;
      for (let l = k - 1; l >= 0; l--)
        total = Math.fround(total + Math.fround(a[i * k + l]! * b[transposeB ? j * k + l : l * n + j]!));
      out[i * n + j] = total;
    }
  return out;
};

export function bytes(values: Float32Array | Float64Array | Int32Array): string {
  return Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString('hex');
}
