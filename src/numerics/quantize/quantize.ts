import { invalid } from '../../base/errors.ts';
import { frameOf, normalize } from '../math/distance.ts';
import { assertPoints, type Points } from '../math/points.ts';
import { type MatrixProduct } from '../math/product.ts';
import { randomStream } from '../math/random.ts';
import { nearestCentroids } from './distortion.ts';
import { lloyd, type LloydResult } from './lloyd.ts';
import { seedGreedily } from './seeding.ts';

export interface FitOptions {
  /** points per class, 1 to n */
  readonly k: number;
  /** independent starts, of which the best is kept; default 10 */
  readonly restarts?: number;
  /** per restart; one that reaches it is not converged; default 300 */
  readonly maxIterations?: number;
  readonly seed: number;
  /** keys the random numbers, so that classes are independent */
  readonly classIndex: number;
}

export interface FitProgress {
  readonly restart: number;
  readonly restarts: number;
  readonly iteration: number;
  readonly distortion: number;
}

export interface FitContext {
  readonly product: MatrixProduct;
  readonly signal?: AbortSignal;
  /** Awaited once per iteration: a caller that wants cancellation to be seen lets the event loop turn here. */
  readonly onProgress?: (progress: FitProgress) => void | Promise<void>;
}

export interface RestartStatistics {
  readonly distortion: number;
  readonly iterations: number;
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
  /** in the order of the restarts */
  readonly restarts: readonly RestartStatistics[];
  /** which of the restarts was kept */
  readonly best: number;
}

/**
 * The optimal weighted k-point quantization of one class, as near as restarts come to it: greedy k-means++, then Lloyd until no
 * sample moves, the best of several restarts, and one exact assignment pass for the weights.
 *
 * Tan and Slade, "Dataset distillation as pushforward optimal quantization", 2025, algorithm 1, with a converged quantizer in
 * place of the paper's mini-batch one.
 *
 * Where samples repeat and fewer than k are distinct, the distortion is 0 and the spare centroids repeat samples with weight 0.
 * The same points, options and product give the same bytes.
 *
 * Measured on one thread of a busy 2-core machine, plain product, n = 5000, d = 256, ten restarts of correlated data: 1.4 s at
 * K = 10 and 3.7 s at K = 50, of which the product of the seeding 0.2 and 1.6 s.
 *
 * @param points (n, d)
 * @throws INVALID_INPUT if k is not 1 to n, an option is out of its range or a value is not finite; CANCELLED
 */
export async function fitQuantizer(points: Points, options: FitOptions, context: FitContext): Promise<Codebook> {
  assertPoints(points, 'points');
  const { k, restarts = 10, maxIterations = 300, seed, classIndex } = options;
  const { product, signal, onProgress } = context;
  if (!Number.isInteger(k) || k < 1 || k > points.n)
    throw invalid(`expected 1 to ${points.n} centroids, got ${k}: a class of ${points.n} samples has no more`, { k });
  assertCount('restarts', restarts);
  assertCount('maxIterations', maxIterations);

  const normalized = normalize(points.values, points.n, points.d, frameOf(points));
  const statistics: RestartStatistics[] = [];
  let best: { restart: number; result: LloydResult } | undefined;
  for (let restart = 0; restart < restarts; restart++) {
    const random = randomStream({ seed, classIndex, purpose: 'seeding', item: restart });
    const start = await seedGreedily(points, normalized, k, random, { product, signal });
    const onIteration = (iteration: number, distortion: number) =>
      onProgress?.({ restart, restarts, iteration, distortion });
    const result = await lloyd(points, k, start, { maxIterations, signal, onIteration });
    const { distortion, distortions, converged } = result;
    statistics.push({ distortion, iterations: distortions.length, converged });
    if (!best || distortion < best.result.distortion) best = { restart, result };
  }
  return { ...(await measured(points, best!.result, context)), restarts: statistics, best: best!.restart };
}

/** The centroids as they will be stored, in float32, and what the samples make of them. */
async function measured(points: Points, { centroids }: LloydResult, { product, signal }: FitContext) {
  const stored: Points = { values: Float32Array.from(centroids), n: centroids.length / points.d, d: points.d };
  const { assignment, distortion } = await nearestCentroids(points, stored, { product, signal });
  const counts = new Int32Array(stored.n);
  for (const c of assignment) counts[c]!++;
  const weights = Float64Array.from(counts, (count) => count / points.n);
  return { centroids: stored, weights, counts, assignment, distortion };
}

function assertCount(name: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) throw invalid(`expected ${name} >= 1, got ${value}: give a whole number`);
}
