import { invalid } from '../../base/errors.ts';
import { sum } from '../math/sum.ts';

/**
 * Masses scaled to sum to 1.
 *
 * @param what a plural noun for messages, such as `demands`
 * @param whose what each belongs to, such as `sink`
 * @throws INVALID_INPUT if there are not `count` or they are no distribution
 */
export function asDistribution(masses: Float64Array, count: number, what: string, whose: string): Float64Array {
  if (masses.length !== count)
    throw invalid(`expected ${count} ${what}, got ${masses.length}: give one for each ${whose}`);
  const negative = masses.findIndex((mass) => !(mass >= 0));
  if (negative >= 0)
    throw invalid(`expected ${what} >= 0, got ${masses[negative]} at index ${negative}: repair it`, {
      index: negative,
    });
  const total = sum(masses);
  if (!(Math.abs(total - 1) <= 1e-6)) throw invalid(`expected ${what} that sum to 1, got ${total}: divide by the sum`);
  return masses.map((mass) => mass / total);
}

/** Integers near share * total that sum to total exactly; what rounding leaves over goes to the largest remainders, and none to zeros. */
export function inUnits(shares: Float64Array, total: number): Float64Array {
  const exact = shares.map((share) => share * total);
  const units = exact.map(Math.floor);
  let left = total - sum(units);
  if (left === 0) return units;
  const largestFirst = Array.from(units.keys()).sort(
    (a, b) => exact[b]! - units[b]! - (exact[a]! - units[a]!) || a - b,
  );
  for (let turn = 0; left !== 0; turn = (turn + 1) % units.length) {
    const c = largestFirst[turn]!;
    if (units[c]! === 0 && (left < 0 || shares[c] === 0)) continue;
    units[c]! += Math.sign(left);
    left -= Math.sign(left);
  }
  return units;
}

/** Shares that are whole samples, up to rounding, as counts; null where some sample has to be split. */
export function wholeSamples(shares: Float64Array, n: number): Float64Array | null {
  const counts = shares.map((share) => Math.round(share * n));
  const whole = shares.every((share, c) => Math.abs(share * n - counts[c]!) < 1e-9);
  return whole && sum(counts) === n ? counts : null;
}
