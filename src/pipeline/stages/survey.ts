import { type JsonObject } from '../../base/json.ts';
import { type TaskSpec } from '../../engine/ports.ts';
import { intrinsicDimension, quantizationRate } from '../../numerics/diagnostics/dimension.ts';
import { type Points } from '../../numerics/math/points.ts';
import { randomStream } from '../../numerics/math/random.ts';
import { nearestCentroids, relativeSpread } from '../../numerics/quantize/distortion.ts';
import { fitQuantizer } from '../../numerics/quantize/quantize.ts';
import { type CurvePoint } from '../curve.ts';
import { openLatents, sampleOf } from '../latent-stream.ts';
import { readClass } from '../latents.ts';
import { classShares, mostPoints, trainingCount } from '../points.ts';
import { SAMPLE } from '../quantizers/clvq.ts';
import { type Recipe } from '../recipe.ts';
import { taskOf, type Produced, type Stage, type WorkContext } from '../stage.ts';
import { encodedClasses, heldOutFlags, rowsWith, splitLatents, type EncodedClass, type Holdout } from '../training.ts';

/**
 * Latents to distortion curves, one class a task: what 1, 2, 5, 10, 20, 50, ... points would leave of the class, on the training latents that the
 * quantizer gets and on those that are held out; the slope of log W2 against log K, and the intrinsic dimension that it
 * should go with. `totalImages` is divided over classes by these curves; else they are for people, and no codebook depends on them.
 *
 * A number of points takes `SEARCHES` searches without swaps, so a curve may lie up to a hundredth above what the quantizer reaches.
 * Seconds of one thread up to K = 10 and 50, beside the quantizer's with ten restarts: 0.8 and 2.3 against 0.7 and 1.2 for 5000 latents of CIFAR-10
 * (d = 256), 0.2 and 0.3 against 0.1 and 0.2 for 700 of glyphs.
 */
export const survey: Stage = {
  name: 'survey',
  version: 1,

  async plan({ recipe, published }) {
    if (recipe.survey.mode === 'OFF') return { kind: 'skip', reason: 'the recipe asks for no survey' };
    const classes = encodedClasses(published.get('encode') ?? [], recipe);
    const planned = classes.map((one, index) => ({ one, ladder: ladderOf(index, classes, recipe) }));
    const worth = planned.filter(({ one, ladder }) => isWorth(one, ladder, recipe));
    if (worth.length === 0) {
      const reason = `distortion curves would take more than ${SHARE} times the quantizer's work: survey.mode ON measures them`;
      return { kind: 'skip', reason };
    }
    const tasks = worth.map(({ one, ladder }, index): TaskSpec => {
      const options: JsonObject = {
        className: one.name,
        label: one.label,
        ladder,
        holdout: recipe.holdout,
        seed: recipe.seed,
        // of a class that is not to be held in memory
        ...(recipe.quantizer.algorithm === 'CLVQ' ? { most: SAMPLE } : {}),
      };
      const named = { title: one.name, labels: { class: one.name } };
      return taskOf(survey, { index, ...named, items: one.images, options, identity: one.latents });
    });
    return { kind: 'tasks', tasks };
  },

  async run(task, context) {
    const options = task.options as unknown as SurveyOptions;
    const { training, heldOut, n, heldoutN } = await latentsOf(task.inputs, options, context);
    const all = options.ladder.reduce((sum, k) => sum + k, 0);
    const curve: CurvePoint[] = [];
    let done = 0;
    for (const k of options.ladder) {
      curve.push(await measured(k, training, heldOut, options, context));
      done += k;
      context.onProgress(Math.floor((task.items * done) / all));
    }
    const metrics = {
      n,
      trainN: n - heldoutN,
      heldoutN,
      surveyedN: training.n,
      ...rate(curve, heldOut.n),
      ...(await dimension(training, options, context)),
    };
    return curveArtifact(options, curve, metrics);
  },
};

interface SurveyOptions extends Holdout {
  className: string;
  /** Numbers of points to measure, rising. */
  ladder: number[];
  /** Training latents at most, and held-out ones; absent: all. */
  most?: number;
}

/** Independent searches for each number of points: the best is kept, and they say how far apart searches end. */
const SEARCHES = 2;

/** AUTO measures curves that take at most so many times the quantizer's work. */
const SHARE = 2;

/**
 * By searches times samples times points. Measured on glyphs and CIFAR-10, the quantizer's ten restarts, most of which are given up, and its swaps
 * come to 2 to 3 searches; a pass of CLVQ to one of the thirty or so steps of a search.
 */
function isWorth(one: EncodedClass, ladder: readonly number[], recipe: Recipe): boolean {
  const { survey, quantizer, imagesPerClass } = recipe;
  if (survey.mode === 'ON' || imagesPerClass === undefined) return true;
  const training = trainingCount(one, recipe);
  const streamed = quantizer.algorithm === 'CLVQ';
  const surveyed = streamed ? Math.min(training, SAMPLE) : training;
  const searches = streamed ? (quantizer.passes + 1) / 30 : quantizer.restarts / 4;
  const rungs = ladder.reduce((sum, k) => sum + k, 0);
  return SEARCHES * surveyed * rungs <= SHARE * searches * training * imagesPerClass;
}

