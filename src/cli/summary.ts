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
  overall: { w2Weighted: number; w2Uniform: number; reduction: number; ess: number } | null;
  outputs: { kind: string; state: string; blobs: { name: string; sha256: string; downloadUrl: string }[] }[];
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

interface ClassFigures {
  className: string;
  n: number;
  k: number;
  w2Weighted: number;
  w2Uniform: number;
  reduction: number;
  ess: number;
  heldoutW2: number | null;
}

/** Tables per class and per stage. */
export function runSummary(run: RunReport): string {
  const classes = run.classFigures.map((row) => [
    row.className.length > 40 ? `${row.className.slice(0, 39)}\u2026` : row.className,
    count(row.n),
    String(row.k),
    row.w2Weighted.toFixed(4),
    row.w2Uniform.toFixed(4),
    percent(row.reduction),
    row.ess.toFixed(2),
    row.heldoutW2?.toFixed(4) ?? '-',
  ]);
  if (run.overall) {
    const { w2Weighted, w2Uniform, reduction, ess } = run.overall;
    classes.push(['mean', '', '', w2Weighted.toFixed(4), w2Uniform.toFixed(4), percent(reduction), ess.toFixed(2), '']);
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
    table(['class', 'n', 'K', 'W2 weighted', 'W2 uniform', 'reduction', 'ESS', 'W2 held-out'], classes),
    table(['stage', 'tasks', 'seconds', 'images/s', 'cost'], stages),
    ...(all ? ['Everything was published by an earlier run and was reused; nothing was computed again.'] : []),
  ].join('\n\n');
}

function reuse({ state, tasksTotal, tasksCached }: StageFigures): string {
  if (state === 'SKIPPED') return 'skipped';
  return tasksCached > 0 ? `${tasksTotal}, ${tasksCached} reused` : String(tasksTotal);
}
