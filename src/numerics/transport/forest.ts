import { type Moves } from './moves.ts';

/**
 * Shortest paths from the sinks that have too much to all others, kept while mass moves along them.
 *
 * A root has too much. Every other sink has a parent, and the move from it is tight: cost[i, b] - price[b] is what it was at the
 * parent. When pieces move, some moves are no longer there and some roots are satisfied; only the sinks below those are given new
 * parents, by Dijkstra's algorithm from all the rest, and prices that grew by the distance.
 */
export interface Forest {
  /** (k,): the sink before it on the path, -1 for a root */
  readonly parents: Int32Array;
  /** All sinks whose path is broken get a new one. Does nothing once no sink has too much. */
  repair(): void;
  /** True if every move of the path to sink b is there and its root has too much. */
  isIntact(b: number): boolean;
}

/**
 * @param moves of the flow, which is optimal for its loads
 * @param prices (k,), its dual: every piece lies at a sink that is least in cost - price for its sample; raised in place
 * @param excess (k,): what each sink has too much, negative for what it wants
 */
export function startForest(moves: Moves, prices: Float64Array, excess: Float64Array): Forest {
  const k = prices.length;
  const { into, outOf, isCurrent, refresh } = moves;
  const parents = new Int32Array(k).fill(-1);
  const verdict = new Uint8Array(k);
  const broken = new Int32Array(k);
  /** Sinks whose path is known, the first `knownCount`. */
  const known = new Int32Array(k);
  let knownCount = 0;
  /** For each broken sink how far its price is from being tight with the best known parent, and that parent. */
  const distances = new Float64Array(k);
  const offered = new Int32Array(k);
  return { parents, repair, isIntact };

  function repair(): void {
    const count = findBroken();
    if (count < k) reconnect(count);
  }

  /** Lists the sinks below a move that is gone or below a root that is satisfied, and all others. */
  function findBroken(): number {
    verdict.fill(UNKNOWN);
    let count = 0;
    knownCount = 0;
    for (let c = 0; c < k; c++) {
      let b = c;
      while (verdict[b] === UNKNOWN) {
        const a = parents[b]!;
        if (a < 0) verdict[b] = excess[b]! > 0 ? INTACT : BROKEN;
        else if (!isCurrent(a, b)) verdict[b] = BROKEN;
        else b = a;
      }
      const found = verdict[b]!;
      for (b = c; verdict[b] === UNKNOWN; b = parents[b]!) verdict[b] = found;
      if (found === BROKEN) broken[count++] = c;
      else known[knownCount++] = c;
    }
    return count;
  }

  /** Dijkstra's algorithm over the broken sinks. */
  function reconnect(count: number): void {
    for (let j = 0; j < count; j++) findOffer(j);
    let next = nearest(count);
    while (count > 0) {
      const b = broken[next]!;
      const a = offered[next]!;
      if (!isCurrent(a, b)) {
        // The offer was a lower bound.
        refresh(a, b);
        findOffer(next);
        next = nearest(count);
        continue;
      }
      const price = prices[a]! + into[b * k + a]!;
      prices[b] = price;
      parents[b] = a;
      known[knownCount++] = b;
      count--;
      broken[next] = broken[count]!;
      distances[next] = distances[count]!;
      offered[next] = offered[count]!;
      let shortest = Infinity;
      next = 0;
      for (let j = 0, from = b * k; j < count; j++) {
        const c = broken[j]!;
        const distance = price + outOf[from + c]! - prices[c]!;
        if (distance < distances[j]!) {
          distances[j] = distance;
          offered[j] = b;
        }
        if (distances[j]! >= shortest) continue;
        shortest = distances[j]!;
        next = j;
      }
    }
  }

  function findOffer(j: number): void {
    const row = broken[j]! * k;
    let least = Infinity;
    for (let q = 0; q < knownCount; q++) {
      const a = known[q]!;
      const price = prices[a]! + into[row + a]!;
      if (price >= least) continue;
      least = price;
      offered[j] = a;
    }
    distances[j] = least - prices[broken[j]!]!;
  }

  function nearest(count: number): number {
    let shortest = Infinity;
    let at = 0;
    for (let j = 0; j < count; j++) {
      if (distances[j]! >= shortest) continue;
      shortest = distances[j]!;
      at = j;
    }
    return at;
  }

  function isIntact(b: number): boolean {
    for (let a = parents[b]!; a >= 0; a = parents[b]!) {
      if (!isCurrent(a, b)) return false;
      b = a;
    }
    return excess[b]! > 0;
  }
}

const UNKNOWN = 0;
const INTACT = 1;
const BROKEN = 2;
