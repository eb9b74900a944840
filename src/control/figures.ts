import { type StageView, type TaskView } from './views.ts';

/**
 * What is known of one class, read from the metrics of its tasks: what the quantizer found, and what it was compared with. Null is what no task
 * reported. W2, distances and energies are in units of the latent space, distortions in their squares; effective sample sizes are in points.
 */
export interface ClassFigures {
  className: string;
  /** Samples of the class that were encoded: those that the quantizer saw and the `heldoutN` that it did not. */
  n: number | null;
  /** Points. */
  k: number | null;
  distortion: number | null;
  w2Weighted: number | null;
  w2Uniform: number | null;
  reduction: number | null;
  ess: number | null;
  heldoutN: number | null;
  heldoutDistortion: number | null;
  heldoutW2: number | null;
  restartSpread: number | null;
  iterations: number | null;
  /** Of the training latents, by two nearest neighbours, with its 95% interval. */
  intrinsicDimension: number | null;
  intrinsicDimensionLow: number | null;
  intrinsicDimensionHigh: number | null;
  /** Training latents that the comparison measured: all, or 20,000 of them. */
  comparedN: number | null;
  /** Of the balanced quantizer, and of D4M's over its shuffles; both have uniform weights. */
  w2Balanced: number | null;
  reductionBalanced: number | null;
  w2D4mMean: number | null;
  w2D4mDeviation: number | null;
  reductionD4m: number | null;
  /** Of the decoded images, encoded again, and what it is above `w2Weighted`. */
  w2Decoded: number | null;
  w2DecodedBias: number | null;
  /** Medians of the distance to the nearest training latent: from decoded images, from real ones, and their ratio. */
  nearestDecoded: number | null;
  nearestReal: number | null;
  nearestRatio: number | null;
  /** Energy distance of the decoded images to the training latents, with the weights that they had and with those refitted. */
  energyDecoded: number | null;
  energyRefit: number | null;
  w2Refit: number | null;
  essRefit: number | null;
}

export type OverallFigures = Omit<ClassFigures, 'className'> & { classes: number };

const NAMES = [
  'n',
  'k',
  'distortion',
  'w2Weighted',
  'w2Uniform',
  'reduction',
  'ess',
  'heldoutN',
  'heldoutDistortion',
  'heldoutW2',
  'restartSpread',
  'iterations',
  'intrinsicDimension',
  'intrinsicDimensionLow',
  'intrinsicDimensionHigh',
  'comparedN',
  'w2Balanced',
  'reductionBalanced',
  'w2D4mMean',
  'w2D4mDeviation',
  'reductionD4m',
  'w2Decoded',
  'w2DecodedBias',
  'nearestDecoded',
  'nearestReal',
  'nearestRatio',
  'energyDecoded',
  'energyRefit',
  'w2Refit',
  'essRefit',
] as const;

/** The stages whose tasks report figures of a class. */
export const FIGURE_STAGES = ['quantize', 'compare'] as const;

/** @param tasks of the figure stages, in the order of the classes */
export function classFigures(tasks: readonly TaskView[]): ClassFigures[] {
  const reported = tasks.filter((task) => task.metrics !== null && task.labels['class'] !== undefined);
  return [...Map.groupBy(reported, (task) => task.labels['class']!)].map(([className, of]) => {
    const metrics: Record<string, number> = Object.assign({}, ...of.map((task) => task.metrics));
    return { className, ...pick((name) => metrics[name] ?? null) };
  });
}

/** Means over the classes that report a figure; each class counts the same. Null where there is no class yet. */
export function overallFigures(classes: readonly ClassFigures[]): OverallFigures | null {
  if (classes.length === 0) return null;
  const mean = (name: (typeof NAMES)[number]) => {
    const values = classes.map((one) => one[name]).filter((value) => value !== null);
    return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
  };
  return { classes: classes.length, ...pick(mean) };
}

function pick(value: (name: (typeof NAMES)[number]) => number | null): Omit<ClassFigures, 'className'> {
  return Object.fromEntries(NAMES.map((name) => [name, value(name)])) as unknown as Omit<ClassFigures, 'className'>;
}

/** Wall-clock seconds of a stage so far; null before it starts. */
export function stageSeconds(stage: StageView, now: Date): number | null {
  if (!stage.startedAt) return null;
  return Math.max(0, ((stage.endedAt ?? now).getTime() - stage.startedAt.getTime()) / 1000);
}

/** Items that this run handled itself per wall-clock second; null where it handled none. */
export function itemsPerSecond(stage: StageView, now: Date): number | null {
  const seconds = stageSeconds(stage, now);
  return seconds && stage.itemsMade > 0 ? stage.itemsMade / seconds : null;
}
