import { type ErrorCode } from '../base/errors.ts';
import { type DriftReport, driftSummary } from './drift-summary.ts';
import { count, dollars, percent, seconds, table } from './table.ts';

/** The part of a run that the commands show; the shape of `schema/operations/Run.graphql`. */
export interface RunReport {
  id: string;
  kind: string;
  state: string;
  costUsd: number;
  failure: { code: ErrorCode; message: string; lastLogLines: string[] } | null;
  stages: StageFigures[];
  classFigures: ClassFigures[];
  overall: Distances | null;
  drift: DriftReport | null;
  outputs: {
    id: string;
    kind: string;
    state: string;
    blobs: { name: string; sha256: string; downloadUrl: string }[];
  }[];
}

interface StageFigures {
  name: string;
  state: string;
  skipReason: string | null;
  tasksTotal: number;
  tasksCached: number;
  seconds: number | null;
  itemsPerSecond: number | null;
  costUsd: number;
}

/** Null is what no stage has reported, or not yet. */
interface Distances {
  k: number | null;
  w2Weighted: number | null;
  w2Uniform: number | null;
  reduction: number | null;
  ess: number | null;
  heldoutW2: number | null;
  w2Balanced: number | null;
  reductionBalanced: number | null;
  w2D4mMean: number | null;
  reductionD4m: number | null;
  w2Decoded: number | null;
  w2DecodedBias: number | null;
  nearestRatio: number | null;
  energyDecoded: number | null;
  energyRefit: number | null;
}

interface ClassFigures extends Distances {
  className: string;
  n: number | null;
  quantizationRate: number | null;
}

/** Tables per class and per stage. */
export function runSummary(run: RunReport): string {
  const figures = run.kind === 'DRIFT' ? (run.drift ? [driftSummary(run.drift)] : []) : distillationSummary(run);
  const stages = run.stages.map((stage) => [
    stage.name,
    reuse(stage),
    stage.seconds === null ? '-' : seconds(stage.seconds),
    stage.itemsPerSecond === null ? '-' : count(Math.round(stage.itemsPerSecond)),
    dollars(stage.costUsd),
  ]);
  stages.push(['all', '', '', '', dollars(run.costUsd)]);
  const made = run.stages.filter((stage) => stage.state === 'SUCCEEDED');
  const all = made.length > 0 && made.every((stage) => stage.tasksCached === stage.tasksTotal);
  return [
    ...figures,
    table(['stage', 'tasks', 'seconds', 'images/s', 'cost'], stages),
    ...(all ? ['Everything was published by an earlier run and was reused; nothing was computed again.'] : []),
  ].join('\n\n');
}

function distillationSummary(run: RunReport): string[] {
  const surveyed = run.classFigures.some((row) => row.quantizationRate !== null);
  const classes = run.classFigures.map((row) => [
    row.className.length > 40 ? `${row.className.slice(0, 39)}\u2026` : row.className,
    shown(row.n, count),
    shown(row.k, String),
    ...distances(row),
    ...(surveyed ? [fixed(row.quantizationRate, 2)] : []),
  ]);
  if (run.overall) {
    const points = shown(run.overall.k, (mean) => String(Number(mean.toFixed(1))));
    classes.push(['mean', '', points, ...distances(run.overall), ...(surveyed ? [''] : [])]);
  }
  const head = ['class', 'n', 'K', 'W2 weighted', 'uniform', 'balanced', 'D4M', 'held-out', 'ESS'];
  return [table([...head, ...(surveyed ? ['slope'] : [])], classes), ...(run.overall ? comparison(run.overall) : [])];
}

function distances(row: Distances): string[] {
  const w2 = [row.w2Weighted, row.w2Uniform, row.w2Balanced, row.w2D4mMean, row.heldoutW2];
  return [...w2.map((value) => fixed(value, 4)), fixed(row.ess, 2)];
}

/** What the means over classes say, in words; nothing while no class is quantized. */
function comparison(overall: Distances): string[] {
  const { w2Weighted, reduction, reductionBalanced, reductionD4m } = overall;
  const { w2Decoded, w2DecodedBias, nearestRatio, energyDecoded, energyRefit } = overall;
  if (w2Weighted === null) return [];
  const than = (share: number | null, what: string) =>
    share === null ? [] : [`${percent(Math.abs(share))} ${share < 0 ? 'above' : 'below'} ${what}`];
  const against = [
    ...than(reduction, 'uniform weights'),
    ...than(reductionBalanced, 'balanced'),
    ...than(reductionD4m, 'D4M'),
  ];
  const lines = [`W2 ${w2Weighted.toFixed(4)}: ${against.join(', ')} (means over classes).`];
  if (w2Decoded !== null && w2DecodedBias !== null) {
    const moved = `${Math.abs(w2DecodedBias).toFixed(4)} ${w2DecodedBias < 0 ? 'below' : 'above'} that of the points`;
    const near =
      nearestRatio === null
        ? ''
        : `; nearest training images at ${nearestRatio.toFixed(2)} of the distance between these`;
    lines.push(`Decoded images: W2 ${w2Decoded.toFixed(4)}, ${moved}${near}.`);
  }
  if (energyDecoded !== null && energyRefit !== null) {
    const refit = `${energyRefit.toFixed(4)} with weights refitted on them (--refit-weights)`;
    lines.push(`Energy distance of the images: ${energyDecoded.toFixed(4)} with the weights of the points, ${refit}.`);
  }
  return [lines.join('\n')];
}

function reuse({ state, tasksTotal, tasksCached }: StageFigures): string {
  if (state === 'SKIPPED') return 'skipped';
  return tasksCached > 0 ? `${tasksTotal}, ${tasksCached} reused` : String(tasksTotal);
}

const shown = (value: number | null, as: (value: number) => string): string => (value === null ? '-' : as(value));
const fixed = (value: number | null, digits: number): string => shown(value, (known) => known.toFixed(digits));
