import { throwIfAbortedByNow } from '../../base/abort.ts';
import { type JsonObject } from '../../base/json.ts';
import { type TaskSpec } from '../../engine/ports.ts';
import { type Points } from '../../numerics/math/points.ts';
import { randomStream } from '../../numerics/math/random.ts';
import { refitWeights } from '../../numerics/quantize/refit.ts';
import { effectiveSampleSize } from '../../numerics/quantize/weights.ts';
import { wasserstein2 } from '../../numerics/transport/wasserstein.ts';
import { readManifest } from '../artifacts.ts';
import { balancedBaseline, d4mBaseline } from '../compare/baselines.ts';
import { nearestTraining, reencoded } from '../compare/decoded.ts';
import { writeSafetensors } from '../formats/safetensors.ts';
import { openLatents, type LatentStream, sampleOf } from '../latent-stream.ts';
import { asLatents, readTensors } from '../latents.ts';
import { describedPrior } from '../prior/described.ts';
import { taskOf, type Produced, type Stage, type WorkContext } from '../stage.ts';
import { heldOutFlags, rowsWith, type Holdout } from '../training.ts';

/**
 * Codebooks and images against what else could have been, one class a task: the balanced quantizer and D4M's, both with uniform weights, and
 * the decoded images, encoded again: how far the decoder moved them, whether it copied, and which weights suit them where they are now. All by
 * exact transport on the latents that the quantizer saw.
 *
 * For n samples of d dimensions, K points and s shuffles: D4M takes s n K d multiplications, the balanced quantizer some twenty transports and
 * products of n K d, refitted weights a product of n^2 d and a few solutions of K^3. At n = 4500, d = 256, K = 50, one thread of a busy 2-core machine:
 * 3.5 s for D4M, 1.2 s for balanced, 1.9 s for the weights, where quantizing takes 4.4 s. Memory: a chunk of latents, and of at most
 * `MOST_COMPARED` of them two copies and two matrices of K numbers each.
 */
export const compare: Stage = {
  name: 'compare',
  version: 1,

  async plan({ recipe, published, inputs, projectId, store }) {
    if (recipe.compare.mode === 'OFF') return { kind: 'skip', reason: 'the recipe asks for no comparison' };
    const prior = await describedPrior(store, projectId, inputs['prior']!);
    const images = published.get('decode') ?? [];
    const tasks = (published.get('quantize') ?? []).map((codebook, index): TaskSpec => {
      const { className, label } = codebook.manifest.content as { className: string; label: number };
      const options: JsonObject = {
        className,
        label,
        holdout: recipe.holdout,
        seed: recipe.seed,
        d4mShuffles: recipe.compare.d4mShuffles,
        encoder: prior.files['vae_encoder/model.onnx']!.sha256,
        scaling: [prior.scalingFactor, prior.shiftFactor],
      };
      // a codebook is made of the latents of its class
      const identity = [codebook.manifest.id, images[index]!.manifest.id, ...codebook.manifest.inputs];
      return taskOf(compare, {
        index,
        title: className,
        labels: { class: className },
        items: codebook.manifest.metrics['n']!,
        options,
        locators: { prior: inputs['prior']! },
        identity,
        inputs: [inputs['prior']!, ...identity],
      });
    });
    return { kind: 'tasks', tasks };
  },

  async run(task, context) {
    const options = task.options as unknown as CompareOptions;
    const of = await readSoFar(task, options, context);
    const steps = options.d4mShuffles + 4;
    let done = 0;
    const onStep = () => context.onProgress(Math.floor((task.items * ++done) / steps));
    const baselines = await measureBaselines(of, options, context, onStep);
    const decoded = await measureDecoded(of, options, context, onStep);
    return comparisonArtifact(options, of.latentShape, {
      tensors: { ...baselines.tensors, ...decoded.tensors },
      weights: decoded.weights,
      metrics: { ...baselines.metrics, ...decoded.metrics },
    });
  },
};

interface CompareOptions extends Holdout {
  className: string;
  d4mShuffles: number;
}

/** What a class consists of so far. */
interface ClassSoFar {
  /** (n, d), those that the quantizer saw; at most `MOST_COMPARED` of them */
  training: Points;
  /** (k, d) */
  centroids: Points;
  /** (k,) */
  weights: Float64Array;
  /** of the codebook to `training` */
  w2Weighted: number;
  /** (k, d): the decoded images, encoded again */
  codes: Points;
  latentShape: number[];
}

