import { type Points } from '../../numerics/math/points.ts';
import { type Recipe } from '../recipe.ts';
import { type Holdout } from '../training.ts';

/** What a quantize task is asked to do. */
export interface QuantizeOptions extends Holdout {
  className: string;
  /** Points. */
  k: number;
  quantizer: QuantizerOptions;
}

export type QuantizerOptions =
  { algorithm: 'LLOYD'; restarts: number; maxIterations: number } | { algorithm: 'CLVQ'; passes: number };

/** The part of a recipe that the chosen algorithm reads: what it does not read is no part of a codebook's identity. */
export function quantizerOptions({
  algorithm,
  restarts,
  maxIterations,
  passes,
}: Recipe['quantizer']): QuantizerOptions {
  return algorithm === 'LLOYD' ? { algorithm, restarts, maxIterations } : { algorithm, passes };
}

/** What any of the algorithms yields. */
export interface Quantized {
  /** (k, d) */
  centroids: Points;
  /** (k,) Voronoi masses, sum 1 */
  weights: Float64Array;
  /** (k,) training samples per cell */
  counts: ArrayLike<number>;
  /** the nearest point of each training sample, in the order of the dataset version */
  assignment: Int32Array;
  /** (k,) of the samples of each cell the one nearest to its centroid, by its place in the order of the dataset version */
  medoidSamples: Int32Array;
  /** (k, d) its latents */
  medoids: Points;
  /** (n,) 1 for the samples that were held out, in the order of the dataset version */
  isHeldOut: Uint8Array;
  /** (h,) of those that were held out: the nearest point, and the squared distance to it */
  heldOutAssignment: Int32Array;
  heldOutDistances: Float64Array;
  /** What d flattens: (channels, height, width). */
  latentShape: number[];
  metrics: Record<string, number>;
}
