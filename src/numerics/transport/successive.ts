import { throwIfAborted } from '../../base/abort.ts';
import { startForest, type Forest } from './forest.ts';
import { movesFrom, type Moves } from './moves.ts';
import { wholePieces, type Pieces } from './pieces.ts';

/**
 * A minimum-cost flow from n samples to k sinks, where only the sinks are nodes.
 *
 * Every sample starts at the sink that is least in cost - price, which is optimal for the loads that this gives. Moving a piece from
 * sink a to sink b is an arc, as dear as the cheapest such piece. While a sink has too much, mass moves along a shortest path of
 * arcs to one in want, and prices grow by the distances, so that the flow stays optimal for its loads.
 *
 * Ahuja, Magnanti and Orlin, "Network flows", 1993, section 9.7 (successive shortest paths); the paths of all sinks are kept in a
 * forest, and after mass has moved along as many as are disjoint only the broken ones are found anew. An arc costs a look at the
 * n / k pieces of a sink when its cheapest piece has left, a path k for each sink below the break.
 */
export interface Flow {
  readonly pieces: Pieces;
  /** (k,): rises as mass is moved */
  readonly prices: Float64Array;
  /** (k,): units at each sink */
  readonly loads: Float64Array;
  /** Moves mass until every sink has what it demands; integers that sum to the supplies. Returns the number of paths. @throws CANCELLED */
  meet(demands: Float64Array, signal?: AbortSignal): number;
}

/**
 * @param cost (n, k), finite
 * @param supplies (n,): integers >= 0 that sum to at most 2^53, so that all arithmetic on mass is exact
 * @param prices (k,): where to begin; the nearer the dual of the demands, the fewer paths
 */
export function startFlow(
  cost: Float64Array,
  n: number,
  k: number,
  supplies: Float64Array,
  prices: Float64Array,
): Flow {
  const pieces = wholePieces(cheapestSinks(cost, n, k, prices), supplies);
  const current = prices.slice();
  const loads = new Float64Array(k);
  for (let i = 0; i < n; i++) loads[pieces.sink[i]!]! += supplies[i]!;
  let moves: Moves | undefined;
  return { pieces, prices: current, loads, meet };

  function meet(demands: Float64Array, signal?: AbortSignal): number {
    const excess = loads.map((load, c) => load - demands[c]!);
    if (!excess.some(isPositive)) return 0;
    moves ??= movesFrom(cost, n, k, pieces);
    const forest = startForest(moves, current, excess);
    let paths = 0;
    while (excess.some(isPositive)) {
      throwIfAborted(signal);
      forest.repair();
      for (const target of nearestFirst(forest, excess)) {
        if (!forest.isIntact(target)) continue;
        augment(pieces, moves, forest, excess, target);
        paths++;
      }
    }
    loads.set(demands);
    return paths;
  }
}

const isPositive = (units: number): boolean => units > 0;

/** (n,): for each sample the sink that is least in cost - price. */
export function cheapestSinks(cost: Float64Array, n: number, k: number, prices: Float64Array): Int32Array {
  const sinks = new Int32Array(n);
  for (let i = 0, row = 0; i < n; i++, row += k) {
    let least = cost[row]! - prices[0]!;
    let sink = 0;
    for (let c = 1; c < k; c++) {
      const reduced = cost[row + c]! - prices[c]!;
      if (reduced >= least) continue;
      least = reduced;
      sink = c;
    }
    sinks[i] = sink;
  }
  return sinks;
}

/** The sinks in want, those with few moves on their path first: they break fewer others. */
function nearestFirst({ parents }: Forest, excess: Float64Array): number[] {
  const k = excess.length;
  const keys: number[] = [];
  for (let c = 0; c < k; c++) {
    if (!(excess[c]! < 0)) continue;
    let depth = 0;
    for (let a = parents[c]!; a >= 0; a = parents[a]!) depth++;
    keys.push(depth * k + c);
  }
  return keys.sort((x, y) => x - y).map((key) => key % k);
}

/**
 * Moves as much mass as fits along the path to `target`.
 *
 * A sample that the path moves twice, from a to b and later from c to d, is as well moved from a to d. Without that, a part of one
 * unit could pass on the rest of its sample unit by unit.
 */
function augment(
  pieces: Pieces,
  { cheapest, move }: Moves,
  { parents }: Forest,
  excess: Float64Array,
  target: number,
): void {
  const path: { piece: number; to: number }[] = [];
  let root = target;
  let amount = -excess[target]!;
  for (let a = parents[root]!; a >= 0; root = a, a = parents[root]!) {
    const piece = cheapest(a, root);
    const sample = pieces.sample[piece]!;
    const later = path.findIndex((step) => pieces.sample[step.piece] === sample);
    const to = later >= 0 ? path[later]!.to : root;
    if (later >= 0) path.length = later;
    path.push({ piece, to });
  }
  for (const { piece } of path) amount = Math.min(amount, pieces.units[piece]!);
  amount = Math.min(amount, excess[root]!);
  excess[root]! -= amount;
  excess[target]! += amount;
  for (const { piece, to } of path) move(piece, to, amount);
}
