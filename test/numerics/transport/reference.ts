/**
 * Optimal transport of integer masses as a minimum-cost flow on the whole bipartite graph, by Bellman and Ford on its residual
 * arcs, one path at a time: slow, and nothing in common with the solver under test.
 *
 * @param cost (n, k)
 * @param supplies (n,) and demands (k,): integers with equal sums
 * @returns the total cost
 */
export function transportByBellmanFord(
  cost: readonly number[][],
  supplies: readonly number[],
  demands: readonly number[],
): number {
  const n = supplies.length;
  const k = demands.length;
  const source = n + k;
  const target = source + 1;
  const arcs: { from: number; to: number; capacity: number; cost: number }[] = [];
  const connect = (from: number, to: number, capacity: number, arcCost: number) => {
    arcs.push({ from, to, capacity, cost: arcCost }, { from: to, to: from, capacity: 0, cost: -arcCost });
  };
  supplies.forEach((supply, i) => connect(source, i, supply, 0));
  demands.forEach((demand, c) => connect(n + c, target, demand, 0));
  for (let i = 0; i < n; i++) for (let c = 0; c < k; c++) connect(i, n + c, Infinity, cost[i]![c]!);

  let total = 0;
  for (;;) {
    const distance = new Array<number>(target + 1).fill(Infinity);
    const arcInto = new Array<number>(target + 1).fill(-1);
    distance[source] = 0;
    for (let round = 0; round <= target; round++)
      arcs.forEach(({ from, to, capacity, cost: arcCost }, e) => {
        if (capacity <= 0 || distance[from]! + arcCost >= distance[to]! - 1e-12) return;
        distance[to] = distance[from]! + arcCost;
        arcInto[to] = e;
      });
    if (distance[target] === Infinity) return total;
    const path: number[] = [];
    for (let node = target; node !== source; node = arcs[path.at(-1)!]!.from) path.push(arcInto[node]!);
    const amount = Math.min(...path.map((e) => arcs[e]!.capacity));
    for (const e of path) {
      arcs[e]!.capacity -= amount;
      arcs[e ^ 1]!.capacity += amount;
      total += amount * arcs[e]!.cost;
    }
  }
}
