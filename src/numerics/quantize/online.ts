import { throwIfAborted } from '../../base/abort.ts';
import { invalid } from '../../base/errors.ts';
import { assertPoints, type Points } from '../math/points.ts';
import { type MatrixProduct } from '../math/product.ts';
import { randomStream } from '../math/random.ts';
import { rowsOf } from '../math/rows.ts';
import { nearestCentroids } from './distortion.ts';
import { rounded } from './rounded.ts';
import { seedGreedily } from './seeding.ts';
import { spaceOf } from './space.ts';

export interface OnlineOptions {
  readonly k: number;
  /** how often all samples are seen while the centroids learn; default 3 */
  readonly passes?: number;
  readonly seed: number;
  readonly classIndex: number;
  /** Is handed the nearest centroid of each sample of each batch of the last, exact pass, and its squared distance. */
  readonly onAssigned?: (assignment: Int32Array, squaredDistances: Float64Array) => void;
}

/** What quantizing a stream yields: of the samples only their number is known at the end. */
export interface StreamedCodebook {
  /** (k, d) */
  readonly centroids: Points;
  /** (k,), sum to 1: the share of samples in each Voronoi cell */
  readonly weights: Float64Array;
  /** (k,), sum to n */
  readonly counts: Float64Array;
  /** mean squared distance to the nearest centroid */
  readonly distortion: number;
  /** (k,) of the samples of each cell the one nearest to its centroid, by its place in the stream; as `medoids` has them */
  readonly medoids: Int32Array;
  readonly n: number;
  /** mean squared distance to the centroids as they were when each batch came, pass by pass */
  readonly passDistortions: readonly number[];
}

/**
 * Competitive learning vector quantization of a class that does not fit in memory: the nearest centroid moves towards each sample by the rate
 * gamma = 1 / count, where count is what the centroid was given before, plus one. Since sum gamma = infinity and sum gamma^2 < infinity, it
 * converges to a stationary point of the distortion, and a centroid is the mean of all that it was given. Each pass starts with the counts
 * cut to a share of the last, lest what came while the centroids were still far off holds them back.
 *
 * Samples of a batch see the centroids as they were before it. Batches should come in an order that does not depend on what they hold.
 * The first must have at least k samples: centroids begin there by greedy k-means++. After the last pass one more gives every sample to its nearest
 * centroid, exactly; its counts, weights, distortion and medoids do not depend on the batches, but the centroids do. Where cells came out empty,
 * another pass finds the samples nearest to these.
 *
 * G. Pages, "Introduction to vector quantization and its applications for numerics", ESAIM Proc. 2015, section 3.2 (CLVQ and its rates);
 * J. MacQueen, 1967; D. Sculley, "Web-scale k-means clustering", WWW 2010.
 *
 * @param batches (b, d) each, all samples anew each time it is called: for `pass` 0 to `passes` - 1 to learn from, `passes` to measure
 * @throws INVALID_INPUT if a shape does not fit, a value is not finite or the first batch is too small; CANCELLED
 */
export async function fitOnline(
  batches: (pass: number) => AsyncIterable<Points>,
  { k, passes = 3, seed, classIndex, onAssigned }: OnlineOptions,
  context: { product: MatrixProduct; signal?: AbortSignal },
): Promise<StreamedCodebook> {
  if (!Number.isInteger(passes) || passes < 1)
    throw invalid(`expected passes >= 1, got ${passes}: give a whole number`);
  if (!Number.isInteger(k) || k < 1) throw invalid(`expected k >= 1, got ${k}: give a whole number`, { k });
  let centroids: Float64Array | undefined;
  const given = new Float64Array(k);
  const passDistortions: number[] = [];
  let d = 0;
  for (let pass = 0; pass < passes; pass++) {
    let total = 0;
    let seen = 0;
    for (let c = 0; c < k; c++) given[c] = Math.floor(given[c]! * KEPT);
    for await (const batch of batches(pass)) {
      throwIfAborted(context.signal);
      assertPoints(batch, 'points');
      d = batch.d;
      centroids ??= await seededOn(batch, k, { seed, classIndex }, context);
      const current: Points = { values: Float32Array.from(centroids), n: k, d };
      const { assignment, squaredDistances } = await nearestCentroids(batch, current, context);
      for (const squared of squaredDistances) total += squared;
      seen += batch.n;
      for (let i = 0; i < batch.n; i++) learn(batch, i, centroids, assignment[i]!, given);
    }
    if (seen === 0) throw invalid('expected at least one batch, got none: a class without samples has no quantizer');
    passDistortions.push(total / seen);
  }
  const stored: Points = { values: Float32Array.from(centroids!), n: k, d };
  const measured = await streamedAssignment(batches(passes), stored, context, onAssigned);
  const empty = Int32Array.from(measured.counts.keys()).filter((c) => measured.counts[c] === 0);
  if (empty.length > 0) {
    const nearest = await nearestOfStream(batches(passes), rowsOf(stored, empty), context);
    empty.forEach((c, at) => (measured.medoids[c] = nearest[at]!));
  }
  return { ...measured, passDistortions };
}

