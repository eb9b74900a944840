import { studentQuantile } from '../numerics/math/student.ts';
import { median } from '../numerics/math/sum.ts';
import { type AnyRecipe, type DriftRecipe, isDrift } from './drift/recipe.ts';
import { type CountedClass } from './points.ts';
import { labelMode, type LabelsOf } from './prior/described.ts';

/** A prediction: what is expected, and where the truth lies in four of five cases. */
export interface Interval {
  readonly expected: number;
  readonly low: number;
  readonly high: number;
}

/** What a stage of an earlier run took for the items that it handled itself. */
export interface MeasuredStage {
  readonly recipe: AnyRecipe;
  readonly items: number;
  readonly allocatedSeconds: number;
  /** from its beginning to its end, however many workers it had */
  readonly wallSeconds: number;
}

export interface StageEstimate {
  readonly allocatedSeconds: Interval;
  readonly wallSeconds: Interval;
}

/** Two-sided share of cases that an interval holds. */
const COVERAGE = 0.8;
/** One earlier run says nothing of its own spread. */
const ALONE = 2;

/**
 * Predicts a stage from earlier ones: seconds per unit of work are taken as log-normal, those of runs of a like size count more, and the
 * interval is that of one more draw (Student's t on the logarithms). A single record is taken at its word, within a factor of two.
 *
 * @param items that the stage will handle itself
 * @returns null without a record to go by
 */
export function estimateStage(
  stage: string,
  items: number,
  recipe: AnyRecipe,
  records: readonly MeasuredStage[],
): StageEstimate | null {
  if (items === 0) return { allocatedSeconds: NOTHING, wallSeconds: NOTHING };
  const usable = records.filter((one) => one.items > 0 && one.allocatedSeconds > 0);
  if (usable.length === 0) return null;
  const work = items * workPerItem(stage, recipe);
  const logs = usable.map((one) => {
    const done = one.items * workPerItem(stage, one.recipe);
    return { log: Math.log(one.allocatedSeconds / done), weight: 1 / (1 + Math.abs(Math.log(done / work))) };
  });
  const rate = logNormal(logs);
  const allocatedSeconds = scaled(rate, work);
  const perAllocated = median(usable.map((one) => one.wallSeconds / one.allocatedSeconds));
  return { allocatedSeconds, wallSeconds: scaled(allocatedSeconds, perAllocated) };
}

const NOTHING: Interval = { expected: 0, low: 0, high: 0 };

/** Lows with lows, highs with highs: stages of one run are slow together. */
export function sumOf(intervals: readonly Interval[]): Interval {
  return intervals.reduce(
    (sum, one) => ({ expected: sum.expected + one.expected, low: sum.low + one.low, high: sum.high + one.high }),
    NOTHING,
  );
}

export function scaled({ expected, low, high }: Interval, factor: number): Interval {
  return { expected: expected * factor, low: low * factor, high: high * factor };
}

/** How many items a stage will have, before what it starts from is there. Null: it is left out. */
export function expectedItems(
  stage: string,
  recipe: AnyRecipe,
  classes: readonly CountedClass[],
  prior: LabelsOf,
): number | null {
  if (isDrift(recipe)) return expectedOfDrift(stage, recipe, classes);
  const images = classes.reduce((sum, one) => sum + one.images, 0);
  const points = recipe.totalImages ?? recipe.imagesPerClass! * classes.length;
  switch (stage) {
    case 'encode':
    case 'quantize':
      return images;
    case 'survey':
      return recipe.survey.mode === 'OFF' ? null : images;
    case 'decode':
    case 'report':
      return points;
    case 'label':
      return labelMode(recipe, prior) === 'NONE' ? null : points;
    case 'compare':
      return recipe.compare.mode === 'OFF' ? null : images;
    default:
      return null;
  }
}

/** As if every image were new, and none encoded before: no more than that. */
function expectedOfDrift(stage: string, { samplesPerClass }: DriftRecipe, classes: readonly CountedClass[]): number {
  if (stage === 'verdict') return classes.length;
  const most = stage === 'sample' ? Infinity : samplesPerClass;
  return classes.reduce((sum, { images }) => sum + Math.min(images, most), 0);
}

/**
 * How much work an item is, in units of the stage. The quantizer and what is compared with it pass over the samples and look at K centroids for
 * each, and at d = 256 thirty centroids cost about as much as the passes: 97 + 2.8 K ms were measured at n = 5000.
 */
function workPerItem(stage: string, recipe: AnyRecipe): number {
  if (isDrift(recipe)) return 1;
  const { imagesPerClass, totalImages, classes, decoder } = recipe;
  switch (stage) {
    case 'quantize':
    case 'compare': {
      const points = imagesPerClass ?? totalImages! / (classes?.length ?? 10);
      return 30 + points;
    }
    case 'decode':
      if (decoder.mode === 'VAE') return 1;
      return 1 + Math.ceil(decoder.strength * decoder.steps) * (decoder.guidance === 1 ? 1 : 2);
    default:
      return 1;
  }
}

function logNormal(of: readonly { log: number; weight: number }[]): Interval {
  const total = of.reduce((sum, { weight }) => sum + weight, 0);
  const mean = of.reduce((sum, { log, weight }) => sum + log * weight, 0) / total;
  const expected = Math.exp(mean);
  if (of.length === 1) return { expected, low: expected / ALONE, high: expected * ALONE };
  const n = of.length;
  const variance = (of.reduce((sum, { log, weight }) => sum + weight * (log - mean) ** 2, 0) / total) * (n / (n - 1));
  const reach = studentQuantile(0.5 + COVERAGE / 2, n - 1) * Math.sqrt(variance * (1 + 1 / n));
  return { expected, low: Math.exp(mean - reach), high: Math.exp(mean + reach) };
}
