/**
 * What a search needs of the samples: their dot products with each other and with the sums of cells. Two spaces have them, and
 * give the same numbers: the direct one (direct.ts) holds coordinates, the sample space (gram.ts) the products themselves.
 */
export interface Space {
  readonly n: number;
  /** (n,): squared norms of the samples, whole numbers */
  readonly norms: Float64Array;
  /** @returns (t, n): dot products with t of the samples, exact */
  dotsWith(samples: readonly number[], signal?: AbortSignal): Promise<Float32Array>;
  /** The sums of k cells. @param assignment (n,), owned by the caller, who tells of moves */
  sums(assignment: Int32Array, k: number): Sums;
}

/** The sums T[c] of the samples of each cell, as the samples see them. */
export interface Sums {
  /** x[i] . T[c], exact */
  dot(i: number, c: number): number;
  /** T[a] . T[b], exact */
  between(a: number, b: number): number;
  /** The sample leaves one cell and joins another. */
  move(i: number, from: number, to: number): void;
  /**
   * The best other cell of every sample that has a better one than its own. With D the squared distance to the mean, another cell
   * is worth `joining[c] D(i, c)` and its own `leaving[c] D(i, c)`; less is better, ties go to its own cell, then to the lowest index.
   *
   * @param proposals (n,), filled in: the cell, or -1 where none is better
   * @returns how many samples have a better cell
   */
  propose(cells: CellMeans, rule: Rule, proposals: Int32Array, signal?: AbortSignal): Promise<number>;
}

/** What is known of the cells besides their sums. */
export interface CellMeans {
  /** (n,) */
  readonly assignment: Int32Array;
  /** (k,) */
  readonly counts: Int32Array;
  /** (k,): |T[c]|^2 */
  readonly squaredSums: Float64Array;
}

/** Which cells are better for a sample. */
export interface Rule {
  /** (k,): factors of squared distances to other cells; 0 makes a cell better than any */
  readonly joining: Float64Array;
  /** (k,): of squared distances to the sample's own; 0 keeps its samples */
  readonly leaving: Float64Array;
}

/**
 * What `propose` promises, from all dot products. Both spaces come here, so that they round alike.
 *
 * @param dots (k, n): T[c] . x[i]
 */
export function proposed(
  dots: Float64Array,
  norms: Float64Array,
  { assignment, counts, squaredSums }: CellMeans,
  { joining, leaving }: Rule,
  proposals: Int32Array,
): number {
  const n = norms.length;
  const best = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    const c = assignment[i]!;
    const factor = leaving[c]!;
    best[i] = factor && factor * squaredDistanceToMean(norms[i]!, dots[c * n + i]!, squaredSums[c]!, counts[c]!);
  }
  proposals.fill(-1);
  for (let c = 0; c < counts.length; c++) {
    const factor = joining[c]!;
    const count = counts[c]!;
    const squaredSum = squaredSums[c]!;
    for (let i = 0, p = c * n; i < n; i++, p++) {
      const value = factor && factor * squaredDistanceToMean(norms[i]!, dots[p]!, squaredSum, count);
      if (!(value < best[i]!) || assignment[i] === c) continue;
      best[i] = value;
      proposals[i] = c;
    }
  }
  let found = 0;
  for (let i = 0; i < n; i++) if (proposals[i]! >= 0) found++;
  return found;
}

/** |x - T / count|^2 from dot products. */
export function squaredDistanceToMean(norm: number, dot: number, squaredSum: number, count: number): number {
  return norm + (squaredSum / count - 2 * dot) / count;
}
