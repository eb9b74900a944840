import { type JsonObject } from '../../base/json.ts';
import { type Catalog, type DatasetVersionView, type ProjectCatalog, type RunView } from '../ports.ts';
import { qualities } from '../quality.ts';
import { type Expression } from './expression.ts';
import { type TriggerEvent, type TriggerUsage, type TriggerView } from './rows.ts';
import { factAt, namesIn } from './template.ts';

const HOUR_S = 3600;

/** Names that a trigger looks at; those with a key as `age.promotedHours[production]`. */
export function namesOf(condition: Expression | null, { action }: Pick<TriggerView, 'action'>): ReadonlySet<string> {
  const found = new Set(action.launch ? namesIn(action.launch.recipe) : []);
  const walk = (of: Expression): void => {
    if (of.kind === 'fact') found.add(of.key === null ? of.path : `${of.path}[${of.key}]`);
    else if (of.kind === 'binary' || of.kind === 'method') [of.left, of.right].forEach(walk);
    else if (of.kind === 'in') [of.of, ...of.list].forEach(walk);
    else if (of.kind !== 'literal') walk(of.of);
  };
  if (condition) walk(condition);
  return found;
}

/**
 * What is known of what a trigger looks at, in groups: those that it names nothing of are left out. What is not known is left out, or null.
 * @param usage of the trigger, which its policy asks for anyway
 */
export async function loadFacts(
  catalog: Catalog,
  of: { projectId: string; trigger: TriggerView; event: TriggerEvent; usage: TriggerUsage },
  names: ReadonlySet<string>,
): Promise<JsonObject> {
  const rows = catalog.project(of.projectId);
  const { trigger, event, usage } = of;
  const asks = (group: string) => [...names].some((name) => name.startsWith(`${group}.`));
  const [run] =
    event.runId !== null && (asks('run') || asks('dataset') || asks('age')) ? await rows.runsById([event.runId]) : [];
  const version = asks('dataset') || asks('age') ? await versionOf(rows, trigger, event, run ?? null) : null;
  const [dataset, ofRun, age, cost] = await Promise.all([
    asks('dataset') && version ? datasetFacts(rows, version) : null,
    asks('run') && run ? runFacts(rows, run) : null,
    asks('age') ? ageFacts(rows, names, version?.datasetId ?? null, usage) : null,
    asks('cost') ? costFacts(rows, usage) : null,
  ]);
  return {
    event: { ...event.facts, type: event.type, id: event.key },
    ...(dataset && { dataset }),
    ...(ofRun && { run: ofRun }),
    ...(age && { age }),
    ...(cost && { cost }),
  };
}

/** The value of a name of a condition. */
export function valueOf(facts: JsonObject) {
  return (path: string, key: string | null) => {
    const value = factAt(facts, path);
    return key === null
      ? value
      : value === null || typeof value !== 'object'
        ? null
        : ((value as JsonObject)[key] ?? null);
  };
}

/** The version that an event is about; of a source that names a dataset, else, its newest one. */
async function versionOf(
  rows: ProjectCatalog,
  { source }: TriggerView,
  event: TriggerEvent,
  run: RunView | null,
): Promise<DatasetVersionView | null> {
  const id = event.datasetVersionId ?? run?.datasetVersionId;
  if (id) {
    const [found] = await rows.datasetVersionsById([id]);
    return found?.version ?? null;
  }
  if (source.dataset === null) return null;
  const dataset = await rows.datasetByName(source.dataset);
  const [newest] = dataset ? await rows.newestVersions([dataset.id]) : [];
  return newest ?? null;
}

async function datasetFacts(rows: ProjectCatalog, version: DatasetVersionView): Promise<JsonObject> {
  const [[dataset], before] = await Promise.all([
    rows.datasetsById([version.datasetId]),
    rows.versionsOfDatasets([{ datasetId: version.datasetId, before: version.number, first: MOST_LOOKED_AT }]),
  ]);
  const previous = before.find(({ state }) => state === 'READY');
  const classes = version.classes ?? [];
  const had = new Map((previous?.classes ?? []).map(({ name, images }) => [name, images]));
  const has = new Set(classes.map(({ name }) => name));
  return {
    ...{ id: version.datasetId, name: dataset?.name ?? null, versionId: version.id, number: version.number },
    ...{ images: version.images, classes: classes.length },
    // Of versions of earlier releases no more is known than how many images their classes have.
    newImages:
      version.newImages ??
      classes.reduce((sum, { name, images }) => sum + Math.max(0, images - (had.get(name) ?? 0)), 0),
    newClasses: classes.filter(({ name }) => !had.has(name)).length,
    vanishedClasses: [...had.keys()].filter((name) => !has.has(name)).length,
  };
}

/** Versions that failed lie between. */
const MOST_LOOKED_AT = 50;

async function runFacts(rows: ProjectCatalog, run: RunView): Promise<JsonObject> {
  const [[quality], outputs] = await Promise.all([
    qualities(rows, [run]),
    rows.artifactsByRun([run.id], 'OUTPUT', ['syntheticDataset']),
  ]);
  const { overall, images, costToMakeUsd } = quality!;
  const seconds = run.startedAt && run.endedAt ? (run.endedAt.getTime() - run.startedAt.getTime()) / 1000 : null;
  return {
    ...{ id: run.id, state: run.state, failure: run.failure?.class ?? null, priorId: run.priorId, seconds },
    ...{ costUsd: run.costUsd, costToMakeUsd, images, syntheticDatasetId: outputs[0]?.artifact.id ?? null },
    ...{
      w2: overall?.w2Weighted ?? null,
      heldoutW2: overall?.heldoutW2 ?? null,
      w2Decoded: overall?.w2Decoded ?? null,
    },
    ...{ reduction: overall?.reduction ?? null, reductionBalanced: overall?.reductionBalanced ?? null },
    ...{ reductionD4m: overall?.reductionD4m ?? null, ess: overall?.ess ?? null },
    nearestRatio: overall?.nearestRatio ?? null,
  };
}

async function ageFacts(
  rows: ProjectCatalog,
  names: ReadonlySet<string>,
  datasetId: string | null,
  { firedSecondsAgo }: TriggerUsage,
): Promise<JsonObject> {
  const aliases = [...names].flatMap((name) => /^age\.promotedHours\[(.*)\]$/.exec(name)?.[1] ?? []);
  const [lastRunHours, ...promoted] = await Promise.all([
    names.has('age.lastRunHours') ? rows.hoursSince({ what: 'RUN', datasetId }) : null,
    ...aliases.map((alias) => rows.hoursSince({ what: 'PROMOTED', alias })),
  ]);
  const promotedHours = Object.fromEntries(aliases.map((alias, at) => [alias, promoted[at] ?? null]));
  return {
    ...{ lastRunHours: lastRunHours ?? null, promotedHours },
    lastFiredHours: firedSecondsAgo === null ? null : firedSecondsAgo / HOUR_S,
  };
}

async function costFacts(rows: ProjectCatalog, { spentUsd }: TriggerUsage): Promise<JsonObject> {
  const [spentThisMonthUsd, budgetUsd] = await Promise.all([rows.spentThisMonth(), rows.monthlyBudgetUsd()]);
  return { spentThisMonthUsd, budgetUsd, triggerSpentThisMonthUsd: spentUsd };
}
