import { type Points } from './points.ts';
import { type RandomStream } from './random.ts';

/** @returns (rows.length, d): a copy of these rows, in the order given */
export function rowsOf({ values, d }: Points, rows: Int32Array): Points {
  const picked = new Float32Array(rows.length * d);
  rows.forEach((row, at) => picked.set(values.subarray(row * d, (row + 1) * d), at * d));
  return { values: picked, n: rows.length, d };
}

/**
 * A random choice without repetition: the rows with the smallest counted random numbers.
 *
 * @returns (min(count, n),) rising
 */
export function chosenRows(n: number, count: number, random: RandomStream): Int32Array {
  const keys = Float64Array.from({ length: n }, (_, i) => random.uniform(i));
  const order = Int32Array.from(keys.keys()).sort((a, b) => keys[a]! - keys[b]! || a - b);
  return order.slice(0, count).sort();
}
