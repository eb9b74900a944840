import { type Points } from './points.ts';
import { type RandomStream } from './random.ts';

/**
 * Which `count` of n rows a stream chooses: those with the smallest counted random numbers, in ascending order. All, if there are no more.
 *
 * @param random number i belongs to row i
 */
export function chosenRows(n: number, count: number, random: RandomStream): Int32Array {
  const rows = Int32Array.from({ length: n }, (_, i) => i);
  if (count >= n) return rows;
  const keys = Float64Array.from(rows, (i) => random.uniform(i));
  return rows
    .sort((a, b) => keys[a]! - keys[b]! || a - b)
    .slice(0, count)
    .sort((a, b) => a - b);
}

/** (rows, d): a copy of these rows */
export function rowsOf({ values, d }: Points, rows: ArrayLike<number>): Points {
  const out = new Float32Array(rows.length * d);
  for (let at = 0; at < rows.length; at++) out.set(values.subarray(rows[at]! * d, (rows[at]! + 1) * d), at * d);
  return { values: out, n: rows.length, d };
}
