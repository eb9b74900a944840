import { invalid } from '../../base/errors.ts';
import { squaredDistance } from '../math/distance.ts';
import { mersenne, type Mersenne } from '../math/mersenne.ts';
import { assertPoints, type Points } from '../math/points.ts';
import { randomStream } from '../math/random.ts';

export interface D4mResult {
  /** (k, d): uniform weights belong to them; counts are thrown away */
  readonly centroids: Points;
  readonly steps: number;
  /** centroids that were thrown away for a sample of the batch because they had too little mass */
  readonly reassigned: number;
}

/**
 * The quantizer of D4M as its public code runs it: scikit-learn's `MiniBatchKMeans(n_clusters=k, random_state=0)`, one pass, a
 * `partial_fit` on exactly k samples at a time; up to k - 1 samples at the end are not seen. The baseline to compare with.
 *
 * The first k samples are the first centroids. A batch goes to its nearest centroids, each of which becomes the mean of all that it has
 * ever been given: a learning rate of 1 / count. Every tenth step, centroids with less than a hundredth of the largest count are replaced
 * by samples of the batch drawn at random, with numpy's generator, so that the same order gives the same centroids up to their order.
 *
 * Su et al., "D4M: dataset distillation via disentangled diffusion model", CVPR 2024; D. Sculley, "Web-scale k-means clustering", WWW 2010;
 * scikit-learn 1.9.1, sklearn/cluster/_kmeans.py.
 *
 * @param points (n, d)
 * @param order (m,): which samples in which order, m >= k
 * @throws INVALID_INPUT if a value is not finite, the order names a sample that is not there, or it has fewer than k
 */
export function d4m(points: Points, k: number, order: ArrayLike<number>): D4mResult {
  assertPoints(points, 'points');
  if (!Number.isInteger(k) || k < 1 || order.length < k)
    throw invalid(`expected 1 to ${order.length} centroids, got ${k}: the first batch holds one for each`, { k });
  const { values, n, d } = points;
  for (let p = 0; p < order.length; p++)
    if (!(order[p]! >= 0 && order[p]! < n))
      throw invalid(
        `expected an order of samples 0 to ${n - 1}, got ${order[p]} at index ${p}: order the samples that there are`,
        { index: p },
      );
  const centroids = new Float64Array(k * d);
  const counts = new Float64Array(k);
  for (let c = 0; c < k; c++) centroids.set(values.subarray(order[c]! * d, (order[c]! + 1) * d), c * d);
  const random = mersenne(0);
  skipSeeding(random, k);

  const steps = Math.floor(order.length / k);
  const batch = new Int32Array(k);
  let reassigned = 0;
  let sinceReassigned = 0;
  for (let step = 0; step < steps; step++) {
    for (let b = 0; b < k; b++) batch[b] = order[step * k + b]!;
    const due = counts.includes(0) || ++sinceReassigned === REASSIGN_EVERY;
    learn(points, batch, centroids, counts);
    if (!due) continue;
    sinceReassigned = 0;
    reassigned += reassign(points, batch, centroids, counts, random);
  }
  return { centroids: { values: Float32Array.from(centroids), n: k, d }, steps, reassigned };
}

/** Orders of the samples for several passes, counted like all randomness here. */
export function shuffledOrders(n: number, count: number, key: { seed: number; classIndex: number }): Int32Array[] {
  return Array.from({ length: count }, (_, item) => {
    const { uniform } = randomStream({ ...key, purpose: 'shuffle', item });
    const keys = Float64Array.from({ length: n }, (__, i) => uniform(i));
    return Int32Array.from({ length: n }, (__, i) => i).sort((a, b) => keys[a]! - keys[b]! || a - b);
  });
}

/** Steps: scikit-learn counts ten times k samples. */
const REASSIGN_EVERY = 10;

/** Numbers that the seeding of scikit-learn draws, two words each: it puts the first k samples in some order. */
function skipSeeding(random: Mersenne, k: number): void {
  const numbers = 1 + (k - 1) * (2 + Math.floor(Math.log(k)));
  for (let words = 0; words < 2 * numbers; words++) random.word();
}

/** The batch goes to the nearest centroids, which become the means of all that they were given. */
function learn({ values, d }: Points, batch: Int32Array, centroids: Float64Array, counts: Float64Array): void {
  const k = counts.length;
  const given = new Float64Array(k * d);
  const joined = new Int32Array(k);
  for (const i of batch) {
    let nearest = 0;
    let least = Infinity;
    for (let c = 0; c < k; c++) {
      const squared = squaredDistance(values, i, centroids, c, d);
      if (squared >= least) continue;
      least = squared;
      nearest = c;
    }
    joined[nearest]!++;
    for (let j = 0; j < d; j++) given[nearest * d + j]! += values[i * d + j]!;
  }
  for (let c = 0; c < k; c++) {
    if (joined[c] === 0) continue;
    const before = counts[c]!;
    counts[c]! += joined[c]!;
    for (let p = c * d; p < (c + 1) * d; p++) centroids[p] = (centroids[p]! * before + given[p]!) / counts[c]!;
  }
}

/** Centroids of little mass take samples of the batch, half of it at most, and the least count of the others. */
function reassign(
  { values, d }: Points,
  batch: Int32Array,
  centroids: Float64Array,
  counts: Float64Array,
  random: Mersenne,
): number {
  const k = counts.length;
  const least = REASSIGNMENT_RATIO * counts.reduce((a, b) => Math.max(a, b));
  let poor = Array.from(counts.keys()).filter((c) => counts[c]! < least);
  if (poor.length > k / 2) {
    const poorest = Array.from(counts.keys()).sort((a, b) => counts[a]! - counts[b]! || a - b);
    const few = new Set(poorest.slice(0, Math.floor(k / 2)));
    poor = poor.filter((c) => few.has(c));
  }
  if (poor.length === 0) return 0;
  const samples = random.permutation(k);
  const rich = counts.reduce((low, count, c) => (poor.includes(c) ? low : Math.min(low, count)), Infinity);
  poor.forEach((c, at) => {
    const i = batch[samples[at]!]!;
    centroids.set(values.subarray(i * d, (i + 1) * d), c * d);
    counts[c] = rich;
  });
  return poor.length;
}

const REASSIGNMENT_RATIO = 0.01;
