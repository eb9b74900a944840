import { type ColumnType, type Generated } from 'kysely';
import { type ErrorRecord } from '../../base/errors.ts';
import { type JsonObject, type JsonValue } from '../../base/json.ts';
import {
  type ArtifactState,
  type DeliveryState,
  type DoomReason,
  type Gate,
  type GateResult,
  type RetentionPolicy,
  type SkipReason,
  type ToldEvent,
  type TriggerDefinition,
  type TriggerEvent,
  type TriggerState,
  type TriggerTerm,
  type TriggerVerdict,
  type UploadState,
  type UpstreamField,
  type UpstreamJob,
  type WaitReason,
  type WebhookState,
} from '../../control/ports.ts';
import {
  type ArtifactManifest,
  type AttemptState,
  type Failure,
  type RunLimits,
  type RunState,
  type StageState,
  type TaskCache,
  type TaskSpec,
  type TaskState,
  type Usage,
} from '../../engine/ports.ts';

/** The tables of the migrations, as kysely sees them. Words as in ARCHITECTURE.md. */
export interface Database {
  projects: Projects;
  datasets: Datasets;
  dataset_versions: DatasetVersions;
  import_keys: ImportKeys;
  priors: Priors;
  runs: Runs;
  stages: Stages;
  tasks: Tasks;
  attempts: Attempts;
  artifacts: Artifacts;
  artifact_inputs: ArtifactInputs;
  run_artifacts: RunArtifacts;
  run_events: RunEvents;
  blob_references: BlobReferences;
  artifact_pins: ArtifactPins;
  aliases: Aliases;
  alias_versions: AliasVersions;
  retention_policies: RetentionPolicies;
  retention_sweeps: RetentionSweeps;
  swept_objects: SweptObjects;
  uploads: Uploads;
  upload_files: UploadFiles;
  upload_parts: UploadParts;
  project_events: ProjectEvents;
  feed_consumers: FeedConsumers;
  feed_events: FeedEvents;
  webhooks: Webhooks;
  webhook_deliveries: WebhookDeliveries;
  webhook_tries: WebhookTries;
  triggers: Triggers;
  trigger_versions: TriggerVersions;
  trigger_evaluations: TriggerEvaluations;
  event_sources: EventSources;
  received_events: ReceivedEvents;
  upstream_versions: UpstreamVersions;
  version_upstreams: VersionUpstreams;
}

/** Read as a value, written as text: `json(value)`. The driver would write an array as a Postgres array. */
export type Json<T> = ColumnType<T, string, string>;
type DefaultedJson<T> = ColumnType<T, string | undefined, string>;
type Time = ColumnType<Date, Date | string | undefined, Date | string>;
type OptionalTime = ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;

/**
 * jsonb refuses two things that JSON text may hold: NUL and lone surrogates. Both become U+FFFD, in keys as well, so that
 * whatever a worker logged or a source is named can be recorded.
 */
export function json(value: unknown): string {
  return JSON.stringify(value).replace(ESCAPES, (escape) => (REFUSED.test(escape) ? '\uFFFD' : escape));
}

const ESCAPES = /\\(?:u[0-9a-f]{4}|.)/g;
const REFUSED = /^\\u(?:0000|d[89a-f]..)$/;

/** The same for a text column. The driver writes lone surrogates as U+FFFD already. */
export function text(value: string): string {
  return value.replaceAll('\0', '\uFFFD');
}

/** Rows of one insert: Postgres takes 65535 parameters a statement. */
const ROWS = 1000;

export function* chunks<T>(of: readonly T[]): Generator<readonly T[]> {
  for (let i = 0; i < of.length; i += ROWS) yield of.slice(i, i + ROWS);
}

export interface Projects {
  id: string;
  name: string;
  max_running_tasks: number | null;
  monthly_budget_usd: number | null;
  created_at: Time;
}

export interface Datasets {
  id: string;
  project_id: string;
  name: string;
  created_at: Time;
}

export interface DatasetVersions {
  id: string;
  project_id: string;
  dataset_id: string;
  number: number;
  state: 'IMPORTING' | 'READY' | 'FAILED';
  source: Json<JsonObject>;
  progress: DefaultedJson<JsonObject>;
  digest: string | null;
  images: number | null;
  new_images: number | null;
  classes: Json<{ name: string; images: number }[]> | null;
  artifact_id: string | null;
  error: Json<ErrorRecord> | null;
  deaths: Generated<number>;
  created_at: Time;
  ended_at: OptionalTime;
}

