/** What a bench hands on for each case, and how it becomes a line of output. */

export interface BenchCase {
  case: string;
  /** Of `ours` and the peers. Names of rates end in `/s`; of those, of `share` and of `count` more is better, of all else less. */
  unit: string;
  ours: number;
  /** For an absolute figure the one peer is `limit`. */
  peers: Record<string, number>;
  /** The ratio that is asked for; above 1 is ahead of the best peer. */
  target: number;
  /** Figures of quality, intervals, sizes: printed beside. */
  [field: string]: unknown;
}

export interface Bench {
  /** One line for the list. */
  about: string;
  cases(wanted: (name: string) => boolean): AsyncIterable<BenchCase>;
}

export interface BenchLine extends BenchCase {
  bench: string;
  ratio: number;
  met: boolean;
}

/** `ratio` is against the best peer, and 1 or 0 for a count. */
export function toLine(bench: string, measured: BenchCase): BenchLine {
  const { case: name, unit, ours, peers, target, ...quality } = measured;
  const others = Object.values(peers);
  const moreIsBetter = unit.endsWith('/s') || unit === 'share';
  let ratio = moreIsBetter ? ours / Math.max(...others) : Math.min(...others) / ours;
  if (unit === 'count') ratio = others.every((other) => other === ours) ? 1 : 0;
  return { bench, case: name, unit, ours, peers, ratio: round(ratio), target, met: ratio >= target, ...quality };
}

const round = (value: number): number => Number(value.toPrecision(4));
