import { type RandomStream } from '../math/random.ts';
import { type Partition } from './partition.ts';
import { indexAt } from './seeding.ts';
import { dotsWith, type Space } from './space.ts';

/** How a search by swaps went. */
export interface SwapStatistics {
  readonly tried: number;
  readonly accepted: number;
}

export interface SwapOptions {
  /** end after so many trials in a row that did not help */
  readonly patience: number;
  readonly random: RandomStream;
  /** Lets samples move until none lowers the potential, or until it is clear that the potential will not fall below `goal`. */
  readonly converge: (assignment: Int32Array, goal: number) => Promise<Partition>;
  readonly signal?: AbortSignal;
}

/**
 * Leaves a local minimum by swaps: a cell whose centre is of little use joins its neighbour, and its centre goes where it helps most. What
 * that leads to is seen before the swap is accepted: only if the potential is lower once no sample moves any more.
 *
 * S. Lattanzi and C. Sohler, "A better k-means++ algorithm via local search", ICML 2019; T. Conrads et al., "Local search k-means++ with
 * foresight", SEA 2024.
 *
 * @param partition where no sample moves any more
 */
export async function improveBySwaps(
  space: Space,
  partition: Partition,
  { patience, random, converge, signal }: SwapOptions,
): Promise<{ partition: Partition; statistics: SwapStatistics }> {
  let best = partition;
  let potential = best.potential();
  let tried = 0;
  let accepted = 0;
  let mergers = leastUseful(best);
  for (let failures = 0; failures < patience && potential > 0 && mergers.length > 0; tried++) {
    const merger = mergers[failures % mergers.length]!;
    const assignment = await swapped(space, best, merger, (index) => random.uniform(tried * DRAWS + index), signal);
    const other = await converge(assignment, potential);
    const reached = other.potential();
    if (reached < potential * (1 - LEAST_GAIN)) {
      best = other;
      potential = reached;
      mergers = leastUseful(best);
      accepted++;
      failures = 0;
    } else failures++;
  }
  return { partition: best, statistics: { tried, accepted } };
}

const LEAST_GAIN = 1e-9;

/** Random numbers that a trial may use. */
const DRAWS = 16;

/** Two cells, the first of which joins the second. */
interface Merger {
  readonly from: number;
  readonly into: number;
}

/** The samples after a swap. */
async function swapped(
  space: Space,
  partition: Partition,
  { from, into }: Merger,
  draw: (index: number) => number,
  signal?: AbortSignal,
): Promise<Int32Array> {
  const { assignment } = partition;
  const { n, norms } = space;
  const own = new Float64Array(n);
  const cumulative = new Float64Array(n);
  let total = 0;
  for (let i = 0; i < n; i++) {
    own[i] = Math.max(0, partition.squaredDistance(i, assignment[i]!));
    cumulative[i] = total += own[i]!;
  }
  const candidates = Array.from({ length: CANDIDATES }, (_, t) => indexAt(cumulative, draw(t) * total));
  const dots = await dotsWith(space, candidates, signal);
  const squared = (i: number, t: number) => norms[i]! + norms[candidates[t]!]! - 2 * dots[t * n + i]!;
  let best = 0;
  let most = -Infinity;
  for (let t = 0; t < CANDIDATES; t++) {
    let gain = 0;
    for (let i = 0; i < n; i++) gain += Math.max(0, own[i]! - squared(i, t));
    if (gain <= most) continue;
    most = gain;
    best = t;
  }
  const out = assignment.slice();
  for (let i = 0; i < n; i++) {
    if (squared(i, best) < own[i]!) out[i] = from;
    else if (out[i] === from) out[i] = into;
  }
  return out;
}

const CANDIDATES = 8;

/** Cells by how little the potential grows when they join their best neighbour, least first; some of them. */
function leastUseful(partition: Partition): Merger[] {
  const { k, counts } = partition;
  const loss = new Float64Array(k).fill(Infinity);
  const neighbour = new Int32Array(k).fill(-1);
  for (let a = 0; a < k; a++)
    for (let b = 0; b < a; b++) {
      if (counts[a] === 0 || counts[b] === 0) continue;
      const together = partition.mergingLoss(a, b);
      if (together < loss[a]!) [loss[a], neighbour[a]] = [together, b];
      if (together < loss[b]!) [loss[b], neighbour[b]] = [together, a];
    }
  return Array.from(neighbour.keys())
    .filter((cell) => neighbour[cell]! >= 0)
    .sort((a, b) => loss[a]! - loss[b]! || a - b)
    .slice(0, Math.ceil(2 * Math.sqrt(k)))
    .map((from) => ({ from, into: neighbour[from]! }));
}
