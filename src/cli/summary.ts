import { type ErrorCode } from '../base/errors.ts';
import { count, dollars, percent, seconds, table } from './table.ts';

/** The part of a run that the commands show; the shape of `schema/operations/Run.graphql`. */
export interface RunReport {
  id: string;
  state: string;
  costUsd: number;
  failure: { code: ErrorCode; message: string; lastLogLines: string[] } | null;
  stages: StageFigures[];
  classFigures: ClassFigures[];
  overall: Record<'k' | 'w2Weighted' | 'w2Uniform' | 'reduction' | 'ess', number | null> | null;
  outputs: { kind: string; blobs: { name: string; sha256: string; downloadUrl: string }[] }[];
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
interface ClassFigures {
  className: string;
  n: number | null;
  k: number | null;
  w2Weighted: number | null;
  w2Uniform: number | null;
  reduction: number | null;
  ess: number | null;
  heldoutW2: number | null;
  quantizationRate: number | null;
}

/** Tables per class and per stage. */
export function runSummary(run: RunReport): string {
  const classes = run.classFigures.map((row) => [
    row.className.length > 40 ? `${row.className.slice(0, 39)}\u2026` : row.className,
    shown(row.n, count),
    shown(row.k, String),
    fixed(row.w2Weighted, 4),
    fixed(row.w2Uniform, 4),
    shown(row.reduction, percent),
    fixed(row.ess, 2),
    fixed(row.heldoutW2, 4),
    fixed(row.quantizationRate, 2),
  ]);
  if (run.overall) {
    const { k, w2Weighted, w2Uniform, reduction, ess } = run.overall;
    const points = shown(k, (mean) => String(Number(mean.toFixed(1))));
    const means = [fixed(w2Weighted, 4), fixed(w2Uniform, 4), shown(reduction, percent), fixed(ess, 2)];
    classes.push(['mean', '', points, ...means, '', '']);
  }
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
    table(['class', 'n', 'K', 'W2 weighted', 'W2 uniform', 'reduction', 'ESS', 'W2 held-out', 'slope'], classes),
    table(['stage', 'tasks', 'seconds', 'images/s', 'cost'], stages),
    ...(all ? ['Everything was published by an earlier run and was reused; nothing was computed again.'] : []),
  ].join('\n\n');
}

function reuse({ state, tasksTotal, tasksCached }: StageFigures): string {
  if (state === 'SKIPPED') return 'skipped';
  return tasksCached > 0 ? `${tasksTotal}, ${tasksCached} reused` : String(tasksTotal);
}

const shown = (value: number | null, as: (value: number) => string): string => (value === null ? '-' : as(value));
const fixed = (value: number | null, digits: number): string => shown(value, (known) => known.toFixed(digits));
