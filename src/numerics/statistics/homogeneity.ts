import { chiSquareTail } from '../math/gamma.ts';

export interface HomogeneityTest {
  readonly statistic: number;
  /** Groups of cells, less one. */
  readonly degrees: number;
  readonly pValue: number;
}

/** Counts that chance alone would give a group in either sample: below that, chi-square is not what the statistic follows. */
const EXPECTED = 5;

/**
 * Whether two samples fall into the same cells with the same probabilities: Pearson's chi-square of the two rows of counts. Both are samples:
 * the masses of a codebook are estimates themselves, and to test new counts against them as if they were exact alarms far too often.
 *
 * Cells in which fewer than five of either sample are expected are pooled, the rarest with the next. Totals alone decide about that, and chance
 * leaves them as they are, so that it makes no alarm more likely.
 *
 * @param first (k,)
 * @param second (k,)
 * @returns null where either is empty, or all that there is fits into one group
 */
export function homogeneityTest(first: ArrayLike<number>, second: ArrayLike<number>): HomogeneityTest | null {
  const [m, n] = [total(first), total(second)];
  if (m === 0 || n === 0) return null;
  const share = Math.min(m, n) / (m + n);
  const groups: [number, number][] = [];
  let open: [number, number] = [0, 0];
  for (const cell of byTotal(first, second)) {
    open = [open[0] + first[cell]!, open[1] + second[cell]!];
    if (share * (open[0] + open[1]) < EXPECTED) continue;
    groups.push(open);
    open = [0, 0];
  }
  const last = groups.at(-1);
  if (!last || groups.length < 2) return null;
  // Only the heaviest cells come last, so nothing is left unless all of them together are too few.
  last[0] += open[0];
  last[1] += open[1];
  let statistic = 0;
  for (const [a, b] of groups) statistic += ((a * n - b * m) ** 2 / (a + b)) * (1 / (m * n));
  const degrees = groups.length - 1;
  return { statistic, degrees, pValue: chiSquareTail(statistic, degrees) };
}

function byTotal(first: ArrayLike<number>, second: ArrayLike<number>): number[] {
  const totals = Array.from(first, (count, cell) => count + second[cell]!);
  return [...totals.keys()].filter((cell) => totals[cell]! > 0).sort((a, b) => totals[a]! - totals[b]! || a - b);
}

export interface MassChange {
  /** Total variation of the two shares: half the sum of their absolute differences, 0 to 1. */
  readonly totalVariation: number;
  /** What it would be on average by chance alone, with samples of these sizes and totals of these cells. */
  readonly expected: number;
}

/**
 * How much mass lies elsewhere. Two samples of one distribution never agree, so what chance alone makes of it is told beside it: for each cell the mean
 * absolute difference of shares where its total is dealt out at random (hypergeometric), exactly.
 *
 * @param first (k,), not empty
 * @param second (k,), not empty
 */
export function massChange(first: ArrayLike<number>, second: ArrayLike<number>): MassChange {
  const [m, n] = [total(first), total(second)];
  let totalVariation = 0;
  let expected = 0;
  for (let cell = 0; cell < first.length; cell++) {
    totalVariation += Math.abs(first[cell]! / m - second[cell]! / n) / 2;
    expected += meanDifference(first[cell]! + second[cell]!, m, n) / 2;
  }
  return { totalVariation, expected };
}

/** Mean of |x / n - (t - x) / m| where x of t marked ones are among the n that are drawn of m + n. */
function meanDifference(t: number, m: number, n: number): number {
  const [low, high] = [Math.max(0, t - m), Math.min(t, n)];
  const mode = Math.min(high, Math.max(low, Math.floor(((t + 1) * (n + 1)) / (m + n + 2))));
  let weights = 0;
  let value = 0;
  const add = (x: number, weight: number) => {
    weights += weight;
    value += weight * Math.abs(x / n - (t - x) / m);
  };
  // From the most probable number outwards: its own probability cancels.
  for (let x = mode, weight = 1; x <= high && weight > 1e-18; x++) {
    add(x, weight);
    weight *= ((t - x) * (n - x)) / ((x + 1) * (m - t + x + 1));
  }
  for (let x = mode, weight = 1; x > low && weight > 1e-18; x--) {
    weight *= (x * (m - t + x)) / ((t - x + 1) * (n - x + 1));
    add(x - 1, weight);
  }
  return value / weights;
}

function total(counts: ArrayLike<number>): number {
  let all = 0;
  for (let i = 0; i < counts.length; i++) all += counts[i]!;
  return all;
}
