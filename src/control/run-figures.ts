import { type RunFigures, type RunRecord } from '../engine/ports.ts';
import { isDrift } from '../pipeline/drift/recipe.ts';
import { driftMetrics, driftOfRuns } from './drift.ts';
import { classFigures, FIGURE_STAGES, overallFigures } from './figures.ts';
import { type Catalog } from './ports.ts';

/** What a run's span and metrics tell beside its cost: means over its classes, or whether it is drift, and of which dataset it is. */
export async function runFigures(catalog: Catalog, run: RunRecord): Promise<RunFigures> {
  const rows = catalog.project(run.projectId);
  const [tasks, [found]] = await Promise.all([
    rows.tasksByRun([run.id], FIGURE_STAGES),
    rows.datasetVersionsById([run.datasetVersionId]),
  ]);
  const [dataset] = found ? await rows.datasetsById([found.version.datasetId]) : [];
  const overall = Object.entries(overallFigures(classFigures(tasks)) ?? {});
  const figures = overall.filter((entry): entry is [string, number] => entry[1] !== null);
  const drift = isDrift(run.recipe) ? (await driftOfRuns(rows, [run.id])).get(run.id) : undefined;
  return {
    dataset: dataset?.name ?? 'unknown',
    figures: { ...Object.fromEntries(figures), ...(drift && driftMetrics(drift.overall)) },
  };
}