async function readSoFar(
  { inputs, locators }: TaskSpec,
  options: CompareOptions,
  context: WorkContext,
): Promise<ClassSoFar> {
  const { store, projectId, batch } = context;
  const [, codebookId, imagesId, ...chunks] = inputs as [string, string, string, ...string[]];
  const { centroids, weights } = await readTensors(store, projectId, codebookId, 'codebook.safetensors');
  const { images } = await readTensors(store, projectId, imagesId, 'images.safetensors');
  const { points, shape } = asLatents(centroids, `the codebook of ${options.className}`);
  const masses = weights!.data as Float64Array;
  const training = await compared(await openLatents(store, projectId, chunks), points.n, options);
  const { metrics } = await readManifest(store, projectId, codebookId);
  const whole = training.n === metrics['trainN'];
  const prior = await context.prior(locators['prior'] as string);
  return {
    training,
    centroids: points,
    weights: masses,
    w2Weighted: whole ? metrics['w2Weighted']! : (await wasserstein2(training, points, masses, productOf(context))).w2,
    codes: await reencoded(images!, prior, { className: options.className, batch }),
    latentShape: shape,
  };
}

const productOf = ({ runtime, signal }: WorkContext) => ({ product: runtime.product, signal });

/** A transport needs all samples at once. W2 to a sample of so many is above that to all of them, for each codebook by about the same. */
const MOST_COMPARED = 20_000;

/** Not fewer than the k points that quantizers are to find among them; no more than these are in memory. */
async function compared(stream: LatentStream, k: number, options: CompareOptions): Promise<Points> {
  const random = randomStream({ seed: options.seed, classIndex: options.label, purpose: 'compared' });
  const training = rowsWith(heldOutFlags(stream.n, options), 0);
  return await sampleOf(stream, training, Math.max(MOST_COMPARED, k), random);
}

interface Measured {
  tensors: Record<string, Points>;
  metrics: Record<string, number>;
}

async function measureBaselines(
  { training, centroids, w2Weighted }: ClassSoFar,
  { d4mShuffles: shuffles, seed, label }: CompareOptions,
  work: WorkContext,
  onMeasured: () => void,
): Promise<Measured> {
  const context = { ...productOf(work), onMeasured };
  const balanced = await balancedBaseline(training, centroids, context);
  const d4m = await d4mBaseline(training, { k: centroids.n, shuffles, seed, classIndex: label }, context);
  return {
    tensors: { balanced: balanced.centroids, d4m: d4m.centroids },
    metrics: {
      comparedN: training.n,
      w2Balanced: balanced.w2,
      reductionBalanced: reduction(w2Weighted, balanced.w2),
      w2D4mMean: d4m.w2Mean,
      w2D4mDeviation: d4m.w2Deviation,
      reductionD4m: reduction(w2Weighted, d4m.w2Mean),
    },
  };
}

const reduction = (ours: number, other: number): number => (other > 0 ? 1 - ours / other : 0);

async function measureDecoded(
  { training, weights, w2Weighted, codes }: ClassSoFar,
  { seed, label }: CompareOptions,
  work: WorkContext,
  onStep: () => void,
): Promise<Measured & { weights: Float64Array }> {
  const context = productOf(work);
  const { w2: w2Decoded } = await wasserstein2(training, codes, weights, context);
  onStep();
  const random = randomStream({ seed, classIndex: label, purpose: 'nearest training' });
  const nearest = await nearestTraining(codes, training, { ...context, random });
  onStep();
  await throwIfAbortedByNow(work.signal);
  const refit = await refitWeights(codes, training, { ...context, before: weights });
  const { w2: w2Refit } = await wasserstein2(training, codes, refit.weights, context);
  onStep();
  return {
    tensors: { decoded: codes },
    weights: refit.weights,
    metrics: {
      w2Decoded,
      w2DecodedBias: w2Decoded - w2Weighted,
      ...nearest,
      energyDecoded: refit.energyBefore!,
      energyRefit: refit.energy,
      w2Refit,
      essRefit: effectiveSampleSize(refit.weights),
    },
  };
}

function comparisonArtifact(
  { className, label }: CompareOptions,
  latentShape: number[],
  { tensors, weights, metrics }: Measured & { weights: Float64Array },
): Produced {
  const bytes = writeSafetensors({
    // (k, channels, height, width) each: balanced centroids, D4M's of the first shuffle, decoded images encoded again
    ...Object.fromEntries(
      Object.entries(tensors).map(([name, { values, n }]) => [
        name,
        { type: 'float32' as const, data: values, shape: [n, ...latentShape] },
      ]),
    ),
    // (k,), sum to 1: for the decoded images
    refitWeights: { type: 'float64', data: weights, shape: [weights.length] },
  });
  return {
    kind: 'comparison',
    blobs: { 'comparison.safetensors': { bytes, mediaType: 'application/vnd.safetensors' } },
    content: { className, label, k: weights.length, latentShape },
    metrics,
  };
}
