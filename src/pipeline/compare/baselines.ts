import { throwIfAbortedByNow } from '../../base/abort.ts';
import { type Points } from '../../numerics/math/points.ts';
import { type MatrixProduct } from '../../numerics/math/product.ts';
import { deviation, mean } from '../../numerics/math/sum.ts';
import { fitBalanced } from '../../numerics/quantize/balanced.ts';
import { d4m, shuffledOrders } from '../../numerics/quantize/d4m.ts';
import { exactTransport } from '../../numerics/transport/transport.ts';
import { wasserstein2 } from '../../numerics/transport/wasserstein.ts';

/** Quantizers with uniform weights that ours is measured against, by exact transport to the same latents. */
export interface BaselineContext {
  product: MatrixProduct;
  signal?: AbortSignal;
  /** Awaited after each codebook that was measured. */
  onMeasured?: () => void;
}

export interface Baseline {
  /** (k, d) */
  centroids: Points;
  /** in latent units */
  w2: number;
}

/**
 * The best k points with weights 1/k, as near as the search comes from our own: never above these with weights 1/k.
 *
 * @param training (n, d)
 * @param centroids (k, d) of the weighted codebook, where the search starts
 */
export async function balancedBaseline(
  training: Points,
  centroids: Points,
  { product, signal, onMeasured }: BaselineContext,
): Promise<Baseline> {
  const fit = await fitBalanced(training, { starts: [centroids] }, { product, transport: exactTransport, signal });
  const { w2 } = await wasserstein2(training, fit.centroids, fit.weights, { product, signal });
  onMeasured?.();
  return { centroids: fit.centroids, w2 };
}

export interface D4mBaseline {
  /** (k, d) of the first shuffle */
  centroids: Points;
  /** over the shuffles, in latent units */
  w2Mean: number;
  /** sample standard deviation over the shuffles */
  w2Deviation: number;
}

/**
 * D4M's quantizer on shuffled orders of the samples, with the weights 1/k that D4M uses: one shuffle alone says little, since its W2
 * moves by several percent with the order.
 *
 * @param training (n, d)
 */
export async function d4mBaseline(
  training: Points,
  of: { k: number; shuffles: number; seed: number; classIndex: number },
  { product, signal, onMeasured }: BaselineContext,
): Promise<D4mBaseline> {
  const uniform = new Float64Array(of.k).fill(1 / of.k);
  const found: Baseline[] = [];
  for (const order of shuffledOrders(training.n, of.shuffles, of)) {
    await throwIfAbortedByNow(signal);
    const { centroids } = d4m(training, of.k, order);
    const { w2 } = await wasserstein2(training, centroids, uniform, { product, signal });
    found.push({ centroids, w2 });
    onMeasured?.();
  }
  const distances = found.map(({ w2 }) => w2);
  return { centroids: found[0]!.centroids, w2Mean: mean(distances), w2Deviation: deviation(distances) };
}
