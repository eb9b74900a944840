/** Timing for benches: always against a peer in the same run, since machines are shared and noisy. */

/** Milliseconds of one call. */
export async function timeMs(work: () => unknown): Promise<number> {
  const begin = performance.now();
  await work();
  return performance.now() - begin;
}

/**
 * Median time of calls in turns, so that load that comes and goes meets all of them: ms by name. The first turn only warms up.
 * @param before runs before each call, outside its time
 */
export async function interleavedMs(
  works: Record<string, () => unknown>,
  { turns, warmUp = 1, before }: { turns: number; warmUp?: number; before?: () => Promise<void> },
): Promise<Record<string, number>> {
  const times = Object.fromEntries(Object.keys(works).map((name): [string, number[]] => [name, []]));
  for (let turn = -warmUp; turn < turns; turn++) {
    for (const [name, work] of Object.entries(works)) {
      await before?.();
      const ms = await timeMs(work);
      if (turn >= 0) times[name]!.push(ms);
    }
  }
  return Object.fromEntries(Object.entries(times).map(([name, all]) => [name, median(all)]));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/**
 * Median of `values` with the order statistics that hold it with at least 95% (binomial, any distribution).
 * @throws RangeError below six values, where no two of them do
 */
export function medianInterval(values: readonly number[]): { median: number; low: number; high: number } {
  const n = values.length;
  if (n < 6) throw new RangeError(`expected six values or more for a 95% interval of a median, got ${n}`);
  const sorted = [...values].sort((a, b) => a - b);
  let below = 0;
  let term = 0.5 ** n;
  let rank = 0;
  while (below + term <= 0.025) {
    below += term;
    term *= (n - rank) / (rank + 1);
    rank++;
  }
  return { median: median(sorted), low: sorted[rank - 1]!, high: sorted[n - rank]! };
}
