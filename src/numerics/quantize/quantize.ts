import { type MatrixProduct } from '../math/product.ts';
import { type Points } from '../math/points.ts';

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

export async function fitQuantizer(_points: Points, _options: FitOptions, _context: FitContext): Promise<Codebook> {
  throw new Error('to be filled in');
}
