import DataLoader from 'dataloader';
import { type ProjectReader } from '../control/control.ts';
import { FIGURE_STAGES } from '../control/figures.ts';
import { lineageKey } from '../control/lineage.ts';
import {
  type AliasVersionPageRequest,
  type EventPageRequest,
  type LineageDirection,
  type LineageEdge,
  type LineageKey,
  type PinView,
  type TaskPageRequest,
  type TriggerEvaluationView,
  type TriggerView,
  type VersionPageRequest,
  type WebhookDeliveryView,
  type WebhookTryView,
  type WebhookView,
} from '../control/ports.ts';
import {
  type AliasVersionView,
  type ArtifactView,
  type AttemptView,
  type DatasetVersionView,
  type DatasetView,
  type PriorView,
  type RunEventView,
  type RunView,
  type StageView,
  type TaskView,
  type UploadFileView,
  type UploadView,
  type UpstreamVersionView,
} from '../control/views.ts';
import { MAX_PAGE } from './connection.ts';

/** One query per kind and tick, however many objects of a response ask. A loader lives as long as its request. */
export type Loaders = ReturnType<typeof createLoaders>;

export function createLoaders(rows: ProjectReader) {
  return {
    dataset: byId<DatasetView>((ids) => rows.datasetsById(ids)),
    datasetVersion: new DataLoader<string, DatasetVersionView | null>(
      async (ids) => {
        const found = new Map((await rows.datasetVersionsById(ids)).map((one) => [one.askedId, one.version]));
        return ids.map((id) => found.get(id) ?? null);
      },
      { maxBatchSize: MAX_BATCH },
    ),
    prior: byId<PriorView>((ids) => rows.priorsById(ids)),
    run: byId<RunView>((ids) => rows.runsById(ids)),
    task: byId<TaskView>((ids) => rows.tasksById(ids)),
    artifact: byId<ArtifactView>((ids) => rows.artifactsById(ids)),
    aliasVersion: byId<AliasVersionView>((ids) => rows.aliasVersionsById(ids)),
    webhook: byId<WebhookView>((ids) => rows.webhooksById(ids)),
    webhookDelivery: byId<WebhookDeliveryView>((ids) => rows.webhookDeliveriesById(ids)),
    trigger: byId<TriggerView>((ids) => rows.triggersById(ids)),
    triggerEvaluation: byId<TriggerEvaluationView>((ids) => rows.triggerEvaluationsById(ids)),
    evaluationsOfRun: grouped<TriggerEvaluationView, TriggerEvaluationView>(
      (ids) => rows.evaluationsOfRuns(ids),
      (evaluation) => evaluation.launchedRunId!,
      (evaluation) => evaluation,
    ),
    upload: byId<UploadView>((ids) => rows.uploadsById(ids)),
    upstreamVersion: byId<UpstreamVersionView>((ids) => rows.upstreamVersionsById(ids)),

    triesOfDelivery: grouped<WebhookTryView, WebhookTryView>(
      (ids) => rows.triesOfDeliveries(ids),
      (one) => one.deliveryId,
      (one) => one,
    ),
    filesOfUpload: grouped<UploadFileView, UploadFileView>(
      (ids) => rows.filesOfUploads(ids),
      (file) => file.uploadId,
      (file) => file,
    ),
    newestVersion: new DataLoader<string, DatasetVersionView | null>(
      async (ids) => {
        const found = new Map((await rows.newestVersions(ids)).map((version) => [version.datasetId, version]));
        return ids.map((id) => found.get(id) ?? null);
      },
      { maxBatchSize: MAX_BATCH },
    ),
    /** One more version than asked for says whether there are more. */
    versionsOfDataset: new DataLoader<VersionPageRequest, DatasetVersionView[], string>(
      async (requests) => {
        const found = await rows.versionsOfDatasets(requests.map((one) => ({ ...one, first: one.first + 1 })));
        return requests.map((one) =>
          found
            .filter((version) => version.datasetId === one.datasetId && version.number < (one.before ?? Infinity))
            .slice(0, one.first + 1),
        );
      },
      { cacheKeyFn: (one) => JSON.stringify([one.datasetId, one.before, one.first]), maxBatchSize: MAX_BATCH },
    ),
    stagesOfRun: grouped<StageView, StageView>(
      (ids) => rows.stagesByRun(ids),
      (stage) => stage.runId,
      (stage) => stage,
    ),
    figureTasksOfRun: grouped<TaskView, TaskView>(
      (ids) => rows.tasksByRun(ids, FIGURE_STAGES),
      (task) => task.runId,
      (task) => task,
    ),
    costOfTask: new DataLoader<string, number>(
      async (ids) => {
        const costs = await rows.costsOfTasks(ids);
        return ids.map((id) => costs.get(id) ?? 0);
      },
      { maxBatchSize: MAX_BATCH },
    ),
    attemptsOfTask: grouped<AttemptView, AttemptView>(
      (ids) => rows.attemptsByTask(ids),
      (attempt) => attempt.taskId,
      (attempt) => attempt,
    ),
    inputsOfRun: grouped<{ runId: string; artifact: ArtifactView }, ArtifactView>(
      (ids) => rows.artifactsByRun(ids, 'INPUT'),
      (found) => found.runId,
      (found) => found.artifact,
    ),
    /** A run of many classes has thousands of outputs, so the kinds asked for are chosen by the query. */
    outputsOfRun: new DataLoader<OutputsRequest, ArtifactView[], string>(
      async (requests) => {
        const loads = new Map<string, Promise<{ runId: string; artifact: ArtifactView }[]>>();
        for (const { kinds } of requests) {
          const same = requests.filter((one) => String(one.kinds) === String(kinds)).map((one) => one.runId);
          const key = String(kinds);
          if (!loads.has(key)) loads.set(key, rows.artifactsByRun(same, 'OUTPUT', kinds ?? undefined));
        }
        return await Promise.all(
          requests.map(async ({ runId, kinds }) =>
            (await loads.get(String(kinds))!).filter((one) => one.runId === runId).map((one) => one.artifact),
          ),
        );
      },
      { cacheKeyFn: (one) => JSON.stringify([one.runId, one.kinds]), maxBatchSize: MAX_BATCH },
    ),
    inputsOfArtifact: grouped<{ artifactId: string; input: ArtifactView }, ArtifactView>(
      (ids) => rows.inputsOfArtifacts(ids),
      (found) => found.artifactId,
      (found) => found.input,
    ),
    usersOfArtifact: grouped<{ artifactId: string; user: ArtifactView }, ArtifactView>(
      (ids) => rows.usersOfArtifacts(ids),
      (found) => found.artifactId,
      (found) => found.user,
    ),
    runsUsingArtifact: grouped<{ artifactId: string; run: RunView }, RunView>(
      (ids) => rows.runsUsingArtifacts(ids),
      (found) => found.artifactId,
      (found) => found.run,
    ),
    pinsOfArtifact: grouped<PinView, PinView>(
      (ids) => rows.pinsOfArtifacts(ids),
      (pin) => pin.artifactId,
      (pin) => pin,
    ),
    /** One more version than asked for says whether there are more. */
    versionsOfAlias: new DataLoader<AliasVersionPageRequest, AliasVersionView[], string>(
      async (requests) => {
        const found = await rows.versionsOfAliases(requests.map((one) => ({ ...one, first: one.first + 1 })));
        return requests.map((one) =>
          found
            .filter((version) => version.alias === one.alias && version.number < (one.before ?? Infinity))
            .slice(0, one.first + 1),
        );
      },
      { cacheKeyFn: (one) => JSON.stringify([one.alias, one.before, one.first]), maxBatchSize: MAX_BATCH },
    ),
    aliasesOfArtifact: grouped<AliasVersionView, AliasVersionView>(
      (ids) => rows.aliasesOfArtifacts(ids),
      (version) => version.artifactId,
      (version) => version,
    ),
    /** The first neighbours of a node, `MAX_PAGE` at most, whatever is asked for. */
    lineageEdges: new DataLoader<LineageNeighbours, LineageEdge[], string>(
      async (requests) => {
        const found = requests.map((): LineageEdge[] => []);
        for (const direction of ['UPSTREAM', 'DOWNSTREAM'] as const) {
          const asked = requests.flatMap((one, at) => (one.direction === direction ? [at] : []));
          const sources = asked.map((at) => requests[at]!.of);
          const first = MAX_PAGE * asked.length;
          const edges = await rows.lineageEdges({ sources, direction, after: null, first, perSource: MAX_PAGE });
          for (const edge of edges) found[asked[edge.source]!]!.push(edge);
        }
        return found;
      },
      { cacheKeyFn: ({ of, direction }) => `${direction} ${lineageKey(of)}`, maxBatchSize: MAX_BATCH },
    ),
    /** One more task than asked for says whether there are more. */
    tasksOfStage: new DataLoader<TaskPageRequest, TaskView[], string>(
      async (requests) => {
        const found = await rows.tasksOfStages(requests.map((one) => ({ ...one, first: one.first + 1 })));
        return requests.map((one) =>
          found
            .filter((task) => task.runId === one.runId && task.stage === one.stage && task.index > one.afterIndex)
            .slice(0, one.first + 1),
        );
      },
      {
        cacheKeyFn: (one) => JSON.stringify([one.runId, one.stage, one.afterIndex, one.first]),
        maxBatchSize: MAX_BATCH,
      },
    ),
    /** One more event than asked for says whether there are more. */
    eventsOfRun: new DataLoader<EventPageRequest, RunEventView[], string>(
      async (requests) => {
        const found = await rows.eventsOfRuns(requests.map((one) => ({ ...one, first: one.first + 1 })));
        return requests.map((one) =>
          found.filter((event) => event.runId === one.runId && event.sequence > one.after).slice(0, one.first + 1),
        );
      },
      { cacheKeyFn: (one) => JSON.stringify([one.runId, one.after, one.first]), maxBatchSize: MAX_BATCH },
    ),
  };
}

const MAX_BATCH = 500;

interface LineageNeighbours {
  of: LineageKey;
  direction: LineageDirection;
}

interface OutputsRequest {
  runId: string;
  /** Null: all. */
  kinds: readonly string[] | null;
}

function byId<V extends { id: string }>(load: (ids: readonly string[]) => Promise<V[]>): DataLoader<string, V | null> {
  return new DataLoader(
    async (ids) => {
      const found = new Map((await load(ids)).map((one) => [one.id, one]));
      return ids.map((id) => found.get(id) ?? null);
    },
    { maxBatchSize: MAX_BATCH },
  );
}

function grouped<Row, V>(
  load: (ids: readonly string[]) => Promise<Row[]>,
  keyOf: (row: Row) => string,
  valueOf: (row: Row) => V,
): DataLoader<string, V[]> {
  return new DataLoader(
    async (ids) => {
      const groups = new Map<string, V[]>(ids.map((id) => [id, []]));
      for (const row of await load(ids)) groups.get(keyOf(row))?.push(valueOf(row));
      return ids.map((id) => groups.get(id) ?? []);
    },
    { maxBatchSize: MAX_BATCH },
  );
}
