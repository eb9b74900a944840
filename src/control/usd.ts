import { invalid } from '../base/errors.ts';

const MOST_USD = 1e9;

/** @throws INVALID_INPUT for what is no amount */
export function checkUsd(value: number, path: readonly string[]): number {
  if (value >= 0 && value <= MOST_USD) return value;
  throw invalid(
    `expected ${path.join('.')} of 0 to ${MOST_USD} US dollars, got ${value}: change it, or leave it out for any`,
    { path },
  );
}
