import { type CurvePoint, curveOf } from '../pipeline/curve.ts';
import { type ArtifactView, type StageView, type TaskView } from './views.ts';

/**
 * What survey and quantizer found for one class, read from the metrics of their tasks. Null is what none reported.
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
  /** Slope of log W2 against log K, with its 95% interval. */
  quantizationRate: number | null;
  quantizationRateLow: number | null;
  quantizationRateHigh: number | null;
  /** Of its distortion curve; null where none was measured. */
  curveArtifactId: string | null;
}

type Names = (typeof NAMES)[number];
export type OverallFigures = Record<Names, number | null> & { classes: number };

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
  'quantizationRate',
  'quantizationRateLow',
  'quantizationRateHigh',
] as const;

/** The stages that report figures of classes, in the order they run; where two report the same, the later holds. */
export const FIGURE_STAGES = ['survey', 'quantize'] as const;

/** @param tasks of the figure stages, by index; the classes come in the order of the last stage that has them all */
export function classFigures(tasks: readonly TaskView[]): ClassFigures[] {
  const reported = tasks.filter((task) => task.metrics !== null && task.labels['class'] !== undefined);
  const byClass = Map.groupBy(
    [...reported].sort((a, b) => stageIndex(b) - stageIndex(a)),
    (task) => task.labels['class']!,
  );
  return [...byClass].map(([className, ofClass]) => {
    const survey = ofClass.find((task) => task.stage === 'survey');
    const value = (name: Names) => ofClass.find((task) => task.metrics?.[name] !== undefined)?.metrics?.[name] ?? null;
    return { className, ...pick(value), curveArtifactId: survey?.artifactId ?? null };
  });
}

const stageIndex = (task: TaskView): number => (FIGURE_STAGES as readonly string[]).indexOf(task.stage);

export type { CurvePoint };

/** What 1, 2, 5, ... points would leave of a class, from the artifact of its survey. */
export function distortionCurve(artifact: ArtifactView): CurvePoint[] {
  return curveOf(artifact.manifest);
}

/** Means over the classes that report a figure; each class counts the same. Null where there is no class yet. */
export function overallFigures(classes: readonly ClassFigures[]): OverallFigures | null {
  if (classes.length === 0) return null;
  const mean = (name: Names) => {
    const values = classes.map((one) => one[name]).filter((value) => value !== null);
    return values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length;
  };
  return { classes: classes.length, ...pick(mean) };
}

function pick(value: (name: Names) => number | null): Record<Names, number | null> {
  return Object.fromEntries(NAMES.map((name) => [name, value(name)])) as Record<Names, number | null>;
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
