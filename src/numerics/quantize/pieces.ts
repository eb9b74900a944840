import { type MatrixProduct } from '../math/product.ts';
import { roomIn, type Rounded } from './rounded.ts';

/**
 * Dot products of all samples with rows such as centroids. A row has more bits than a float32 product keeps, so it goes in
 * pieces: rows of whole numbers that add up to it, each times its unit, whose products are exact (rounded.ts). Two reach a 2^8th of the
 * grid's unit.
 *
 * @param rows (k, d), on the grid of the samples, in whole units of `finest`; left as they are
 * @returns (n, k)
 */
export async function exactDots(
  { values, n, d }: Rounded,
  rows: Float64Array,
  k: number,
  product: MatrixProduct,
  { finest, signal }: { finest: number; signal?: AbortSignal },
): Promise<Float64Array<ArrayBuffer>> {
  const pieces: Pieces[] = [];
  for (let rest = rows, exact = false; !exact;) {
    const piece = piecesOf(rest, k, d, finest);
    pieces.push(piece);
    rest = piece.rest;
    exact = rest.every((x) => x === 0);
  }
  const columns = pieces.length * k;
  const right = new Float32Array(columns * d);
  pieces.forEach(({ whole }, p) => right.set(whole, p * k * d));
  const products = await product(values, right, { m: n, k: d, n: columns, transposeB: true }, signal);
  const dots = new Float64Array(n * k);
  pieces.forEach(({ units }, p) => {
    for (let i = 0, q = 0; i < n; i++)
      for (let c = 0, from = i * columns + p * k; c < k; c++, q++) dots[q]! += units[c]! * products[from + c]!;
  });
  return dots;
}

/** The leading bits of all rows. */
interface Pieces {
  /** (k,): powers of two */
  readonly units: Float64Array;
  /** (k, d): whole numbers, of norm up to `ROW_NORM` a row */
  readonly whole: Float32Array;
  /** (k, d): what they leave */
  readonly rest: Float64Array;
}

function piecesOf(rows: Float64Array, k: number, d: number, finest: number): Pieces {
  const units = new Float64Array(k);
  const whole = new Float32Array(k * d);
  const rest = new Float64Array(k * d);
  const room = roomIn(d);
  for (let c = 0; c < k; c++) {
    let squared = 0;
    for (let p = c * d; p < (c + 1) * d; p++) squared += rows[p]! * rows[p]!;
    const unit = squared > 0 ? Math.max(finest, 2 ** Math.ceil(Math.log2(Math.sqrt(squared) / room))) : finest;
    units[c] = unit;
    for (let p = c * d; p < (c + 1) * d; p++) {
      whole[p] = Math.round(rows[p]! / unit);
      rest[p] = rows[p]! - whole[p]! * unit;
    }
  }
  return { units, whole, rest };
}
