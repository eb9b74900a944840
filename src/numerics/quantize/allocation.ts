import { invalid } from '../../base/errors.ts';

/** What a class would gain from more points. */
export interface DistortionCurve {
  /** numbers of points, rising; the class gets no fewer than the first and no more than the last */
  readonly k: readonly number[];
  /** distortion with so many points */
  readonly distortion: readonly number[];
  /** what the class counts: its share of the samples */
  readonly share: number;
}

/**
 * Divides a budget of points over classes so that the total distortion, by shares, is least: one by one to the class whose distortion falls
 * most; of equals to the one with the fewest points, then the first, so that equal classes get equal shares. Between the numbers that were measured
 * a curve is straight (`continuedCurve` fills it in), and where noise makes it bulge its lower convex hull stands for it; on convex curves this is optimal.
 *
 * Fox, "Discrete optimization via marginal analysis", Management Science 1966.
 *
 * @param min points for every class; default 1
 * @returns (c,), sums to `total`
 * @throws INVALID_INPUT if a curve is none, or the budget is less than the least or more than the most that the curves allow
 */
export function allocate(
  curves: readonly DistortionCurve[],
  total: number,
  { min = 1 }: { min?: number } = {},
): Int32Array {
  const gains = curves.map((curve, c) => marginalGains(curve, c));
  const least = curves.map(({ k }) => Math.max(min, k[0]!));
  const most = curves.map(({ k }) => k.at(-1)!);
  const [atLeast, atMost] = [least, most].map((all) => all.reduce((a, b) => a + b, 0));
  if (!Number.isInteger(total) || total < atLeast! || total > atMost!)
    throw invalid(
      `expected a budget of ${atLeast} to ${atMost} points for ${curves.length} classes, got ${total}: change it, or measure more of the curves`,
      { total, atLeast, atMost },
    );
  const tight = least.findIndex((k, c) => k > most[c]!);
  if (tight >= 0)
    throw invalid(
      `expected at least ${least[tight]} points for class ${tight}, whose curve ends at ${most[tight]}: lower min`,
    );
  const counts = Int32Array.from(least);
  const left = total - atLeast!;
  if (left === 0) return counts;

  // Gains never rise, so the points that one by one would take are the `left` largest gains of all.
  const open = gains.map((gain, c) => gain.subarray(least[c]! - curves[c]!.k[0]!));
  const last = nthLargest(open, left);
  open.forEach((gain, c) => (counts[c]! += countAbove(gain, last)));
  const ends = open.map((gain, c) => least[c]! + countAbove(gain, last, { equal: true }));
  fillEvenly(counts, ends, total - counts.reduce((a, b) => a + b, 0));
  return counts;
}

/** How much one more point lowers the class's part of the total, from the curve's first number of points on; never rises. */
function marginalGains({ k, distortion, share }: DistortionCurve, c: number): Float64Array {
  const rising = k.every((x, j) => Number.isInteger(x) && x >= 1 && (j === 0 || x > k[j - 1]!));
  if (k.length === 0 || k.length !== distortion.length || !rising)
    throw invalid(`expected a curve of rising whole numbers of points for class ${c}, got ${k.join(', ')}: sort it`);
  if (!(share >= 0 && share < Infinity) || !distortion.every((x) => x >= 0 && x < Infinity))
    throw invalid(`expected finite distortions and a share >= 0 for class ${c}: measure them again`);
  const hull = lowerHull(k, distortion);
  const gains = new Float64Array(k.at(-1)! - k[0]!);
  for (let h = 1; h < hull.length; h++) {
    const [from, to] = [hull[h - 1]!, hull[h]!];
    const slope = (distortion[from]! - distortion[to]!) / (k[to]! - k[from]!);
    gains.fill(share * Math.max(0, slope), k[from]! - k[0]!, k[to]! - k[0]!);
  }
  return gains;
}

/** Indices of the points of a curve that no line between two others passes below: A. Andrew, 1979. */
function lowerHull(x: readonly number[], y: readonly number[]): number[] {
  const hull: number[] = [];
  for (let j = 0; j < x.length; j++) {
    while (hull.length > 1) {
      const [a, b] = [hull.at(-2)!, hull.at(-1)!];
      if ((y[b]! - y[a]!) * (x[j]! - x[a]!) < (y[j]! - y[a]!) * (x[b]! - x[a]!)) break;
      hull.pop();
    }
    hull.push(j);
  }
  return hull;
}

/** @param n 1 to the number of values */
function nthLargest(lists: readonly Float64Array[], n: number): number {
  const all = new Float64Array(lists.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const list of lists) {
    all.set(list, at);
    at += list.length;
  }
  return all.sort()[all.length - n]!;
}

/** How many of the first values of a falling list are above a limit, or at it. */
function countAbove(falling: Float64Array, limit: number, { equal = false } = {}): number {
  const end = falling.findIndex((value) => (equal ? value < limit : value <= limit));
  return end < 0 ? falling.length : end;
}

/** Hands out what is left, always to the lowest count that has not reached its end. */
function fillEvenly(counts: Int32Array, ends: readonly number[], left: number): void {
  while (left > 0) {
    const open = [...counts.keys()].filter((c) => counts[c]! < ends[c]!);
    const level = open.reduce((lowest, c) => Math.min(lowest, counts[c]!), Infinity);
    for (const c of open) if (counts[c] === level && left > 0 && left--) counts[c]!++;
  }
}
