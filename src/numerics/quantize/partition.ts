import { squaredDistanceToMean, type CellMeans, type Rule, type Space, type Sums } from './space.ts';

/** The samples in k cells, each with the mean of its samples for a centre. */
export interface Partition extends CellMeans {
  readonly k: number;
  /** Sum over samples of the squared distance to the mean of their cell: n times the distortion. */
  potential(): number;
  /**
   * Every sample to its nearest mean, and the means follow once all have moved: a step of Lloyd's algorithm.
   *
   * @returns how many samples moved
   */
  lloydStep(signal?: AbortSignal): Promise<number>;
  /**
   * A sample moves as soon as that lowers the potential, counting how both means follow: Hartigan's step. Where none moves any more, every sample
   * is at its nearest mean too, so these minima are among Lloyd's. An empty cell takes any sample that has company.
   *
   * J. A. Hartigan and M. A. Wong, "A k-means clustering algorithm", 1979; M. Telgarsky and A. Vattani, "Hartigan's method: k-means
   * clustering without Voronoi", AISTATS 2010.
   *
   * @returns how many samples moved
   */
  hartiganStep(signal?: AbortSignal): Promise<number>;
  /** of a sample to the mean of a cell that is not empty */
  squaredDistance(i: number, c: number): number;
  /** How much the potential grows if two cells that are not empty become one: J. H. Ward, 1963. */
  mergingLoss(a: number, b: number): number;
}

/** @param assignment (n,), changed in place when samples move */
export function partitionOf(space: Space, assignment: Int32Array, k: number): Partition {
  const { n, norms } = space;
  const sums: Sums = space.sums(assignment, k);
  const counts = new Int32Array(k);
  const squaredSums = new Float64Array(k);
  for (const c of assignment) counts[c]!++;
  for (let c = 0; c < k; c++) squaredSums[c] = sums.between(c, c);
  const total = norms.reduce((a, b) => a + b, 0);
  const proposals = new Int32Array(n);
  const cells: CellMeans = { assignment, counts, squaredSums };
  return { ...cells, k, potential, lloydStep, hartiganStep, squaredDistance, mergingLoss };

  function potential(): number {
    let between = 0;
    for (let c = 0; c < k; c++) if (counts[c]! > 0) between += squaredSums[c]! / counts[c]!;
    return total - between;
  }

  function squaredDistance(i: number, c: number): number {
    return squaredDistanceToMean(norms[i]!, sums.dot(i, c), squaredSums[c]!, counts[c]!);
  }

  function mergingLoss(a: number, b: number): number {
    const together = squaredSums[a]! + squaredSums[b]! + 2 * sums.between(a, b);
    return squaredSums[a]! / counts[a]! + squaredSums[b]! / counts[b]! - together / (counts[a]! + counts[b]!);
  }

  async function lloydStep(signal?: AbortSignal): Promise<number> {
    const joining = Float64Array.from(counts, (count) => (count > 0 ? 1 : Infinity));
    const moved = await sums.propose(cells, { joining, leaving: ONES(k) }, proposals, signal);
    if (moved > 0) for (let i = 0; i < n; i++) if (proposals[i]! >= 0) move(i, proposals[i]!);
    return moved;
  }

  async function hartiganStep(signal?: AbortSignal): Promise<number> {
    const rule: Rule = { joining: Float64Array.from(counts, joining), leaving: Float64Array.from(counts, leaving) };
    const proposed = await sums.propose(cells, rule, proposals, signal);
    let moved = 0;
    if (proposed === 0) return 0;
    for (let i = 0; i < n; i++) {
      const to = proposals[i]!;
      if (to < 0 || !lowers(i, to)) continue;
      move(i, to);
      moved++;
    }
    return moved;
  }

  function lowers(i: number, to: number): boolean {
    const from = assignment[i]!;
    const gain = leaving(counts[from]!) * squaredDistance(i, from);
    const loss = counts[to] === 0 ? 0 : joining(counts[to]!) * squaredDistance(i, to);
    return loss < gain * (1 - ROUNDING) - ROUNDING * norms[i]!;
  }

  function move(i: number, to: number): void {
    const from = assignment[i]!;
    squaredSums[from]! += norms[i]! - 2 * sums.dot(i, from);
    squaredSums[to]! += norms[i]! + 2 * sums.dot(i, to);
    sums.move(i, from, to);
    counts[from]!--;
    counts[to]!++;
    assignment[i] = to;
  }
}

const ONES = (k: number) => new Float64Array(k).fill(1);
const joining = (count: number) => count / (count + 1);
const leaving = (count: number) => (count > 1 ? count / (count - 1) : 0);

/** A move that gains less is not one: else rounding could move a sample back and forth. */
const ROUNDING = 1e-12;
