import { type Planner, type Price, type PricedWork, type Published } from '../engine/ports.ts';
import { estimateStage, expectedItems, type Interval, scaled, sumOf } from '../pipeline/estimate.ts';
import { asJson } from '../pipeline/recipe.ts';
import { type CheckedLaunch, checkedLaunch } from './launch-checks.ts';
import { type Principal } from './identity.ts';
import { type ArtifactView, type Catalog, type ProjectCatalog, type StageHistory } from './ports.ts';

/** What an estimate goes by, in the order of preference. */
export type EstimateBasis = 'SAME_PRIOR' | 'OTHER_PRIORS' | 'NONE';

export interface StageForecast {
  stage: string;
  /** Items that it has in all, and those whose artifacts are there already. */
  items: number;
  itemsCached: number;
  /** Null without history. */
  allocatedSeconds: Interval | null;
  wallSeconds: Interval | null;
  costUsd: Interval | null;
  price: Price;
  basis: EstimateBasis;
  /** Runs that the estimate is from. */
  runs: number;
}

export interface RunEstimate {
  /** Seconds from start to end, of allocated resources, and cost: null where no stage that has work to do was ever measured. */
  wallSeconds: Interval | null;
  allocatedSeconds: Interval | null;
  costUsd: Interval | null;
  /** Stages that have work to do and were never measured: not in the sums. */
  unknown: string[];
  stages: StageForecast[];
}

export interface EstimateNeeds {
  catalog: Catalog;
  planner: Planner;
  price: (work: PricedWork) => Price;
}

/** The newest runs that succeeded: old ones ran on other machines. */
const HISTORY_RUNS = 50;

/**
 * Predicts what a launch of this recipe would take. What is published already is found as the engine finds it, by planning: from the first
 * stage on that has something to do, what follows is counted from the recipe.
 * @throws what a launch of it would throw
 */
export async function estimateRun(
  of: EstimateNeeds & { executorClasses: readonly string[] },
  { projectId }: Principal,
  recipe: unknown,
): Promise<RunEstimate> {
  return await estimateOf(of, projectId, await checkedLaunch(of, projectId, recipe));
}

/** A launch, and the stage from which on nothing that is published counts; null: all of it does. */
export interface EstimatedLaunch extends CheckedLaunch {
  anewFrom?: string | null;
}

export async function estimateOf(of: EstimateNeeds, projectId: string, launch: EstimatedLaunch): Promise<RunEstimate> {
  const rows = of.catalog.project(projectId);
  const { recipe, prior } = launch;
  const [same, demands] = await Promise.all([
    rows.stageHistory(prior.id, HISTORY_RUNS),
    demandsOf(of.planner, rows, projectId, launch),
  ]);
  const isNew = demands.some(({ stage }) => historyOf(stage, same, []).basis === 'NONE');
  const any = isNew ? await rows.stageHistory(null, HISTORY_RUNS) : [];
  const stages = demands.flatMap(({ stage, items, itemsCached, isPlanned }): StageForecast[] => {
    const history = historyOf(stage, same, any);
    // Whether it is skipped is known once it is planned; until then it is what it was.
    if (!isPlanned && history.isSkipped) return [];
    const estimate = estimateStage(stage, items - itemsCached, recipe, history.records);
    const price = of.price({ stage, execution: asJson(recipe)['execution'] as never });
    const { length: runs } = history.records;
    return [
      {
        ...{ stage, items, itemsCached, price, basis: history.basis, runs },
        allocatedSeconds: estimate?.allocatedSeconds ?? null,
        wallSeconds: estimate?.wallSeconds ?? null,
        costUsd: estimate && scaled(estimate.allocatedSeconds, price.usdPerHour / 3600),
      },
    ];
  });
  const known = (name: 'wallSeconds' | 'allocatedSeconds' | 'costUsd') => stages.flatMap((one) => one[name] ?? []);
  const all = (name: 'wallSeconds' | 'allocatedSeconds' | 'costUsd') =>
    stages.length > 0 && known(name).length === 0 ? null : sumOf(known(name));
  return {
    wallSeconds: all('wallSeconds'),
    allocatedSeconds: all('allocatedSeconds'),
    costUsd: all('costUsd'),
    unknown: stages.flatMap(({ stage, costUsd }) => (costUsd ? [] : stage)),
    stages,
  };
}

function historyOf(stage: string, same: readonly StageHistory[], any: readonly StageHistory[]) {
  for (const [basis, history] of [
    ['SAME_PRIOR', same],
    ['OTHER_PRIORS', any],
  ] as const) {
    const all = history.filter((one) => one.stage === stage);
    const records = all.filter((one) => one.state === 'SUCCEEDED' && one.items > 0 && one.allocatedSeconds > 0);
    if (records.length > 0) return { basis, records, isSkipped: false };
    if (all.length > 0 && all.every((one) => one.state === 'SKIPPED')) return { basis, records, isSkipped: true };
  }
  return { basis: 'NONE' as const, records: [], isSkipped: false };
}

interface Demand {
  stage: string;
  items: number;
  itemsCached: number;
  /** By the planner itself, and so exactly. */
  isPlanned: boolean;
}

async function demandsOf(
  planner: Planner,
  rows: Pick<ProjectCatalog, 'artifactsById'>,
  projectId: string,
  { recipe, prior, classes, inputs, anewFrom }: EstimatedLaunch,
): Promise<Demand[]> {
  const demands: Demand[] = [];
  const published = new Map<string, readonly Published[]>();
  let complete = true;
  for (const stage of planner.stages(asJson(recipe))) {
    if (!complete) {
      const items = expectedItems(stage, recipe, classes, prior.description);
      if (items !== null) demands.push({ stage, items, itemsCached: 0, isPlanned: false });
      continue;
    }
    const plan = await planner.plan({
      ...{ projectId, runId: 'estimate', recipe: asJson(recipe), stage, published },
      inputs,
      signal: new AbortController().signal,
    });
    if (plan.kind === 'skip') continue;
    const kept = await keptArtifacts(
      rows,
      plan.tasks.map(({ artifactId }) => artifactId),
    );
    const there = stage === anewFrom ? [] : plan.tasks.filter(({ artifactId }) => kept.has(artifactId));
    const count = (tasks: readonly { items: number }[]) => tasks.reduce((sum, task) => sum + task.items, 0);
    demands.push({ stage, items: count(plan.tasks), itemsCached: count(there), isPlanned: true });
    complete = there.length === plan.tasks.length;
    if (complete)
      published.set(
        stage,
        plan.tasks.map((task) => publishedAs(task, kept.get(task.artifactId)!)),
      );
  }
  return demands;
}

const LOOKUP = 1000;

async function keptArtifacts(
  rows: Pick<ProjectCatalog, 'artifactsById'>,
  ids: readonly string[],
): Promise<Map<string, ArtifactView>> {
  const kept = new Map<string, ArtifactView>();
  for (let from = 0; from < ids.length; from += LOOKUP)
    for (const artifact of await rows.artifactsById(ids.slice(from, from + LOOKUP)))
      if (artifact.state !== 'DELETED') kept.set(artifact.id, artifact);
  return kept;
}

const NO_USAGE = { allocatedSeconds: 0, peakMemoryBytes: 0, bytesRead: 0, bytesWritten: 0 };

function publishedAs(task: Published['task'], { manifest, usage, costUsd, createdAt }: ArtifactView): Published {
  return { task, manifest, usage: usage ?? NO_USAGE, costUsd, recordedAt: createdAt };
}
