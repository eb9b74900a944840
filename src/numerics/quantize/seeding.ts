import { throwIfAborted } from '../../base/abort.ts';
import { approximateSquaredDistances, squaredDistance, type Normalized } from '../math/distance.ts';
import { type Points } from '../math/points.ts';
import { type MatrixProduct } from '../math/product.ts';
import { type RandomStream } from '../math/random.ts';

export interface Seeding {
  /** (k, d): k of the samples */
  readonly centroids: Float64Array;
  /** (n, k), exact in float64 */
  readonly squaredDistances: Float64Array;
}

/**
 * Greedy k-means++: each next centroid is the best of 2 + floor(log k) samples that were drawn with probability proportional to
 * the squared distance to the nearest centroid so far.
 *
 * Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007, section 2 and the greedy variant of section 7.
 *
 * The trials are compared by the product's approximate distances; the one that is taken is measured exactly.
 * Once every sample lies on a centroid (fewer distinct samples than k), further centroids repeat samples.
 *
 * @param points (n, d), checked by the caller, and `normalized` the same points in their frame
 */
export async function seedGreedily(
  points: Points,
  normalized: Normalized,
  k: number,
  random: RandomStream,
  { product, signal }: { product: MatrixProduct; signal?: AbortSignal },
): Promise<Seeding> {
  const { values, n, d } = points;
  const centroids = new Float64Array(k * d);
  const squaredDistances = new Float64Array(n * k);
  const closest = new Float64Array(n).fill(Infinity);
  const trials = 2 + Math.floor(Math.log(k));

  for (let c = 0; c < k; c++) {
    throwIfAborted(signal);
    const chosen = c === 0 ? uniformSample(random.uniform(0), n) : await bestTrial(c);
    centroids.set(values.subarray(chosen * d, (chosen + 1) * d), c * d);
    for (let i = 0; i < n; i++) {
      const squared = squaredDistance(values, i, centroids, c, d);
      squaredDistances[i * k + c] = squared;
      if (squared < closest[i]!) closest[i] = squared;
    }
  }
  return { centroids, squaredDistances };

  async function bestTrial(c: number): Promise<number> {
    const cumulative = cumulated(closest);
    const total = cumulative[n - 1]!;
    if (total === 0) return uniformSample(random.uniform(c * trials), n);
    const candidates = Array.from({ length: trials }, (_, t) =>
      indexAt(cumulative, random.uniform(c * trials + t) * total),
    );
    const potentials = await potentialsOf(candidates, closest, normalized, product, signal);
    return candidates[potentials.indexOf(Math.min(...potentials))]!;
  }
}

/** For each candidate, the sum of squared distances to the nearest centroid if it became one. */
async function potentialsOf(
  candidates: readonly number[],
  closest: Float64Array,
  points: Normalized,
  product: MatrixProduct,
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const trials = candidates.length;
  const approximate = await approximateSquaredDistances(points, rows(points, candidates), product, signal);
  const toSquaredUnits = 1 / (points.frame.scale * points.frame.scale);
  const potentials = new Array<number>(trials).fill(0);
  for (let i = 0; i < points.n; i++)
    for (let t = 0; t < trials; t++)
      potentials[t]! += Math.min(closest[i]!, Math.max(0, approximate[i * trials + t]! * toSquaredUnits));
  return potentials;
}

function rows({ values, norms, d, frame }: Normalized, indices: readonly number[]): Normalized {
  const out = new Float32Array(indices.length * d);
  indices.forEach((i, row) => out.set(values.subarray(i * d, (i + 1) * d), row * d));
  return { values: out, n: indices.length, d, norms: Float64Array.from(indices, (i) => norms[i]!), frame };
}

function uniformSample(uniform: number, n: number): number {
  return Math.min(n - 1, Math.floor(uniform * n));
}

function cumulated(values: Float64Array): Float64Array {
  let total = 0;
  return values.map((value) => (total += value));
}

/** The first index whose cumulated value exceeds the target, never one that adds nothing. */
function indexAt(cumulative: Float64Array, target: number): number {
  let low = 0;
  let high = cumulative.length - 1;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (cumulative[middle]! > target) high = middle;
    else low = middle + 1;
  }
  return low;
}
