import { type StageView, type TaskView } from './views.ts';

/**
 * What the quantizer found for one class, read from the metrics of its task. Null is what the task did not report.
 * W2 and distortions are in units of the latent space; the effective sample size is in points.
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
] as const;

export const FIGURES_STAGE = 'quantize';

export function classFigures(tasks: readonly TaskView[]): ClassFigures[] {
  return tasks
    .filter((task) => task.metrics !== null && task.labels['class'] !== undefined)
    .map((task) => ({ className: task.labels['class']!, ...pick((name) => task.metrics?.[name] ?? null) }));
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
