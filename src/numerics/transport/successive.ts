import { throwIfAborted } from '../../base/abort.ts';
import { heapOf, type Heap } from './heap.ts';

export interface Flow {
  /** (n, k), units of mass from each sample to each sink */
  readonly units: Float64Array;
  /** (k,): the sinks' dual values; every unit lies at a sink that is least in cost - price for its sample */
  readonly prices: Float64Array;
  readonly augmentations: number;
}

/**
 * Minimum-cost flow from n samples to k sinks by successive shortest paths, where only the sinks are nodes.
 *
 * Every sample starts at its cheapest sink, which is optimal for the loads that this gives. Moving mass of some sample from sink a
 * to sink b is an arc, as dear as the cheapest such sample. While a sink is overfull, mass moves along a shortest path of arcs
 * from the overfull sinks to one in want; prices grow by the distances, so that the flow stays optimal for its loads.
 * An augmentation costs k^2 and, for each arc of its path, k pushes to heaps.
 *
 * Ahuja, Magnanti and Orlin, "Network flows", 1993, section 9.7.
 *
 * @param cost (n, k), finite
 * @param supply units of every sample, an integer
 * @param demands (k,), integers >= 0 that sum to n * supply <= 2^53, so that all arithmetic on mass is exact
 */
export function successiveShortestPaths(
  cost: Float64Array,
  n: number,
  k: number,
  supply: number,
  demands: Float64Array,
  signal?: AbortSignal,
): Flow {
  const units = new Float64Array(n * k);
  const prices = new Float64Array(k);
  const excess = demands.map((demand) => -demand);
  const heaps = new Array<Heap | undefined>(k * k);
  for (let i = 0; i < n; i++) {
    const sink = cheapest(cost, i, k);
    units[i * k + sink] = supply;
    excess[sink]! += supply;
  }

  const distances = new Float64Array(k);
  const settled = new Uint8Array(k);
  const previous = new Int32Array(k);
  const movedSample = new Int32Array(k);
  let augmentations = 0;
  while (excess.some((units) => units > 0)) {
    if (augmentations % CHECK_EVERY === 0) throwIfAborted(signal);
    augment(shortestPath());
    augmentations++;
  }
  return { units, prices, augmentations };

  /** Dijkstra's algorithm from all overfull sinks to the nearest one in want, which it returns; raises the prices. */
  function shortestPath(): number {
    settled.fill(0);
    for (let c = 0; c < k; c++) distances[c] = excess[c]! > 0 ? 0 : Infinity;
    for (;;) {
      const a = nearestUnsettled();
      if (excess[a]! < 0) {
        for (let c = 0; c < k; c++) prices[c]! += Math.min(distances[c]!, distances[a]!);
        return a;
      }
      settled[a] = 1;
      for (let b = 0; b < k; b++) {
        if (settled[b]) continue;
        const i = cheapestMove(a, b);
        if (i === undefined) continue;
        const reduced = cost[i * k + b]! - prices[b]! - (cost[i * k + a]! - prices[a]!);
        const distance = distances[a]! + Math.max(0, reduced);
        if (distance >= distances[b]!) continue;
        distances[b] = distance;
        previous[b] = a;
        movedSample[b] = i;
      }
    }
  }

  function nearestUnsettled(): number {
    let nearest = -1;
    for (let c = 0; c < k; c++) if (!settled[c] && (nearest < 0 || distances[c]! < distances[nearest]!)) nearest = c;
    return nearest;
  }

  /** The sample with mass at a that is cheapest to move to b. Entries whose mass has left a are dropped when they surface. */
  function cheapestMove(a: number, b: number): number | undefined {
    const heap = (heaps[a * k + b] ??= movesBetween(a, b));
    for (;;) {
      const i = heap.peek();
      if (i === undefined || units[i * k + a]! > 0) return i;
      heap.pop();
    }
  }

  function movesBetween(a: number, b: number): Heap {
    const samples: number[] = [];
    for (let i = 0; i < n; i++) if (units[i * k + a]! > 0) samples.push(i);
    return heapOf(samples, (i) => cost[i * k + b]! - cost[i * k + a]!);
  }

  /** Moves as much mass as fits along the path that ends at `target`. */
  function augment(target: number): void {
    let amount = -excess[target]!;
    let source = target;
    while (!(excess[source]! > 0)) {
      const i = movedSample[source]!;
      source = previous[source]!;
      amount = Math.min(amount, units[i * k + source]!);
    }
    amount = Math.min(amount, excess[source]!);
    excess[source]! -= amount;
    excess[target]! += amount;
    for (let b = target; b !== source; b = previous[b]!) {
      const i = movedSample[b]!;
      units[i * k + previous[b]!]! -= amount;
      if (units[i * k + b] === 0) for (let c = 0; c < k; c++) heaps[b * k + c]?.push(i);
      units[i * k + b]! += amount;
    }
  }
}

function cheapest(cost: Float64Array, i: number, k: number): number {
  let least = 0;
  for (let c = 1; c < k; c++) if (cost[i * k + c]! < cost[i * k + least]!) least = c;
  return least;
}

const CHECK_EVERY = 256;