export interface ImportKeys {
  project_id: string;
  key: string;
  dataset_version_id: string;
  source: Json<JsonObject>;
}

export interface Priors {
  id: string;
  project_id: string;
  name: string;
  version: string;
  digest: string;
  artifact_id: string;
  description: Json<JsonObject>;
  created_at: Time;
}

export interface Runs {
  id: string;
  project_id: string;
  state: RunState;
  recipe: Json<JsonObject>;
  recipe_digest: string;
  inputs: Json<Record<string, string>>;
  dataset_version_id: string;
  prior_id: string;
  idempotency_key: string | null;
  fingerprint: string;
  traceparent: string | null;
  failure: Json<Failure> | null;
  priority: Generated<number>;
  limits: DefaultedJson<RunLimits>;
  retry_of: string | null;
  cancel_requested: Generated<boolean>;
  resources_unconfirmed: Generated<boolean>;
  event_sequence: Generated<number>;
  cost_usd: Generated<number>;
  created_at: Time;
  started_at: OptionalTime;
  ended_at: OptionalTime;
}

export interface Stages {
  run_id: string;
  name: string;
  position: number;
  state: StageState;
  skip_reason: string | null;
  artifact_id: string | null;
  tasks_total: Generated<number>;
  tasks_done: Generated<number>;
  tasks_cached: Generated<number>;
  items_total: Generated<number>;
  items_done: Generated<number>;
  cost_usd: Generated<number>;
  allocated_seconds: Generated<number>;
  started_at: OptionalTime;
  ended_at: OptionalTime;
}

export interface Tasks {
  id: string;
  run_id: string;
  stage: string;
  index: number;
  artifact_id: string;
  state: TaskState;
  cache: TaskCache | null;
  cache_reason: string | null;
  title: string;
  labels: Json<Record<string, string>>;
  items: number;
  items_done: Generated<number>;
  spec: Json<TaskSpec>;
  epoch: Generated<number>;
  not_before: Time;
  metrics: Json<Record<string, number>> | null;
  started_at: OptionalTime;
  ended_at: OptionalTime;
}

export interface Attempts {
  id: string;
  run_id: string;
  task_id: string;
  number: number;
  epoch: number;
  state: AttemptState;
  executor: string;
  reference: Json<JsonObject> | null;
  owner: string;
  lease_expires_at: Time;
  failure: Json<Failure> | null;
  usage: Json<Usage> | null;
  price_usd_per_hour: number | null;
  price_list: string | null;
  cost_usd: number | null;
  started_at: Time;
  running_at: OptionalTime;
  ended_at: OptionalTime;
}

export interface Artifacts {
  project_id: string;
  id: string;
  kind: string;
  stage: string;
  title: string;
  bytes: number;
  manifest: Json<ArtifactManifest>;
  run_id: string | null;
  task_id: string | null;
  usage: Json<Usage> | null;
  cost_usd: Generated<number>;
  created_at: Time;
  state: Generated<ArtifactState>;
  doomed_at: OptionalTime;
  doomed_because: ColumnType<DoomReason | null, DoomReason | null | undefined, DoomReason | null>;
  deleted_at: OptionalTime;
  deleted_because: string | null;
}

export interface ArtifactInputs {
  project_id: string;
  artifact_id: string;
  input_id: string;
}

export interface RunArtifacts {
  run_id: string;
  project_id: string;
  artifact_id: string;
  direction: 'INPUT' | 'OUTPUT';
  stage: string | null;
}

export interface RunEvents {
  run_id: string;
  sequence: number;
  at: Time;
  type: string;
  payload: Json<JsonObject>;
}

export interface BlobReferences {
  project_id: string;
  sha256: string;
  artifact_id: string;
  bytes: number;
}

export interface ArtifactPins {
  project_id: string;
  artifact_id: string;
  note: string;
  pinned_by: string;
  pinned_at: Time;
}

export interface Aliases {
  project_id: string;
  name: string;
  gates: Json<Gate[]>;
  created_at: Time;
}

export interface AliasVersions {
  id: string;
  project_id: string;
  alias: string;
  number: number;
  artifact_id: string;
  gates: Json<GateResult[]>;
  override: string | null;
  reverts_to: number | null;
  promoted_by: string;
  promoted_at: Time;
}

export interface RetentionPolicies {
  project_id: string;
  policy: Json<RetentionPolicy>;
  set_by: string;
  set_at: Time;
}

export interface RetentionSweeps {
  project_id: string;
  swept_at: Time;
}

