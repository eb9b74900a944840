import { type CurvePoint, curveOf } from '../pipeline/curve.ts';
import { type ArtifactView, type StageView, type TaskView } from './views.ts';

/**
 * What is known of one class, read from the metrics of its tasks: what survey and quantizer found, and what it was compared with. Null is what no
 * task reported. W2, distances and energies are in units of the latent space, distortions in their squares; effective sample sizes are in points.
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

/** The stages that report figures of classes: first the one that has all of them. Where two report the same, the first holds. */
export const FIGURE_STAGES = ['quantize', 'survey', 'compare'] as const;

/** @param tasks of the figure stages, each stage's by index; the classes come in the order of the first stage that has them */
export function classFigures(tasks: readonly TaskView[]): ClassFigures[] {
  const inOrder = FIGURE_STAGES.flatMap((stage) => tasks.filter((task) => task.stage === stage));
  const byClass = Map.groupBy(inOrder, (task) => task.labels['class']);
  return [...byClass].flatMap(([className, all]) => {
    const reported = all.filter((task) => task.metrics !== null);
    if (className === undefined || reported.length === 0) return [];
    const value = (name: Names) => reported.find((task) => task.metrics![name] !== undefined)?.metrics![name] ?? null;
    const curve = reported.find((task) => task.stage === 'survey');
    return [{ className, ...pick(value), curveArtifactId: curve?.artifactId ?? null }];
  });
}

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
