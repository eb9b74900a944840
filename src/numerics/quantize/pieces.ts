import { type MatrixProduct } from '../math/product.ts';
import { ROW_NORM, type Rounded } from './rounded.ts';

/**
 * Dot products of rows, such as sums of cells or centroids, with all samples. A row has more bits than a float32 product keeps, so it goes in
 * pieces: rows of whole numbers that add up to it, each times its unit, whose products are exact (rounded.ts). Two do for the sum of a few hundred
 * samples.
 *
 * @param rows (k, d), on the grid of the samples; left as they are
 * @param finest the unit below which bits are dropped: 1 drops none of a sum of samples
 * @returns (k, n)
 */
export async function exactDots(
  { values, n, d }: Rounded,
  rows: Float64Array,
  k: number,
  product: MatrixProduct,
  { finest, signal }: { finest: number; signal?: AbortSignal },
): Promise<Float64Array<ArrayBuffer>> {
  const pieces = piecesOf(rows, k, d, finest);
  const left = new Float32Array(pieces.length * d);
  pieces.forEach(({ whole }, p) => left.set(whole, p * d));
  const products = await product(left, values, { m: pieces.length, k: d, n, transposeB: true }, signal);
  const dots = new Float64Array(k * n);
  pieces.forEach(({ row, unit }, piece) => {
    for (let i = 0, p = piece * n, q = row * n; i < n; i++, p++, q++) dots[q]! += unit * products[p]!;
  });
  return dots;
}

interface Piece {
  readonly row: number;
  readonly unit: number;
  /** (d,): whole numbers of norm up to `ROW_NORM` */
  readonly whole: Float32Array;
}

function piecesOf(rows: Float64Array, k: number, d: number, finest: number): Piece[] {
  const pieces: Piece[] = [];
  const room = ROW_NORM - Math.ceil(Math.sqrt(d) / 2);
  for (let row = 0; row < k; row++) {
    const rest = rows.slice(row * d, (row + 1) * d);
    let norm = normOf(rest);
    for (let unit = Infinity; norm > 0 && unit > finest;) {
      unit = Math.max(finest, 2 ** Math.ceil(Math.log2(norm / room)));
      const whole = new Float32Array(d);
      for (let j = 0; j < d; j++) {
        whole[j] = Math.round(rest[j]! / unit);
        rest[j]! -= whole[j]! * unit;
      }
      pieces.push({ row, unit, whole });
      norm = normOf(rest);
    }
  }
  return pieces;
}

function normOf(row: Float64Array): number {
  let squared = 0;
  for (const x of row) squared += x * x;
  return Math.sqrt(squared);
}
