import { invalid, notFound } from '../base/errors.ts';
import { canonicalJson, type JsonValue } from '../base/json.ts';
import { byCodeUnit } from '../base/order.ts';
import { isDrift } from '../pipeline/drift/recipe.ts';
import { type ClassFigures, classFigures, FIGURE_STAGES, overallFigures, type OverallFigures } from './figures.ts';
import { type ProjectCatalog } from './ports.ts';
import { type DatasetView, type RunView, type TaskView } from './views.ts';

/** What a run came to, in what runs are chosen by. */
export interface RunQuality {
  run: RunView;
  overall: OverallFigures | null;
  classes: ClassFigures[];
  /** Synthetic images of all classes; null until they are known. */
  images: number | null;
  /** What all that it published cost to make, whoever made it, in US dollars: a run that found everything has cost nothing itself. */
  costToMakeUsd: number;
}

export interface RecipeDifference {
  /** `quantizer.restarts` */
  path: string;
  /** One for each run, in their order; null where a recipe does not have it. */
  values: JsonValue[];
}

export interface RunComparison {
  runs: RunQuality[];
  /** Where the recipes are not the same, by path. */
  differences: RecipeDifference[];
}

type Rows = Pick<ProjectCatalog, 'runsById' | 'runs' | 'tasksByRun' | 'costsToMake' | 'datasetsById'>;

const MOST_COMPARED = 20;

/** @throws INVALID_INPUT for none, or more than twenty; NOT_FOUND */
export async function compareRuns(rows: Rows, ids: readonly string[]): Promise<RunComparison> {
  const asked = [...new Set(ids)];
  if (asked.length === 0 || asked.length > MOST_COMPARED) {
    throw invalid(
      `expected 1 to ${MOST_COMPARED} runs, got ${asked.length}: ${asked.length === 0 ? 'name some' : 'compare fewer at once'}`,
      { path: ['ids'] },
    );
  }
  const found = new Map((await rows.runsById(asked)).map((run) => [run.id, run]));
  const runs = asked.map((id) => {
    const run = found.get(id);
    if (!run) throw notFound('run', id);
    return run;
  });
  return { runs: await qualities(rows, runs), differences: differencesOf(runs.map(({ recipe }) => recipe)) };
}

/** @param values one for each run */
export function differencesOf(values: readonly JsonValue[]): RecipeDifference[] {
  const leaves = values.map((value) => new Map(leavesOf(value, '')));
  const paths = [...new Set(leaves.flatMap((one) => [...one.keys()]))].sort(byCodeUnit);
  return paths
    .map((path) => ({ path, values: leaves.map((one) => one.get(path) ?? null) }))
    .filter((one) => new Set(one.values.map((value) => canonicalJson(value))).size > 1);
}

/** Lists count as one value: their places have no names. */
function* leavesOf(value: JsonValue, path: string): Generator<[string, JsonValue]> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return void (yield [path, value]);
  for (const [key, item] of Object.entries(value)) yield* leavesOf(item, path ? `${path}.${key}` : key);
}

export type ParetoObjective = 'COST' | 'W2' | 'HELDOUT_W2' | 'IMAGES';

export interface ParetoFront {
  dataset: DatasetView;
  objectives: ParetoObjective[];
  /** Runs that no other is better than in one objective and as good in all others; by the first objective. */
  front: RunQuality[];
  /** Runs that were looked at and have all figures. */
  considered: number;
  /** Runs that lack a figure that was asked for. */
  leftOut: number;
  /** False where there are more runs than the newest 500. */
  complete: boolean;
}

const MOST_RUNS = 500;

/**
 * The runs of a dataset that are worth a choice. Less is better in every objective. W2 is a distance in the latents of one prior, to the images of one
 * version: where it is among the objectives, runs of other versions, priors or classes do not compare, and each has a front of its own.
 * @throws NOT_FOUND; INVALID_INPUT without an objective
 */
export async function paretoFront(
  rows: Rows,
  { datasetId, objectives: asked }: { datasetId: string; objectives: readonly ParetoObjective[] },
): Promise<ParetoFront> {
  const objectives = [...new Set(asked)];
  if (objectives.length === 0) {
    throw invalid('expected at least one objective, got none: name what to choose by, such as COST and W2', {
      path: ['objectives'],
    });
  }
  const [dataset] = await rows.datasetsById([datasetId]);
  if (!dataset) throw notFound('dataset', datasetId);
  const page = await rows.runs({ first: MOST_RUNS, after: null }, { datasetId, states: ['SUCCEEDED'] });
  const distilled = page.items.filter(({ recipe }) => !isDrift(recipe));
  const measured = (await qualities(rows, distilled)).map((one) => ({
    one,
    values: objectives.map((objective) => VALUE[objective](one)),
  }));
  const candidates = measured.filter((all): all is Candidate => all.values.every((value) => value !== null));
  const alike = objectives.some((objective) => objective === 'W2' || objective === 'HELDOUT_W2')
    ? ({ run }: RunQuality) => `${run.datasetVersionId} ${run.priorId} ${canonicalJson(run.recipe['classes'] ?? null)}`
    : () => '';
  const front = candidates
    .filter((a) => !candidates.some((b) => alike(a.one) === alike(b.one) && dominates(b.values, a.values)))
    .sort((a, b) => a.values[0]! - b.values[0]! || byCodeUnit(a.one.run.id, b.one.run.id));
  return {
    dataset,
    objectives,
    front: front.map(({ one }) => one),
    considered: candidates.length,
    leftOut: measured.length - candidates.length,
    complete: !page.hasMore,
  };
}

interface Candidate {
  one: RunQuality;
  values: number[];
}

const VALUE: Record<ParetoObjective, (of: RunQuality) => number | null> = {
  COST: ({ costToMakeUsd }) => costToMakeUsd,
  W2: ({ overall }) => overall?.w2Weighted ?? null,
  HELDOUT_W2: ({ overall }) => overall?.heldoutW2 ?? null,
  IMAGES: ({ images }) => images,
};

export function dominates(a: readonly number[], b: readonly number[]): boolean {
  return a.every((value, at) => value <= b[at]!) && a.some((value, at) => value < b[at]!);
}

export async function qualities(
  rows: Pick<Rows, 'tasksByRun' | 'costsToMake'>,
  runs: readonly RunView[],
): Promise<RunQuality[]> {
  const ids = runs.map(({ id }) => id);
  const [tasks, costs] = await Promise.all([rows.tasksByRun(ids, FIGURE_STAGES), rows.costsToMake(ids)]);
  const byRun = Map.groupBy(tasks, (task: TaskView) => task.runId);
  return runs.map((run) => {
    const classes = classFigures(byRun.get(run.id) ?? []);
    const overall = overallFigures(classes);
    return { run, overall, classes, images: imagesOf(classes), costToMakeUsd: costs.get(run.id) ?? 0 };
  });
}

function imagesOf(classes: readonly ClassFigures[]): number | null {
  const points = classes.flatMap(({ k }) => k ?? []);
  return points.length > 0 && points.length === classes.length ? points.reduce((a, b) => a + b) : null;
}
