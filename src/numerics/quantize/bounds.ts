import { type Rule } from './space.ts';

/** What is known of the distances between samples and means that move. */
export interface Bounds {
  /** @param steps (k,): how far each mean has gone since the last call */
  meansMoved(steps: Float64Array, rule: Rule): void;
  /**
   * The samples that may have a better cell, and how many distances would have to be measured to know.
   *
   * @param assignment (n,): a sample of which nothing is known is one that is in another cell than last time
   */
  doubtful(assignment: Int32Array, rule: Rule, distance: Distance): { rows: Int32Array; pairs: number };
  /** Takes squared distances of a sample, `floor + meanNorms[c] - 2 dots[at + c]` or more. */
  bound(i: number, floor: number, dots: Float32Array, at: number, meanNorms: Float64Array): void;
  /** The best cell of a doubtful sample; its own unless another is strictly better. */
  decide(i: number, own: number, rule: Rule, distance: Distance): number;
}

/** The squared distance of sample i to the mean of cell c, exact. */
export type Distance = (i: number, c: number) => number;

/**
 * Elkan's bounds: a mean that has gone a way m since its distance to a sample was D is at least D - m away. One that is surely worse than
 * the sample's own cell need not be measured. Hamerly's single bound, below the values of all other cells, leaves out most samples whole.
 *
 * C. Elkan, "Using the triangle inequality to accelerate k-means", ICML 2003; G. Hamerly, "Making k-means even faster", SDM 2010.
 *
 * @param known (n, k): distances, or less
 *
 * Instead of lowering n * k bounds when the means move, each is kept as D + (the way its mean had gone by then). Bounds are
 * shortened by `SLACK`, far more than the rounding in them, so that what they leave out is worse in float64 too.
 */
export function startBounds(n: number, k: number, known?: Float64Array): Bounds {
  const lower = known?.map((distance) => SLACK * distance) ?? new Float64Array(n * k);
  /** below the root of the value of every other cell, as of the last call of `meansMoved` */
  const lowerOfOthers = new Float64Array(n);
  const upper = new Float64Array(n).fill(Infinity);
  const own = new Int32Array(n).fill(-1);
  const ownSquared = new Float64Array(n);
  const way = new Float64Array(k);
  const rootJoining = new Float64Array(k);
  const rootLeaving = new Float64Array(k);
  const wasOpen = new Uint8Array(k);
  const rows = new Int32Array(n);
  const steps = new Float64Array(k);
  let started = false;
  return { meansMoved, doubtful, bound, decide };

  function meansMoved(moved: Float64Array, { joining, leaving }: Rule): void {
    let longest = 0;
    let shrink = 1;
    for (let c = 0; c < k; c++) {
      const root = Math.sqrt(joining[c]!);
      // Nothing is known of a cell that was closed until now or draws everything.
      const fresh = started && joining[c]! < Infinity && (wasOpen[c] === 0 || joining[c] === 0);
      wasOpen[c] = Number(joining[c]! < Infinity);
      steps[c] = moved[c]! * (2 - SLACK);
      way[c]! += steps[c]!;
      if (fresh) {
        for (let p = c; p < n * k; p += k) lower[p] = 0;
        lowerOfOthers.fill(-Infinity);
      } else if (started && root < Infinity && rootJoining[c]! < Infinity) {
        shrink = Math.min(shrink, root / rootJoining[c]!);
        longest = Math.max(longest, root * steps[c]!);
      }
      rootJoining[c] = root;
      rootLeaving[c] = Math.sqrt(leaving[c]!);
    }
    started = true;
    for (let i = 0; i < n; i++) lowerOfOthers[i] = SLACK * shrink * lowerOfOthers[i]! - longest;
  }

  function doubtful(
    assignment: Int32Array,
    { leaving }: Rule,
    distance: Distance,
  ): { rows: Int32Array; pairs: number } {
    let m = 0;
    let pairs = 0;
    for (let i = 0; i < n; i++) {
      const c = assignment[i]!;
      // After a move nothing is known of the distance to the new cell's mean.
      if (own[i] !== c) {
        own[i] = c;
        upper[i] = Infinity;
        lowerOfOthers[i] = -Infinity;
      } else upper[i]! += steps[c]!;
      if (leaving[c] === 0 || lowerOfOthers[i]! > rootLeaving[c]! * upper[i]!) continue;
      const squared = Math.max(0, distance(i, c));
      ownSquared[i] = squared;
      upper[i] = Math.sqrt(squared);
      const reach = rootLeaving[c]! * upper[i]!;
      if (lowerOfOthers[i]! > reach) continue;
      let others = Infinity;
      let doubts = 0;
      for (let b = 0, p = i * k; b < k; b++, p++) {
        if (b === c || rootJoining[b] === Infinity) continue;
        const value = rootJoining[b]! * (lower[p]! - way[b]!);
        if (value < others) others = value;
        if (value <= reach) doubts++;
      }
      lowerOfOthers[i] = others;
      if (doubts === 0) continue;
      pairs += doubts;
      rows[m++] = i;
    }
    return { rows: rows.subarray(0, m), pairs };
  }

  function bound(i: number, floor: number, dots: Float32Array, at: number, meanNorms: Float64Array): void {
    for (let c = 0, p = i * k; c < k; c++, p++) {
      const squared = floor + meanNorms[c]! - 2 * dots[at + c]!;
      lower[p] = SLACK * (squared > 0 && squared < Infinity ? Math.sqrt(squared) : 0) + way[c]!;
    }
  }

  function decide(i: number, from: number, { joining, leaving }: Rule, distance: Distance): number {
    let to = from;
    let least = leaving[from]! * ownSquared[i]!;
    let reach = rootLeaving[from]! * upper[i]!;
    let others = Infinity;
    for (let c = 0, p = i * k; c < k; c++, p++) {
      if (c === from || rootJoining[c] === Infinity) continue;
      let value = rootJoining[c]! * (lower[p]! - way[c]!);
      if (value <= reach) {
        const squared = joining[c] === 0 ? 0 : Math.max(0, distance(i, c));
        lower[p] = SLACK * Math.sqrt(squared) + way[c]!;
        value = rootJoining[c]! * (lower[p]! - way[c]!);
        if (joining[c]! * squared < least) {
          least = joining[c]! * squared;
          to = c;
          reach = Math.sqrt(least);
        }
      }
      if (value < others) others = value;
    }
    lowerOfOthers[i] = others;
    return to;
  }
}

const SLACK = 1 - 1e-9;
