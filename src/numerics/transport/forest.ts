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
  /** The price of a sink whose path is known, infinite for one that is being repaired. */
  const known = prices.slice();
  const verdict = new Uint8Array(k);
  const broken = new Int32Array(k);
  const offers = new Float64Array(k);
  const offered = new Int32Array(k);
  let offeredBy = -1;
  return { parents, repair, isIntact };

  function repair(): void {
    const count = findBroken();
    if (count < k) reconnect(count);
  }

  /** Lists the sinks below a move that is gone or below a root that is satisfied. */
  function findBroken(): number {
    verdict.fill(UNKNOWN);
    let count = 0;
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
    }
    return count;
  }

  /** Dijkstra's algorithm. A sink's offer is the price at which it would be tight with the best parent found. */
  function reconnect(count: number): void {
    for (let j = 0; j < count; j++) known[broken[j]!] = Infinity;
    let next = 0;
    let shortest = Infinity;
    for (let j = 0; j < count; j++) {
      const b = broken[j]!;
      offers[j] = bestOffer(b);
      offered[j] = offeredBy;
      const distance = offers[j]! - prices[b]!;
      if (distance < shortest) {
        shortest = distance;
        next = j;
      }
    }
    while (count > 0) {
      const b = broken[next]!;
      const a = offered[next]!;
      const price = offers[next]!;
      shortest = Infinity;
      if (!isCurrent(a, b)) {
        // The offer was a lower bound.
        refresh(a, b);
        offers[next] = bestOffer(b);
        offered[next] = offeredBy;
        for (let j = 0; j < count; j++) {
          const distance = offers[j]! - prices[broken[j]!]!;
          if (distance >= shortest) continue;
          shortest = distance;
          next = j;
        }
        continue;
      }
      prices[b] = known[b] = price;
      parents[b] = a;
      count--;
      broken[next] = broken[count]!;
      offers[next] = offers[count]!;
      offered[next] = offered[count]!;
      for (let j = 0, from = b * k; j < count; j++) {
        const c = broken[j]!;
        const offer = price + outOf[from + c]!;
        if (offer < offers[j]!) {
          offers[j] = offer;
          offered[j] = b;
        }
        const distance = offers[j]! - prices[c]!;
        if (distance >= shortest) continue;
        shortest = distance;
        next = j;
      }
    }
  }

  function bestOffer(b: number): number {
    let best = Infinity;
    let by = -1;
    for (let a = 0, p = b * k; a < k; a++, p++) {
      const offer = known[a]! + into[p]!;
      if (offer >= best) continue;
      best = offer;
      by = a;
    }
    offeredBy = by;
    return best;
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
