import { invalid } from '../../base/errors.ts';

/**
 * Refuses NaN and infinities, naming the first index.
 *
 * @param values flat, row-major
 * @param what a plural noun for the message, such as `latents`
 * @param rowLength when given, the message also names row and column
 * @throws INVALID_INPUT
 */
export function assertFinite(values: ArrayLike<number>, what: string, rowLength?: number): void {
  for (let i = 0; i < values.length; i++)
    if (!Number.isFinite(values[i])) throw nonFinite(values[i]!, i, what, rowLength);
}

function nonFinite(value: number, index: number, what: string, rowLength?: number) {
  const row = rowLength === undefined ? undefined : Math.floor(index / rowLength);
  const where = row === undefined ? `index ${index}` : `index ${index} (row ${row}, column ${index % rowLength!})`;
  return invalid(`expected finite ${what}, got ${value} at ${where}: drop or repair that row`, { index, row, value });
}
