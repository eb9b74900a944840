import { invalid } from '../../base/errors.ts';
import { assertPoints, assertSameDimensions, type Points } from '../math/points.ts';
import { type MatrixProduct } from '../math/product.ts';
import { randomStream } from '../math/random.ts';
import { directSpace } from './direct.ts';
import { nearestCentroids, type NearestCentroids } from './distortion.ts';
import { gramSpace } from './gram.ts';
import { polished, type Polished } from './polish.ts';
import { rounded } from './rounded.ts';
import { search } from './search.ts';
import { type SwapStatistics } from './swaps.ts';

export interface FitOptions {
  /** points per class, 1 to n */
  readonly k: number;
  /** independent random starts, of which the best is kept; default 10 */
  readonly restarts?: number;
  /** per restart; one that reaches it is not converged; default 300 */
  readonly maxIterations?: number;
  /** Swaps are tried from the best restart until so many in a row did not help; 0 tries none; default 8. */
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
  /** on the grid of the search, see `RestartStatistics` */
  readonly distortion: number;
}

export interface FitContext {
  readonly product: MatrixProduct;
  readonly signal?: AbortSignal;
  /** Awaited once per iteration: a caller that wants cancellation to be seen lets the event loop turn here. */
  readonly onProgress?: (progress: FitProgress) => void | Promise<void>;
}

export interface RestartStatistics {
  /** where it ended, on the grid of the search: within a ten-thousandth of the total variance of that of the samples themselves */
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
 * The optimal weighted k-point quantization of one class, as near as search comes to it: greedy k-means++, Lloyd's and then
 * Hartigan's steps until no sample moves, the best of several restarts, swaps from there, and one exact assignment pass for the weights.
 *
 * Tan and Slade, "Dataset distillation as pushforward optimal quantization", 2025, algorithm 1, with a converged quantizer in
 * place of the paper's mini-batch one.
 *
 * The search runs on samples rounded to a grid, where dot products are exact (rounded.ts), in their space or in that of their Gram
 * matrix, whichever is cheaper. From its partition Lloyd's algorithm goes on with the samples themselves (polish.ts).
 * Every decision is exact or taken in float64, so the same points and options give the same bytes with any product that keeps its contract.
 *
 * Where samples repeat and fewer than k are distinct, the distortion is 0 and the spare centroids repeat samples with weight 0.
 *
 * @param points (n, d)
 * @throws INVALID_INPUT if k is not 1 to n, an option is out of its range or a value is not finite; CANCELLED
 */
export async function fitQuantizer(points: Points, options: FitOptions, context: FitContext): Promise<Codebook> {
  assertPoints(points, 'points');
  const { k, restarts = 10, maxIterations = 300, patience = 8, starts = [], seed, classIndex } = options;
  const { product, signal, onProgress } = context;
  const { n, d } = points;
  if (!Number.isInteger(k) || k < 1 || k > n)
    throw invalid(`expected 1 to ${n} centroids, got ${k}: a class of ${n} samples has no more`, { k });
  assertCount('restarts', restarts, starts.length > 0 ? 0 : 1);
  assertCount('maxIterations', maxIterations, 1);
  assertCount('patience', patience, 0);
  const given = await Promise.all(starts.map((start) => nearestTo(points, start, k, context)));

  const samples = rounded(points);
  const cheap = prefersGram({ n, d, k, restarts });
  const space = cheap ? await gramSpace(samples, product, signal) : directSpace(samples, product);
  const toDistortion = 1 / (n * samples.scale * samples.scale);
  const stream = (purpose: string, item: number) => randomStream({ seed, classIndex, purpose, item });
  const found = await search(space, {
    k,
    streams: Array.from({ length: restarts }, (_, item) => stream('seeding', item)),
    given: given.map(({ assignment }) => assignment),
    maxIterations,
    finalists: cheap ? restarts : Math.ceil(restarts * FINALISTS),
    patience,
    swapStream: stream('swaps', 0),
    signal,
    onIteration: (restart, iteration, potential) =>
      onProgress?.({ restart, restarts, iteration, distortion: potential * toDistortion }),
  });
  const codebook = await polished(points, found.assignment, k, maxIterations, context);
  return {
    ...(await notAbove(given, starts, codebook, points, maxIterations, context)),
    restarts: found.starts.map(({ potential, ...rest }) => ({ distortion: potential * toDistortion, ...rest })),
    best: found.best,
    swaps: found.swaps,
  };
}

/**
 * Whether the Gram matrix is the cheaper way, by multiplications. One outside of a product counts `SCALAR`, since a product does 60 GFLOP/s where a
 * loop does 2. A restart moves each sample about 1.5 times and takes about 40 iterations; swaps cost as much as four. In the direct space
 * sums go through products in two pieces and the restarts have to be seeded, but a fifth of them finish.
 *
 * Measured on a busy 2-core machine with one thread, CPU time in ms, ten restarts without swaps: n = 5000, d = 256, K = 50: about 2500 by the Gram
 * matrix (from four restarts, all finished) and 760 to 1030 directly (three finished); n = 1300, d = 4096, K = 10: 320 to 540 by the Gram matrix.
 */
export function prefersGram({ n, d, k, restarts }: { n: number; d: number; k: number; restarts: number }): boolean {
  if (n > LARGEST_GRAM) return false;
  const steps = 40 * n * k;
  const gram = 0.6 * n * n * d + (restarts + SWAPS) * SCALAR * (4 * n * n + steps);
  const seeding = restarts * k * (2 + Math.log(k)) * n * d;
  const direct = seeding + (Math.ceil(restarts * FINALISTS) + SWAPS) * (2 * steps * d + SCALAR * (6 * n * d + steps));
  return gram < direct;
}

const SWAPS = 4;

const SCALAR = 30;

/**
 * Share of the restarts that are carried to the end in the direct space, where a step is dear. Measured on the latents of CIFAR-10's airplanes at K = 10,
 * six seeds, CPU time, when starts were given up later than now (runner.ts): one of ten and swaps end at distortions of 167.232 to 167.398 in 0.9 s, all
 * ten without swaps at 167.234 to 167.383 in 1.05 s, three without swaps at 167.369 to 167.551 in 0.57 s. Two of ten were not among them.
 */
const FINALISTS = 0.2;

/** A Gram matrix of 256 MiB. */
const LARGEST_GRAM = 8192;

async function nearestTo(points: Points, start: Points, k: number, context: FitContext): Promise<NearestCentroids> {
  assertSameDimensions(points, start);
  if (start.n !== k)
    throw invalid(`expected starts of ${k} centroids, got ${start.n}: quantize to the same number`, { k });
  return await nearestCentroids(points, start, context);
}

/** Rounding may have hidden from the search that a given start was better. */
async function notAbove(
  given: readonly NearestCentroids[],
  starts: readonly Points[],
  codebook: Polished,
  points: Points,
  maxIterations: number,
  context: FitContext,
): Promise<Polished> {
  let best = codebook;
  for (const [g, { distortion, assignment }] of given.entries()) {
    if (best.distortion <= distortion) continue;
    best = await polished(points, assignment, starts[g]!.n, maxIterations, context);
  }
  return best;
}

function assertCount(name: string, value: number, least: number): void {
  if (!Number.isInteger(value) || value < least)
    throw invalid(`expected ${name} >= ${least}, got ${value}: give a whole number`);
}
