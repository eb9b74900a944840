import { type Points } from '../../numerics/math/points.ts';
import { rowsOf } from '../../numerics/math/rows.ts';
import { nearestCentroids, relativeSpread } from '../../numerics/quantize/distortion.ts';
import { medoids } from '../../numerics/quantize/medoids.ts';
import { type Codebook, fitQuantizer } from '../../numerics/quantize/quantize.ts';
import { effectiveSampleSize } from '../../numerics/quantize/weights.ts';
import { wasserstein2 } from '../../numerics/transport/wasserstein.ts';
import { type Latents } from '../latents.ts';
import { type WorkContext } from '../stage.ts';
import { rowsWith, splitLatents, type Holdout } from '../training.ts';
import { type Quantized, type QuantizerOptions } from './quantized.ts';

export type LloydOptions = Holdout & { k: number } & Omit<
    Extract<QuantizerOptions, { algorithm: 'LLOYD' }>,
    'algorithm'
  >;

/** The quantizer that searches with all latents of a class at hand. @param latents in the order of the dataset version */
export async function quantizeByLloyd(
  latents: Latents,
  options: LloydOptions,
  context: Pick<WorkContext, 'runtime' | 'signal' | 'onProgress'>,
): Promise<Quantized> {
  const { training, heldOut, isHeldOut } = splitLatents(latents, options);
  const { k, seed, label, restarts, maxIterations } = options;
  const fit = await fitQuantizer(
    training,
    { k, seed, classIndex: label, restarts, maxIterations },
    {
      product: context.runtime.product,
      signal: context.signal,
      onProgress: ({ restart, restarts }) => context.onProgress(Math.floor((latents.points.n * restart) / restarts)),
    },
  );
  const held = await assigned(heldOut, fit.centroids, context);
  const metrics = await figures(fit, training, { ...held, points: heldOut }, context);
  const nearest = medoids(training, fit.centroids, fit.assignment);
  const samples = rowsWith(isHeldOut, 0);
  return {
    ...fit,
    medoidSamples: nearest.map((i) => samples[i]!),
    medoids: rowsOf(training, nearest),
    isHeldOut,
    heldOutAssignment: held.assignment,
    heldOutDistances: held.squaredDistances,
    latentShape: latents.shape,
    metrics,
  };
}

type Context = Pick<WorkContext, 'runtime' | 'signal'>;

async function assigned(points: Points, centroids: Points, { runtime: { product }, signal }: Context) {
  if (points.n > 0) return await nearestCentroids(points, centroids, { product, signal });
  return { assignment: new Int32Array(), squaredDistances: new Float64Array(), distortion: 0 };
}

/** n: samples of the class; the quantizer saw `trainN` of them, the held-out figures are of `heldoutN`. */
async function figures(
  fit: Codebook,
  training: Points,
  heldOut: { points: Points; distortion: number },
  { runtime: { product }, signal }: Context,
): Promise<Record<string, number>> {
  const k = fit.centroids.n;
  const w2Weighted = Math.sqrt(fit.distortion);
  const equal = new Float64Array(k).fill(1 / k);
  const uniform = await wasserstein2(training, fit.centroids, equal, { product, signal });
  const converged = fit.restarts.filter((restart) => restart.converged);
  const metrics: Record<string, number> = {
    n: training.n + heldOut.points.n,
    trainN: training.n,
    heldoutN: heldOut.points.n,
    k,
    distortion: fit.distortion,
    w2Weighted,
    w2Uniform: uniform.w2,
    reduction: uniform.w2 > 0 ? 1 - w2Weighted / uniform.w2 : 0,
    ess: effectiveSampleSize(fit.weights),
    iterations: fit.restarts[fit.best]!.iterations,
    convergedRestarts: converged.length,
    // the others say how far behind they were when they were given up, and one alone says nothing
    ...(converged.length > 1 && { restartSpread: relativeSpread(converged.map(({ distortion }) => distortion)) }),
  };
  if (heldOut.points.n > 0) {
    metrics['heldoutDistortion'] = heldOut.distortion;
    metrics['heldoutW2'] = (await wasserstein2(heldOut.points, fit.centroids, fit.weights, { product, signal })).w2;
  }
  return metrics;
}
