import { throwIfAborted } from '../../base/abort.ts';
import { PushforwardError } from '../../base/errors.ts';
import { approximateSquaredDistances, errorBound, squaredDistance, type Normalized } from '../math/distance.ts';
import { type Points } from '../math/points.ts';
import { type MatrixProduct } from '../math/product.ts';
import { type RandomStream } from '../math/random.ts';
import { type Start } from './assignment.ts';

/**
 * Greedy k-means++: each next centroid is the best of 2 + floor(log k) samples that were drawn with probability proportional to
 * the squared distance to the nearest centroid so far.
 *
 * Arthur and Vassilvitskii, "k-means++: the advantages of careful seeding", SODA 2007, section 2 and the greedy variant of section 7.
 *
 * The trials are compared by the product's approximate distances. Whether a sample is nearer to the one that is taken is decided
 * in float64 where the approximation leaves doubt. Once every sample lies on a centroid (fewer distinct samples than k), further
 * centroids repeat samples.
 *
 * @param points (n, d), checked by the caller, and `normalized` the same points in their frame
 * @returns k of the samples, and what was learnt of the distances to them
 */
export async function seedGreedily(
  points: Points,
  normalized: Normalized,
  k: number,
  random: RandomStream,
  { product, signal }: { product: MatrixProduct; signal?: AbortSignal },
): Promise<Required<Start>> {
  const { values, n, d } = points;
  const centroids = new Float64Array(k * d);
  const nearest = new Int32Array(n);
  const closest = new Float64Array(n).fill(Infinity);
  const lowerBounds = new Float64Array(n * k);
  const trials = 2 + Math.floor(Math.log(k));

  for (let c = 0; c < k; c++) {
    throwIfAborted(signal);
    const { sample, floors } = await choose(c);
    centroids.set(values.subarray(sample * d, (sample + 1) * d), c * d);
    for (let i = 0; i < n; i++) {
      const certain = floors !== undefined && floors[i]! > closest[i]!;
      const squared = certain ? floors[i]! : squaredDistance(values, i, centroids, c, d);
      lowerBounds[i * k + c] = Math.sqrt(squared);
      if (squared >= closest[i]!) continue;
      closest[i] = squared;
      nearest[i] = c;
    }
  }
  return { centroids, nearest, lowerBounds };

  async function choose(c: number): Promise<Trial> {
    const draw = (trial: number) => random.uniform(c * trials + trial);
    const cumulative = cumulated(closest);
    const total = cumulative[n - 1]!;
    if (c === 0 || total === 0) return { sample: Math.floor(draw(0) * n) };
    const candidates = Array.from({ length: trials }, (_, t) => indexAt(cumulative, draw(t) * total));
    return bestTrial(candidates, closest, normalized, product, signal);
  }
}

interface Trial {
  readonly sample: number;
  /** (n,): squared distances to it are no less */
  readonly floors?: Float64Array;
}

/** The candidate that leaves the least sum of squared distances to the nearest centroid. */
async function bestTrial(
  candidates: readonly number[],
  closest: Float64Array,
  points: Normalized,
  product: MatrixProduct,
  signal: AbortSignal | undefined,
): Promise<Trial> {
  const { n, d, norms, frame } = points;
  const trials = candidates.length;
  const approximate = await approximateSquaredDistances(points, rows(points, candidates), product, signal);
  const toSquaredUnits = 1 / (frame.scale * frame.scale);
  const potentials = new Float64Array(trials);
  for (let i = 0; i < n; i++)
    for (let t = 0; t < trials; t++)
      potentials[t]! += Math.min(closest[i]!, Math.max(0, approximate[i * trials + t]! * toSquaredUnits));
  if (!potentials.every(Number.isFinite)) throw brokenProduct(potentials);
  const best = potentials.indexOf(Math.min(...potentials));
  const sample = candidates[best]!;
  const floors = Float64Array.from(
    norms,
    (norm, i) => (approximate[i * trials + best]! - errorBound(norm, norms[sample]!, d)) * toSquaredUnits,
  );
  return { sample, floors };
}

function brokenProduct(potentials: Float64Array): PushforwardError {
  const received = potentials.find((potential) => !Number.isFinite(potential));
  return new PushforwardError(
    'NON_FINITE',
    `expected a finite matrix product of values up to 1, got sums of ${received}: the runtime must multiply in float32`,
  );
}

function rows({ values, norms, d, frame }: Normalized, indices: readonly number[]): Normalized {
  const out = new Float32Array(indices.length * d);
  indices.forEach((i, row) => out.set(values.subarray(i * d, (i + 1) * d), row * d));
  return { values: out, n: indices.length, d, norms: Float64Array.from(indices, (i) => norms[i]!), frame };
}

function cumulated(values: Float64Array): Float64Array {
  const out = new Float64Array(values.length);
  for (let i = 0, total = 0; i < values.length; i++) out[i] = total += values[i]!;
  return out;
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