/** Share of the counts that a pass begins with. */
const KEPT = 0.25;

/**
 * Weights, distortion and medoids of centroids on a stream, exactly; an empty cell has no medoid but -1.
 *
 * @param centroids (k, d)
 */
export async function streamedAssignment(
  batches: AsyncIterable<Points>,
  centroids: Points,
  context: { product: MatrixProduct; signal?: AbortSignal },
  onAssigned: OnlineOptions['onAssigned'] = () => {},
): Promise<Omit<StreamedCodebook, 'passDistortions'>> {
  const counts = new Float64Array(centroids.n);
  const medoids = new Int32Array(centroids.n).fill(-1);
  const least = new Float64Array(centroids.n).fill(Infinity);
  let n = 0;
  let total = 0;
  let lost = 0;
  for await (const batch of batches) {
    const { assignment, squaredDistances } = await nearestCentroids(batch, centroids, context);
    for (let i = 0; i < batch.n; i++) {
      const c = assignment[i]!;
      const x = squaredDistances[i]!;
      counts[c]!++;
      if (x < least[c]!) {
        least[c] = x;
        medoids[c] = n + i;
      }
      // Neumaier's sum, as in math/sum.ts: sample by sample, so that batches do not matter.
      const next = total + x;
      lost += total >= x ? total - next + x : x - next + total;
      total = next;
    }
    n += batch.n;
    onAssigned(assignment, squaredDistances);
  }
  return { centroids, weights: counts.map((count) => count / n), counts, distortion: (total + lost) / n, medoids, n };
}

/** (k,): the nearest sample of all to each centroid, by its place in the stream; ties to the first. */
async function nearestOfStream(
  batches: AsyncIterable<Points>,
  centroids: Points,
  context: { product: MatrixProduct; signal?: AbortSignal },
): Promise<Int32Array> {
  const found = new Int32Array(centroids.n).fill(-1);
  const least = new Float64Array(centroids.n).fill(Infinity);
  let n = 0;
  for await (const batch of batches) {
    const { assignment, squaredDistances } = await nearestCentroids(centroids, batch, context);
    squaredDistances.forEach((squared, c) => {
      if (squared >= least[c]!) return;
      least[c] = squared;
      found[c] = n + assignment[c]!;
    });
    n += batch.n;
  }
  return found;
}

/** (k, d): the means of the cells of greedy k-means++ on a batch. */
async function seededOn(
  batch: Points,
  k: number,
  key: { seed: number; classIndex: number },
  { product, signal }: { product: MatrixProduct; signal?: AbortSignal },
): Promise<Float64Array> {
  if (k > batch.n) throw invalid(`expected 1 to ${batch.n} centroids, got ${k}: make the first batch larger`, { k });
  const random = randomStream({ ...key, purpose: 'online seeding' });
  const [seeding] = await seedGreedily(spaceOf(rounded(batch), product), k, [random], signal);
  const centroids = new Float64Array(k * batch.d);
  const given = new Float64Array(k);
  seeding!.assignment.forEach((c, i) => learn(batch, i, centroids, c, given));
  return centroids;
}

function learn({ values, d }: Points, i: number, centroids: Float64Array, c: number, given: Float64Array): void {
  const rate = 1 / ++given[c]!;
  for (let p = i * d, q = c * d, end = p + d; p < end; p++, q++) centroids[q]! += rate * (values[p]! - centroids[q]!);
}
