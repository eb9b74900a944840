import { type JsonObject } from '../../base/json.ts';
import { isDrift } from '../drift.ts';
import { type Catalog, type DatasetVersionView, type FedEvent, type RunView } from '../ports.ts';
import {
  type AliasChange,
  type RunOutcome,
  type TriggerEvaluationView,
  type TriggerEvent,
  type TriggerSource,
  type TriggerStore,
} from './rows.ts';

/** Events of the feed that triggers look at. The last three are of triggers alone. */
export const TRIGGER_EVENTS: ReadonlySet<string> = new Set([
  ...['run.succeeded', 'run.failed', 'run.cancelled', 'datasetVersion.ready', 'alias.promoted', 'alias.reverted'],
  ...['trigger.due', 'trigger.requested', 'event.received'],
]);

/** What is fed, with all that sources go by. */
export interface Occurrence {
  event: TriggerEvent;
  projectId: string;
  /** Triggers that led to it. */
  chain: readonly string[];
  /** What it is; a run's is told by its state. */
  of:
    | { kind: 'RUN'; run: RunView; dataset: string | null; launchedBy: string | null }
    | { kind: 'DATASET_VERSION'; dataset: string }
    | { kind: 'ALIAS'; alias: string; change: AliasChange }
    | { kind: 'EVENT'; eventSourceId: string; type: string }
    /** For one trigger alone. */
    | { kind: 'OWN'; triggerId: string };
}

/** Whether an occurrence is one that a trigger is to be evaluated for. */
export function looksAt(source: TriggerSource, triggerId: string, { of }: Occurrence): boolean {
  const asked = <T>(wanted: T | null, got: T | null) => wanted === null || wanted === got;
  switch (of.kind) {
    case 'OWN':
      return of.triggerId === triggerId;
    case 'DATASET_VERSION':
      return (source.kind === 'DATASET_VERSION' || source.kind === 'DRIFT') && source.dataset === of.dataset;
    case 'ALIAS':
      return source.kind === 'ALIAS' && source.alias === of.alias && source.changes!.includes(of.change);
    case 'EVENT':
      return (
        source.kind === 'EVENT' &&
        source.eventSourceId === of.eventSourceId &&
        (source.eventTypes === null || source.eventTypes.includes(of.type))
      );
    case 'RUN':
      return (
        source.kind === 'RUN' &&
        // A drift run answers to the trigger that measures.
        !isDrift(of.run.recipe) &&
        source.outcomes!.includes(of.run.state as RunOutcome) &&
        asked(source.dataset, of.dataset) &&
        asked(source.priorId, of.run.priorId) &&
        asked(source.launchedBy, of.launchedBy)
      );
  }
}

/** @returns in the order of the events; those that concern no source are left out */
export async function occurrencesOf(
  of: { catalog: Catalog; triggers: Pick<TriggerStore, 'chainOf'> },
  events: readonly FedEvent[],
): Promise<Occurrence[]> {
  const found = new Map<FedEvent, Occurrence>();
  for (const [projectId, ofProject] of Map.groupBy(events, (event) => event.projectId)) {
    const rows = of.catalog.project(projectId);
    const runs = await runsOf(
      rows,
      ofProject.flatMap((event) => (event.of === 'run' ? event.runId : [])),
    );
    for (const event of ofProject) {
      const occurrence =
        event.of === 'run' ? runs.get(event.runId)?.(event) : await ofTheProject({ ...of, rows }, event);
      if (occurrence) found.set(event, occurrence);
    }
  }
  return events.flatMap((event) => found.get(event) ?? []);
}

type Rows = ReturnType<Catalog['project']>;

async function runsOf(rows: Rows, ids: readonly string[]) {
  if (ids.length === 0) return new Map<string, (event: FedEvent) => Occurrence>();
  const [runs, evaluations] = await Promise.all([rows.runsById(ids), rows.evaluationsOfRuns(ids)]);
  const versions = await rows.datasetVersionsById([...new Set(runs.map(({ datasetVersionId }) => datasetVersionId))]);
  const datasets = await rows.datasetsById([...new Set(versions.map(({ version }) => version.datasetId))]);
  const versionOf = new Map(versions.map(({ askedId, version }) => [askedId, version]));
  const nameOf = new Map(datasets.map(({ id, name }) => [id, name]));
  const launched = new Map(evaluations.map((one) => [one.launchedRunId!, one]));
  return new Map(
    runs.map((run) => [
      run.id,
      (event: FedEvent) => ofRun(event, run, versionOf.get(run.datasetVersionId), launched.get(run.id), nameOf),
    ]),
  );
}

function ofRun(
  { projectId, type, at, ...event }: FedEvent,
  run: RunView,
  version: DatasetVersionView | undefined,
  launchedBy: TriggerEvaluationView | undefined,
  nameOf: ReadonlyMap<string, string>,
): Occurrence {
  const { id: runId, datasetVersionId } = run;
  const key = event.of === 'run' ? `${runId}/${event.sequence}` : runId;
  return {
    projectId,
    event: { key, type, at, facts: {}, runId, datasetVersionId },
    chain: launchedBy?.chain ?? [],
    of: {
      ...{ kind: 'RUN', run, dataset: (version && nameOf.get(version.datasetId)) ?? null },
      launchedBy: launchedBy?.triggerId ?? null,
    },
  };
}

async function ofTheProject(
  { rows, triggers }: { rows: Rows; triggers: Pick<TriggerStore, 'chainOf'> },
  fed: FedEvent & { of: 'project' },
): Promise<Occurrence | null> {
  const { projectId, type, at, subject, payload, eventId } = fed;
  const text = (name: string) => (typeof payload[name] === 'string' ? payload[name] : null);
  const event = { key: eventId, type, at, facts: {}, runId: null, datasetVersionId: text('datasetVersionId') };
  switch (type) {
    case 'datasetVersion.ready':
      // The same images as those of an earlier version: nothing is new.
      if (payload['reused'] === true) return null;
      return { projectId, event, chain: [], of: { kind: 'DATASET_VERSION', dataset: text('dataset')! } };
    case 'alias.promoted':
    case 'alias.reverted': {
      const told = ['alias', 'number', 'artifactId', 'previousArtifactId', 'by', 'override'];
      const facts = Object.fromEntries(told.map((name) => [name, payload[name] ?? null]));
      const [artifact] = await rows.artifactsById([text('artifactId')!]);
      return {
        ...{ projectId, event: { ...event, facts, runId: artifact?.runId ?? null } },
        chain: await triggers.chainOf(text('aliasVersionId')!),
        of: { kind: 'ALIAS', alias: subject, change: type === 'alias.promoted' ? 'PROMOTED' : 'REVERTED' },
      };
    }
    case 'event.received': {
      const facts = Object.fromEntries(['source', 'subject', 'data'].map((name) => [name, payload[name] ?? null]));
      const told = text('type')!;
      return {
        projectId,
        event: { ...event, key: text('key')!, type: told, facts },
        ...{ chain: [], of: { kind: 'EVENT', eventSourceId: text('eventSourceId')!, type: told } },
      };
    }
    case 'trigger.due':
    case 'trigger.requested': {
      const { key, facts, type: told } = payload as { key: string; facts: JsonObject; type?: string };
      return {
        projectId,
        event: { ...event, key, type: told ?? type, facts, runId: text('runId') },
        ...{ chain: [], of: { kind: 'OWN', triggerId: subject } },
      };
    }
    default:
      return null;
  }
}