/**
 * 1, 2, 5, 10, 20, 50, ... up to what the recipe needs, 5 at least so that there is a slope. Of `totalImages` a class needs its
 * share four times over; where more than that would serve it best, the curve is continued (`pointsPerClass`). Not beyond
 * half the samples: from there to a point for every sample a curve is as good as known.
 */
function ladderOf(index: number, classes: readonly EncodedClass[], recipe: Recipe): number[] {
  const training = classes.map((one) => trainingCount(one, recipe));
  const half = Math.ceil(training[index]! / 2);
  const { imagesPerClass, totalImages } = recipe;
  if (totalImages === undefined) return ladder(Math.min(half, Math.max(5, imagesPerClass!)));
  const share = classShares(training, recipe.weights.classShares)[index]!;
  const most = mostPoints(training[index]!, totalImages, classes.length);
  const enough = RUNGS.find((k) => k >= 4 * share * totalImages) ?? most;
  return ladder(Math.min(half, Math.max(5, Math.min(enough, most))));
}

/** The rungs below `reach`, then `reach` itself. */
function ladder(reach: number): number[] {
  return [...RUNGS.filter((k) => k < reach), reach];
}

const RUNGS = Array.from({ length: 21 }, (_, i) => [1, 2, 5][i % 3]! * 10 ** Math.floor(i / 3));

/** All latents of the class; of one that is streamed, at most `most` for training and as many held out. */
async function latentsOf(inputs: readonly string[], options: SurveyOptions, { store, projectId }: WorkContext) {
  if (options.most === undefined) {
    const { training, heldOut } = splitLatents(await readClass(store, projectId, inputs), options);
    return { training, heldOut, n: training.n + heldOut.n, heldoutN: heldOut.n };
  }
  const stream = await openLatents(store, projectId, inputs);
  const isHeldOut = heldOutFlags(stream.n, options);
  const sample = async (flag: number, purpose: string) => {
    const random = randomStream({ seed: options.seed, classIndex: options.label, purpose });
    return await sampleOf(stream, rowsWith(isHeldOut, flag), options.most!, random);
  };
  const heldoutN = isHeldOut.reduce((sum, flag) => sum + flag, 0);
  const [training, heldOut] = [await sample(0, 'survey'), await sample(1, 'held-out survey')];
  return { training, heldOut, n: stream.n, heldoutN };
}

async function measured(
  k: number,
  training: Points,
  heldOut: Points,
  { seed }: SurveyOptions,
  { runtime: { product }, signal }: WorkContext,
): Promise<CurvePoint> {
  // Recipes have seeds below 2^32: these are of other random numbers than any run's quantizer. They are the same for every class, so that
  // classes with the same latents get the same curve.
  const seeds = Array.from({ length: SEARCHES }, (_, search) => seed + (search + 1) * 2 ** 32);
  const distortions: number[] = [];
  let centroids: Points | undefined;
  for (const searchSeed of seeds) {
    const options = { k, restarts: 1, patience: 0, seed: searchSeed, classIndex: 0 };
    const fit = await fitQuantizer(training, options, { product, signal });
    if (fit.distortion < Math.min(...distortions)) ({ centroids } = fit);
    distortions.push(fit.distortion);
  }
  const distortion = Math.min(...distortions);
  const nearest = heldOut.n > 0 ? await nearestCentroids(heldOut, centroids!, { product, signal }) : null;
  return {
    k,
    distortion,
    heldoutDistortion: nearest && nearest.distortion,
    w2: Math.sqrt(distortion),
    spread: relativeSpread(distortions),
  };
}

/** Of held-out W2 where enough are held out that they say something, since that of the training latents falls faster. */
function rate(curve: readonly CurvePoint[], heldoutN: number): Record<string, number> {
  const judged = curve
    .map((point) => ({ k: point.k, squared: heldoutN >= 20 ? point.heldoutDistortion! : point.distortion }))
    .filter(({ squared }) => squared > 0);
  if (judged.length < 3) return {};
  const { value, low, high } = quantizationRate(
    judged.map(({ k }) => k),
    judged.map(({ squared }) => Math.sqrt(squared)),
  );
  return { quantizationRate: value, quantizationRateLow: low, quantizationRateHigh: high };
}

/** Of at most 2,000 training latents, which are chosen by the seed. */
async function dimension(
  training: Points,
  { seed, label }: SurveyOptions,
  { runtime, signal }: WorkContext,
): Promise<Record<string, number>> {
  const random = randomStream({ seed, classIndex: label, purpose: 'intrinsic dimension' });
  const found = await intrinsicDimension(training, { product: runtime.product, random, signal });
  if (!found) return {};
  return {
    intrinsicDimension: found.value,
    intrinsicDimensionLow: found.low,
    intrinsicDimensionHigh: found.high,
  };
}

function curveArtifact(
  { className, label }: SurveyOptions,
  curve: CurvePoint[],
  metrics: Record<string, number>,
): Produced {
  return { kind: 'distortionCurve', blobs: {}, content: { className, label, curve }, metrics };
}
