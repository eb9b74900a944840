import { type JsonObject } from '../../base/json.ts';
import { type CurvePoint } from '../curve.ts';
import { type LineageGraph } from './lineage.ts';
import { type Made } from './made.ts';
import { type Timeline } from './timeline.ts';

/** What the page shows. Seconds and costs are those of the attempts that made the artifacts, whichever run paid them. */
export interface ReportFigures {
  title: string;
  datasetVersion: Made['datasetVersion'];
  prior: Made['prior'];
  classes: ClassRow[];
  stages: StageRow[];
  /** Null where nothing took any time. */
  timeline: Timeline | null;
  lineage: LineageGraph;
  /** Points in all. */
  images: number;
  weights: { exponent: number; refit: boolean };
  recipe: JsonObject;
}

export interface ClassRow extends Partial<Comparison> {
  name: string;
  n: number;
  k: number;
  w2Weighted: number;
  w2Uniform: number;
  reduction: number;
  ess: number;
  heldoutN: number;
  heldoutW2: number | null;
  /** Null of a quantizer that searches once. */
  restartSpread: number | null;
  /** With its 95% interval; null where it was not measured, or could not be. */
  intrinsicDimension: number | null;
  intrinsicDimensionLow: number | null;
  intrinsicDimensionHigh: number | null;
  /** Of log W2 against log K, with its 95% interval; null where it was not measured, or could not be. */
  slope: number | null;
  slopeLow: number | null;
  slopeHigh: number | null;
  /** Null where it was not measured. */
  curve: CurvePoint[] | null;
  teacherAgreement: number | null;
}

/** What the compare stage measures of a class, see `control/figures.ts`. */
export interface Comparison {
  w2Balanced: number;
  reductionBalanced: number;
  w2D4mMean: number;
  w2D4mDeviation: number;
  reductionD4m: number;
  w2Decoded: number;
  w2DecodedBias: number;
  /** Absent where no two training latents differ. */
  nearestRatio?: number;
  energyDecoded: number;
  energyRefit: number;
  w2Refit: number;
  essRefit: number;
}

/** A class that was compared. */
export type ComparedRow = ClassRow & Comparison;

/** Every class, or null if nothing was compared. */
export function comparedRows(rows: readonly ClassRow[]): ComparedRow[] | null {
  const compared = rows.filter((row): row is ComparedRow => row.w2Balanced !== undefined);
  return compared.length === rows.length ? compared : null;
}

export interface StageRow {
  name: string;
  artifacts: number;
  items: number;
  seconds: number;
  costUsd: number;
}
