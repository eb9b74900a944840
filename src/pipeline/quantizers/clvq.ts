import { type Points } from '../../numerics/math/points.ts';
import { randomStream } from '../../numerics/math/random.ts';
import { fitOnline, streamedAssignment } from '../../numerics/quantize/online.ts';
import { effectiveSampleSize } from '../../numerics/quantize/weights.ts';
import { wasserstein2 } from '../../numerics/transport/wasserstein.ts';
import { type LatentStream, sampleOf } from '../latent-stream.ts';
import { type WorkContext } from '../stage.ts';
import { heldOutFlags, rowsWith, type Holdout } from '../training.ts';
import { type Quantized, type QuantizerOptions } from './quantized.ts';

export type ClvqOptions = Holdout & { k: number } & Omit<Extract<QuantizerOptions, { algorithm: 'CLVQ' }>, 'algorithm'>;

/**
 * The quantizer for a class that does not fit in memory: it learns from batches of its latents and ends with one exact pass. Batches are
 * cut from the order of the dataset version, which is that of digests and so does not depend on what the images show; each pass
 * begins at a place of its own that the seed chooses. So the points do not depend on how the version is cut into chunks.
 *
 * At most a batch, or `SAMPLE` latents, are in memory beside the points.
 */
export async function quantizeByClvq(
  stream: LatentStream,
  options: ClvqOptions,
  { runtime: { product }, signal, onProgress }: Pick<WorkContext, 'runtime' | 'signal' | 'onProgress'>,
): Promise<Quantized> {
  const { k, passes, seed, label } = options;
  const isHeldOut = heldOutFlags(stream.n, options);
  const [training, heldOut] = [rowsWith(isHeldOut, 0), rowsWith(isHeldOut, 1)];
  const starts = randomStream({ seed, classIndex: label, purpose: 'stream' });
  const size = Math.max(BATCH, 2 * k);
  const assignment = new Int32Array(training.length);
  let assigned = 0;
  let seen = 0;

  async function* batches(pass: number): AsyncGenerator<Points> {
    const start = pass === passes ? 0 : Math.floor(starts.uniform(pass) * training.length);
    for await (const batch of inBatches(stream, rotated(training, start), size)) {
      yield batch;
      seen += batch.n;
      // a pass more where cells are empty
      onProgress(Math.floor(stream.n * Math.min(1, seen / (training.length * (passes + 1)))));
    }
  }

  const fit = await fitOnline(
    batches,
    {
      k,
      passes,
      seed,
      classIndex: label,
      onAssigned: (some) => {
        assignment.set(some, assigned);
        assigned += some.length;
      },
    },
    { product, signal },
  );
  const held = await nearestTo(heldOut);
  const metrics: Record<string, number> = {
    n: stream.n,
    trainN: training.length,
    heldoutN: heldOut.length,
    k,
    distortion: fit.distortion,
    w2Weighted: Math.sqrt(fit.distortion),
    ess: effectiveSampleSize(fit.weights),
    iterations: passes,
    ...(await sampledFigures()),
    ...(heldOut.length > 0 ? await heldOutFigures(held.distortion) : {}),
  };
  const medoidSamples = fit.medoids.map((i) => training[i]!);
  const medoids = await stream.read(medoidSamples);
  return {
    ...{ ...fit, assignment, medoidSamples, medoids, isHeldOut, latentShape: stream.shape, metrics },
    ...{ heldOutAssignment: held.assignment, heldOutDistances: held.squaredDistances },
  };

  async function nearestTo(rows: Int32Array) {
    const [points, squaredDistances] = [new Int32Array(rows.length), new Float64Array(rows.length)];
    let at = 0;
    const { distortion } = await streamedAssignment(
      inBatches(stream, rows, size),
      fit.centroids,
      { product, signal },
      (nearest, squared) => {
        points.set(nearest, at);
        squaredDistances.set(squared, at);
        at += nearest.length;
      },
    );
    return { assignment: points, squaredDistances, distortion };
  }

  /** Transport needs all samples at once: it is measured on `w2UniformN` of the training latents, with either weights. */
  async function sampledFigures(): Promise<Record<string, number>> {
    const sample = await sampled(training, 'figures');
    const w2 = async (weights: Float64Array) =>
      (await wasserstein2(sample, fit.centroids, weights, { product, signal })).w2;
    const [weighted, uniform] = [await w2(fit.weights), await w2(new Float64Array(k).fill(1 / k))];
    return { w2Uniform: uniform, w2UniformN: sample.n, reduction: uniform > 0 ? 1 - weighted / uniform : 0 };
  }

  async function heldOutFigures(distortion: number): Promise<Record<string, number>> {
    const sample = await sampled(heldOut, 'held-out figures');
    const { w2 } = await wasserstein2(sample, fit.centroids, fit.weights, { product, signal });
    return { heldoutDistortion: distortion, heldoutW2: w2 };
  }

  async function sampled(rows: Int32Array, purpose: string): Promise<Points> {
    const random = randomStream({ seed, classIndex: label, purpose });
    return await sampleOf(stream, rows, SAMPLE, random);
  }
}

/** Latents at once; more where there are so many points that the first batch, which they are seeded on, should have more. */
const BATCH = 1024;

/** Latents that figures are measured on which need all at once. */
export const SAMPLE = 4096;

async function* inBatches(stream: LatentStream, rows: Int32Array, size: number): AsyncGenerator<Points> {
  for (let from = 0; from < rows.length; from += size) yield await stream.read(rows.subarray(from, from + size));
}

function rotated(rows: Int32Array, by: number): Int32Array {
  const turned = new Int32Array(rows.length);
  turned.set(rows.subarray(by));
  turned.set(rows.subarray(0, by), rows.length - by);
  return turned;
}
