import { invalid } from '../../base/errors.ts';
import { assertSameDimensions, assertShape, type Points } from '../math/points.ts';
import { type MatrixProduct } from '../math/product.ts';
import { randomStream } from '../math/random.ts';
import { nearestCentroids, type NearestCentroids } from './distortion.ts';
import { lloyd, type LloydResult } from './lloyd.ts';
import { rounded } from './rounded.ts';
import { startRunner } from './runner.ts';
import { search } from './search.ts';
import { sketchOf } from './sketch.ts';
import { spaceOf, type Space } from './space.ts';
import { type SwapStatistics } from './swaps.ts';
import { isHiddenBy, searchUnrounded } from './unrounded.ts';

export interface FitOptions {
  /** points per class, 1 to n */
  readonly k: number;
  /** independent random starts, of which the best is kept; also the measure of effort for all that follows from it; default 10 */
  readonly restarts?: number;
  /** per restart; one that reaches it is not converged; default 300 */
  readonly maxIterations?: number;
  /** Swaps are tried from the best restart until so many in a row did not help; 0 tries none; default 8 restarts / k. */
  readonly patience?: number;
  /** (k, d) each: further starts, such as a balanced quantizer's centroids; the distortion is not above theirs */
  readonly starts?: readonly Points[];
  readonly seed: number;
  /** keys the random numbers, so that classes are independent */
  readonly classIndex: number;
}

export interface FitProgress {
  readonly restart: number;
  readonly restarts: number;
  readonly iteration: number;
  /** as in `RestartStatistics` */
  readonly distortion: number;
}

export interface FitContext {
  readonly product: MatrixProduct;
  readonly signal?: AbortSignal;
  /** Awaited once per iteration: a caller that wants cancellation to be seen lets the event loop turn here. */
  readonly onProgress?: (progress: FitProgress) => void | Promise<void>;
}

export interface RestartStatistics {
  /**
   * Where it ended, as the search sees it. Without a sketch within a ten-thousandth of the total variance of what it is; with one an upper bound, which
   * counts the variance outside the sketch as if cells did not lessen it.
   */
  readonly distortion: number;
  readonly iterations: number;
  /** of samples from one cell to another */
  readonly moves: number;
  /** No sample moved any more. Else the limit was reached, or it was given up because it was clearly behind. */
  readonly converged: boolean;
}

/** What quantizing one class yields. */
export interface Codebook {
  /** (k, d) */
  readonly centroids: Points;
  /** (k,), sum to 1: the share of samples in each Voronoi cell */
  readonly weights: Float64Array;
  /** (k,), sum to n */
  readonly counts: Int32Array;
  /** (n,): the nearest centroid of each sample, ties to the lowest index */
  readonly assignment: Int32Array;
  /** mean squared distance to the nearest centroid; its square root is the W2 of the weighted codebook to the samples */
  readonly distortion: number;
  /** in the order of the restarts, then of the given starts */
  readonly restarts: readonly RestartStatistics[];
  /** which of them was kept */
  readonly best: number;
  readonly swaps: SwapStatistics;
}

/**
 * The optimal weighted k-point quantization of one class, as near as search comes to it: greedy k-means++, Hartigan's steps until no
 * sample moves, the best of several restarts, swaps from there, and Lloyd's algorithm to its end.
 *
 * Tan and Slade, "Dataset distillation as pushforward optimal quantization", 2025, algorithm 1, with a converged quantizer in
 * place of the paper's mini-batch one.
 *
 * The search runs in a sketch of the samples (sketch.ts), where a distance costs as much in 4096 dimensions as in 32. What it finds goes on by Hartigan's steps
 * in all dimensions as long as they pay, and then by Lloyd's on the samples themselves. Sketch and samples are rounded to grids where dot products are
 * exact (rounded.ts), and all else is decided in float64: the same points and options give the same bytes with any product that keeps its contract.
 * Where cells are too small for the grid, another search without it follows (unrounded.ts).
 *
 * No time can be less than that of reading the samples: to round them, to multiply them for the sketch, to add up and to measure cells takes ten passes over
 * n d values and 2 n d (3 RANK + 4 k) operations of products at least, 55 + 10 ms of one core and 20 ms of two at n = 1300, d = 4096, K = 100.
 *
 * Where samples repeat and fewer than k are distinct, the distortion is 0 and the spare centroids repeat samples with weight 0.
 *
 * @param points (n, d)
 * @throws INVALID_INPUT if k is not 1 to n, an option is out of its range or a value is not finite; CANCELLED
 */