export interface SweptObjects {
  project_id: string;
  key: string;
  sweep: string;
  condemned_at: Time;
  gone_at: OptionalTime;
}

export interface Uploads {
  id: string;
  project_id: string;
  state: UploadState;
  idempotency_key: string;
  fingerprint: string;
  bytes: number;
  created_at: Time;
  expires_at: ColumnType<Date, Date | string, Date | string>;
  ended_at: OptionalTime;
  freed_at: OptionalTime;
}

export interface UploadFiles {
  upload_id: string;
  index: number;
  path: string;
  bytes: number;
  part_bytes: number;
  part_count: number;
  gathering: string | null;
  complete: Generated<boolean>;
}

export interface UploadParts {
  upload_id: string;
  file: number;
  number: number;
  sha256: string;
}

export interface ProjectEvents {
  id: string;
  project_id: string;
  type: string;
  subject: string;
  payload: Json<JsonObject>;
  created_at: Time;
}

export interface FeedConsumers {
  name: string;
  types: string[] | null;
  begun_at: Time;
  seen_at: Time;
}

export interface FeedEvents {
  consumer: string;
  id: Generated<number>;
  run_id: string | null;
  sequence: number | null;
  project_event_id: string | null;
}

export interface Webhooks {
  id: string;
  project_id: string;
  url: string;
  description: string;
  types: string[];
  aliases: string[] | null;
  dataset_ids: string[] | null;
  template: ColumnType<JsonValue, string | null, string | null>;
  headers: Json<Record<string, string>>;
  secrets: Json<{ secret: string; createdAt: string; expiresAt: string | null }[]>;
  state: Generated<WebhookState>;
  disabled_because: string | null;
  created_by: string;
  created_at: Time;
}

export interface WebhookDeliveries {
  id: string;
  project_id: string;
  webhook_id: string;
  key: string;
  position: Generated<number>;
  event_id: string;
  type: string;
  run_id: string | null;
  event: Json<Omit<ToldEvent, 'at'> & { at: string }>;
  state: Generated<DeliveryState>;
  tries: Generated<number>;
  failures: Generated<number>;
  next_try_at: Time;
  error: string | null;
  created_at: Time;
  ended_at: OptionalTime;
}

export interface WebhookTries {
  delivery_id: string;
  number: number;
  at: Date;
  ms: number;
  status: number | null;
  error: string | null;
  request_headers: Json<Record<string, string>>;
  request_body: string;
  response_headers: Json<Record<string, string>> | null;
  response_body: string | null;
}

export interface UpstreamVersions {
  id: string;
  project_id: string;
  namespace: string;
  name: string;
  version: string;
  place: string | null;
  fields: Json<UpstreamField[]> | null;
  producer: string;
  job: Json<UpstreamJob> | null;
  made_at: ColumnType<Date, Date | string, Date | string>;
  created_at: Time;
}

export interface VersionUpstreams {
  project_id: string;
  dataset_version_id: string;
  upstream_id: string;
}

export interface Triggers {
  id: string;
  project_id: string;
  name: string;
  state: Generated<TriggerState>;
  paused_because: string | null;
  version: number;
  definition: Json<TriggerDefinition>;
  changed_by: string;
  changed_at: Time;
  created_at: Time;
  next_due_at: OptionalTime;
  deleted_at: OptionalTime;
}

export interface TriggerVersions {
  trigger_id: string;
  number: number;
  definition: Json<TriggerDefinition>;
  changed_by: string;
  changed_at: ColumnType<Date, Date | string, Date | string>;
}

export interface TriggerEvaluations {
  id: string;
  project_id: string;
  trigger_id: string;
  trigger_version: number;
  event_key: string;
  /** Times are texts in it. */
  event: Json<Omit<TriggerEvent, 'key' | 'at'> & { at: string }>;
  chain: string[];
  verdict: TriggerVerdict;
  reason: SkipReason | WaitReason | null;
  detail: string | null;
  tree: Json<TriggerTerm> | null;
  error: Json<ErrorRecord> | null;
  launched_run_id: string | null;
  measuring_run_id: string | null;
  promoted_version_id: string | null;
  created_at: Time;
  ended_at: OptionalTime;
}

export interface EventSecret {
  secret: string;
  createdAt: string;
  expiresAt: string | null;
}

export interface EventSources {
  id: string;
  project_id: string;
  name: string;
  secrets: Json<EventSecret[]>;
  created_by: string;
  created_at: Time;
  revoked_at: OptionalTime;
}

export interface ReceivedEvents {
  event_source_id: string;
  key: string;
  received_at: Time;
}
