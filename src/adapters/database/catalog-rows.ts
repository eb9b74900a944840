import { type Selectable } from 'kysely';
import { type JsonObject } from '../../base/json.ts';
import {
  type ArtifactView,
  type AttemptView,
  type DatasetVersionView,
  type DatasetView,
  type ImportProgress,
  type ImportSource,
  type PinView,
  type PriorView,
  type RunEventView,
  type TaskView,
  type UpstreamVersionView,
} from '../../control/ports.ts';
import {
  type ArtifactPins,
  type Artifacts,
  type Attempts,
  type DatasetVersions,
  type Datasets,
  type Priors,
  type RunEvents,
  type Tasks,
  type UpstreamVersions,
} from './schema.ts';

/** Rows as the views of control. What is jsonb here was written by this adapter, so its shape is taken as written. */

export const toDataset = (row: Selectable<Datasets>): DatasetView => ({
  id: row.id,
  name: row.name,
  createdAt: row.created_at,
});

/** Rows of before splits and upstream versions could be asked for have none. */
export const toImportSource = (source: JsonObject): ImportSource =>
  ({ split: null, upstreamVersionId: null, ...source }) as unknown as ImportSource;

export const toDatasetVersion = (row: Selectable<DatasetVersions>, reused: boolean): DatasetVersionView => ({
  id: row.id,
  datasetId: row.dataset_id,
  number: row.number,
  state: row.state,
  source: toImportSource(row.source),
  progress: { images: 0, bytes: 0, ...(row.progress as unknown as Partial<ImportProgress>) },
  digest: row.digest,
  images: row.images,
  newImages: row.new_images,
  classes: row.classes,
  artifactId: row.artifact_id,
  error: row.error,
  createdAt: row.created_at,
  endedAt: row.ended_at,
  reused,
});

export const toPrior = (row: Selectable<Priors>): PriorView => ({
  id: row.id,
  name: row.name,
  version: row.version,
  digest: row.digest,
  artifactId: row.artifact_id,
  description: row.description as unknown as PriorView['description'],
  createdAt: row.created_at,
});

export const TASK_COLUMNS = [
  'id',
  'run_id',
  'stage',
  'index',
  'artifact_id',
  'state',
  'cache',
  'cache_reason',
  'title',
  'labels',
  'items',
  'items_done',
  'metrics',
  'started_at',
  'ended_at',
] as const;

export const toTask = (row: Pick<Selectable<Tasks>, (typeof TASK_COLUMNS)[number]>): TaskView => ({
  id: row.id,
  runId: row.run_id,
  stage: row.stage,
  index: row.index,
  artifactId: row.artifact_id,
  state: row.state,
  cache: row.cache,
  cacheReason: row.cache_reason,
  title: row.title,
  labels: row.labels,
  items: row.items,
  itemsDone: row.items_done,
  metrics: row.metrics,
  startedAt: row.started_at,
  endedAt: row.ended_at,
});

export const toAttempt = (row: Selectable<Attempts>): AttemptView => ({
  id: row.id,
  taskId: row.task_id,
  number: row.number,
  state: row.state,
  executor: row.executor,
  failure: row.failure,
  usage: row.usage,
  priceUsdPerHour: row.price_usd_per_hour,
  priceList: row.price_list,
  costUsd: row.cost_usd,
  startedAt: row.started_at,
  runningAt: row.running_at,
  endedAt: row.ended_at,
});

export const toArtifact = (row: Selectable<Artifacts>): ArtifactView => ({
  id: row.id,
  kind: row.kind,
  stage: row.stage,
  title: row.title,
  bytes: Number(row.bytes),
  manifest: row.manifest,
  runId: row.run_id,
  taskId: row.task_id,
  usage: row.usage,
  costUsd: row.cost_usd,
  createdAt: row.created_at,
  state: row.state,
  doomedAt: row.doomed_at,
  doomedBecause: row.doomed_because,
  deletedAt: row.deleted_at,
  deletedBecause: row.deleted_because,
});

export const toPin = (row: Selectable<ArtifactPins>): PinView => ({
  artifactId: row.artifact_id,
  note: row.note,
  pinnedBy: row.pinned_by,
  pinnedAt: row.pinned_at,
});

export const toRunEvent = (row: Selectable<RunEvents>): RunEventView => ({
  runId: row.run_id,
  sequence: row.sequence,
  at: row.at,
  type: row.type,
  payload: row.payload,
});

export const toUpstreamVersion = (row: Selectable<UpstreamVersions>): UpstreamVersionView => ({
  id: row.id,
  namespace: row.namespace,
  name: row.name,
  version: row.version,
  place: row.place,
  fields: row.fields,
  producer: row.producer,
  job: row.job,
  madeAt: row.made_at,
  createdAt: row.created_at,
});