export async function fitQuantizer(points: Points, options: FitOptions, context: FitContext): Promise<Codebook> {
  assertShape(points, 'points');
  const { k, restarts = 10, maxIterations = 300, starts = [], seed, classIndex } = options;
  const patience = options.patience ?? Math.ceil((SWAPS * Math.max(1, restarts)) / k);
  const { product, signal, onProgress } = context;
  const { n } = points;
  if (!Number.isInteger(k) || k < 1 || k > n)
    throw invalid(`expected 1 to ${n} centroids, got ${k}: a class of ${n} samples has no more`, { k });
  assertCount('restarts', restarts, starts.length > 0 ? 0 : 1);
  assertCount('maxIterations', maxIterations, 1);
  assertCount('patience', patience, 0);
  const given = await Promise.all(starts.map((start) => nearestTo(points, start, k, context)));

  const whole = spaceOf(rounded(points), product);
  const stream = (purpose: string, item: number) => randomStream({ seed, classIndex, purpose, item });
  const sketch = await sketchOf(whole, stream('sketch', 0), product, signal);
  const space = sketch ? spaceOf(sketch, product) : whole;
  const toDistortion = (potential: number) => potential / (n * space.scale * space.scale) + (sketch?.leftOut ?? 0);
  const found = await search(space, {
    k,
    streams: Array.from({ length: restarts }, (_, item) => stream('seeding', item)),
    given: given.map(({ assignment }) => assignment.slice()),
    maxIterations,
    finalists: Math.ceil(restarts * Math.min(1, FINALISTS / k)),
    patience,
    swapStream: (group) => stream('swaps', group),
    signal,
    onIteration: (restart, iteration, potential) =>
      onProgress?.({ restart, restarts, iteration, distortion: toDistortion(potential) }),
  });
  const finish = (assignment: Int32Array) =>
    finished(points, whole, assignment, { k, maxIterations, restarts }, context);
  const [first, ...others] = found.assignments;
  let end = await finish(first!);
  // The sketch may have hidden from the search that another end, or a given start, was better.
  for (const other of others.slice(0, Math.floor((others.length * FINISHED) / Math.max(k, FINISHED)))) {
    const ended = await finish(other);
    if (ended.distortion < end.distortion) end = ended;
  }
  for (const { assignment, distortion } of given) if (distortion < end.distortion) end = await finish(assignment);
  if (isHiddenBy(whole, end.distortion)) {
    const streams = Array.from({ length: Math.min(restarts, UNROUNDED) }, (_, item) => stream('unrounded', item));
    const other = await searchUnrounded(points, whole.sampleNorms, k, streams, maxIterations, context);
    if (other && other.distortion < end.distortion) end = other;
  }
  const { centroids, assignment, distortion } = end;
  const counts = new Int32Array(k);
  for (const c of assignment) counts[c]!++;
  return {
    centroids,
    weights: Float64Array.from(counts, (count) => count / n),
    counts,
    assignment,
    distortion,
    restarts: found.starts.map(({ potential, ...rest }) => ({ distortion: toDistortion(potential), ...rest })),
    best: found.best,
    swaps: found.swaps,
  };
}

/**
 * Restarts that are carried to the end, and swaps in a row that may fail, are so many of k = 1: with more cells both cost more and change less. Measured
 * on CIFAR-10 (n = 5000, d = 256, ten restarts) and correlated latents (n = 1300, d = 4096): at K = 50 and 100 one start without swaps ends within 0.2%
 * of four with forty, and below the best of ten or a hundred of scikit-learn's; at K = 10 swaps find what further starts do not, in less time.
 */
const FINALISTS = 2;
const SWAPS = 8;

/** Starts of a search without the grid, where it hides the cells: each takes longer than ten on it. */
const UNROUNDED = 4;

/** All ends of a search are brought to the samples up to this k, fewer above it. */
const FINISHED = 10;

/** What a search has found, brought to the samples as they are: Hartigan's steps as long as they pay, then Lloyd's to the end. */
async function finished(
  points: Points,
  whole: Space,
  assignment: Int32Array,
  { k, maxIterations, restarts }: { k: number; maxIterations: number; restarts: number },
  context: FitContext,
): Promise<LloydResult> {
  const runner = startRunner(
    whole,
    0,
    { assignment, potential: Infinity },
    { k, maxIterations, signal: context.signal },
  );
  await runner.run({ leastGain: (LEAST_GAIN * whole.d) / Math.max(1, restarts) });
  return await lloyd(points, whole.sampleNorms, k, runner.partition().assignment, maxIterations, context);
}

/**
 * What a step has to gain for each dimension that it costs, as a share of the potential; less where more restarts ask for more effort. With ten restarts,
 * about four steps at n = 1300, d = 4096, K = 100: the first gains 0.6%, the tenth 0.03%, a step costs a tenth of the whole fit.
 */
const LEAST_GAIN = 2.5e-6;

async function nearestTo(points: Points, start: Points, k: number, context: FitContext): Promise<NearestCentroids> {
  assertSameDimensions(points, start);
  if (start.n !== k)
    throw invalid(`expected starts of ${k} centroids, got ${start.n}: quantize to the same number`, { k });
  return await nearestCentroids(points, start, context);
}

function assertCount(name: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least)
    throw invalid(`expected ${name} >= ${least}, got ${value}: give a whole number`);
}
