/**
 * What the service knows, as the API shows it: plain values read from the database, never changed in place.
 * Times are dates, sizes are bytes, money is US dollars.
 */
import { type ErrorRecord } from '../base/errors.ts';
import { type JsonObject } from '../base/json.ts';
import {
  type ArtifactManifest,
  type AttemptState,
  type Failure,
  type RunRecord,
  type StageRecord,
  type TaskCache,
  type TaskState,
  type Usage,
} from '../engine/ports.ts';
import { type PriorDescription } from '../pipeline/prior/description.ts';

export interface DatasetView {
  id: string;
  name: string;
  createdAt: Date;
}

export interface ProjectView {
  id: string;
  name: string;
  createdAt: Date;
  /** Tasks that may run at once; null: as many as there are slots. */
  maxRunningTasks: number | null;
  /** Tasks that run now. */
  runningTasks: number;
  /** What all runs of a month (UTC) may cost together; null: any. */
  monthlyBudgetUsd: number | null;
}

export type DatasetVersionState = 'IMPORTING' | 'READY' | 'FAILED';

export interface ClassCount {
  name: string;
  images: number;
}

/** What an import was asked to read. */
export interface ImportSource {
  /** Absolute local path, links followed; or `s3://bucket/key`. */
  path: string;
  /** The path as it was asked for. */
  asked: string;
  /** Class names to take; null: all. */
  classes: string[] | null;
  /** The split to take; null: the only one. */
  split: string | null;
  /** What it comes from, where it was named; null: what lay at the path, if that is known. */
  upstreamVersionId: string | null;
}

export interface ImportProgress {
  images: number;
  bytes: number;
}

export interface DatasetVersionView {
  id: string;
  datasetId: string;
  /** Counts the versions of a dataset from 1. */
  number: number;
  state: DatasetVersionState;
  source: ImportSource;
  progress: ImportProgress;
  digest: string | null;
  images: number | null;
  /** Images that the version before it lacks, all of the first one; null until READY, and where that could not be told. */
  newImages: number | null;
  /** In label order. */
  classes: ClassCount[] | null;
  artifactId: string | null;
  error: ErrorRecord | null;
  createdAt: Date;
  endedAt: Date | null;
  /** The import that was asked for found the bytes of this earlier version and made none of its own. */
  reused: boolean;
}

/** OPEN takes parts, READY can be imported; of the others nothing is left. Moves go down this list, never up. */
export type UploadState = 'OPEN' | 'READY' | 'ABORTED' | 'EXPIRED';

export interface UploadView {
  id: string;
  state: UploadState;
  /** Of all files together. */
  bytes: number;
  createdAt: Date;
  /** From then on it may expire; null where an import has used it, and where it ended before. */
  expiresAt: Date | null;
  /** When it became READY, ABORTED or EXPIRED. */
  endedAt: Date | null;
}

export interface UploadFileView {
  uploadId: string;
  /** Relative, with `/`. */
  path: string;
  bytes: number;
  /** Of every part but the last. */
  partBytes: number;
  partCount: number;
  complete: boolean;
}

export interface PriorView {
  id: string;
  name: string;
  version: string;
  digest: string;
  artifactId: string;
  /** What the bundle says of itself. */
  description: PriorDescription;
  createdAt: Date;
}

/** What the engine keeps for itself is left out. */
export type RunView = Omit<RunRecord, 'projectId' | 'inputs' | 'idempotencyKey'>;

export interface StageView extends StageRecord {
  /** Items that this run handled itself, cached tasks left out. */
  itemsMade: number;
}

export interface TaskView {
  id: string;
  runId: string;
  stage: string;
  index: number;
  artifactId: string;
  state: TaskState;
  cache: TaskCache | null;
  /** Why it is STALE. */
  cacheReason: string | null;
  title: string;
  labels: Record<string, string>;
  items: number;
  itemsDone: number;
  metrics: Record<string, number> | null;
  startedAt: Date | null;
  endedAt: Date | null;
}

export interface AttemptView {
  id: string;
  taskId: string;
  number: number;
  state: AttemptState;
  executor: string;
  failure: Failure | null;
  usage: Usage | null;
  /** Null where a release began it that kept none. */
  priceUsdPerHour: number | null;
  priceList: string | null;
  costUsd: number | null;
  startedAt: Date;
  /** Null while it waits. */
  runningAt: Date | null;
  endedAt: Date | null;
}

/** DOOMED: deleted after a grace period unless someone uses it. DELETED: the row tells what it was, the bytes are gone. */
export type ArtifactState = 'KEPT' | 'DOOMED' | 'DELETED';

/** Why a policy does not keep an artifact. */
export type DoomReason = 'KIND_EXPIRED' | 'VERSION_NOT_KEPT' | 'RUN_NOT_KEPT';

export interface ArtifactView {
  id: string;
  kind: string;
  stage: string;
  title: string;
  bytes: number;
  manifest: ArtifactManifest;
  /** The run and task that made it; null for what was imported. */
  runId: string | null;
  taskId: string | null;
  usage: Usage | null;
  costUsd: number;
  createdAt: Date;
  state: ArtifactState;
  /** Null where it is KEPT. */
  doomedAt: Date | null;
  doomedBecause: DoomReason | null;
  /** Null until it is DELETED. */
  deletedAt: Date | null;
  /** What was said when it was invalidated; null where the policy deleted it. */
  deletedBecause: string | null;
}

export interface RunEventView {
  runId: string;
  /** Counts the events of a run from 1, without gaps. */
  sequence: number;
  at: Date;
  type: string;
  payload: JsonObject;
}

/** Something that happened in a project outside of its runs. */
export interface ProjectEventView {
  id: string;
  at: Date;
  /** `datasetVersion.ready`, `datasetVersion.failed`, `alias.promoted` or `alias.reverted` */
  type: string;
  /** What it happened to: the id of a dataset, the name of an alias. */
  subject: string;
  payload: JsonObject;
}

/** What costs are told apart by; months and days are those of UTC in which an attempt ended. */
export type CostDimension = 'DATASET' | 'STAGE' | 'MONTH' | 'DAY';

/** What attempts cost together. A dimension that was not asked for is null. */
export interface CostRow {
  datasetId: string | null;
  stage: string | null;
  /** `2026-12` or `2026-12-31` */
  period: string | null;
  runs: number;
  attempts: number;
  allocatedSeconds: number;
  costUsd: number;
  /** Of attempts that published nothing: failed, lost and cancelled ones. */
  lostUsd: number;
  /** Versions of the price list that they were charged by. */
  priceLists: string[];
}

/** A dataset version that others made, as an OpenLineage event told. */
export interface UpstreamVersionView {
  id: string;
  namespace: string;
  name: string;
  version: string;
  /** Where it lies, as imports name places; null: nowhere that can be imported from. */
  place: string | null;
  /** Null where nothing was told. */
  fields: UpstreamField[] | null;
  /** URI of the program that told. */
  producer: string;
  /** What made it; null where nothing was told. */
  job: UpstreamJob | null;
  /** By the clock of whoever made it. */
  madeAt: Date;
  createdAt: Date;
}

export interface UpstreamField {
  name: string;
  type: string | null;
}

export interface UpstreamJob {
  namespace: string;
  name: string;
  /** A UUID. */
  runId: string;
}

export type GateFigure =
  | 'W2'
  | 'HELDOUT_W2'
  | 'W2_DECODED'
  | 'REDUCTION'
  | 'REDUCTION_BALANCED'
  | 'REDUCTION_D4M'
  | 'ESS'
  | 'NEAREST_RATIO'
  | 'COST'
  | 'IMAGES';

/** A condition on the figures of a run: `atLeast` <= figure <= `atMost`, either of which may be null. */
export interface Gate {
  figure: GateFigure;
  /** OVERALL: the mean over the classes, or the figure of the run. EVERY_CLASS: each class alone. */
  scope: 'OVERALL' | 'EVERY_CLASS';
  /** PROMOTED: it is the figure less that of what the alias stands for now. */
  against: 'NOTHING' | 'PROMOTED';
  atMost: number | null;
  atLeast: number | null;
}

/**
 * NOT_MEASURED and NOT_COMPARABLE (another prior) do not let through: a gate asks for evidence. NOTHING_PROMOTED does: a first
 * promotion has nothing to be worse than.
 */
export type GateVerdict = 'PASSED' | 'FAILED' | 'NOT_MEASURED' | 'NOT_COMPARABLE' | 'NOTHING_PROMOTED';

export interface GateResult extends Gate {
  verdict: GateVerdict;
  /** What decided; of the worst class where each counts. Null where nothing was measured. */
  value: number | null;
  promotedValue: number | null;
  className: string | null;
}

/** A name such as `production` that stands for a synthetic dataset. */
export interface AliasView {
  name: string;
  /** What a promotion has to pass. */
  gates: Gate[];
  createdAt: Date;
  /** Null: nothing was promoted yet. */
  current: AliasVersionView | null;
}

/** A promotion or its reversal; never changes. */
export interface AliasVersionView {
  id: string;
  alias: string;
  /** From 1, without gaps; the highest holds. */
  number: number;
  artifactId: string;
  /** What the gates said. */
  gates: GateResult[];
  /** Why it may pass those that did not let it through; null where all did. */
  override: string | null;
  /** The version whose artifact it went back to; null for a promotion. */
  revertsTo: number | null;
  promotedBy: string;
  promotedAt: Date;
}

export type LineageKind =
  'UPSTREAM_VERSION' | 'DATASET_VERSION' | 'PRIOR' | 'RUN' | 'ARTIFACT' | 'ALIAS_VERSION' | 'TRIGGER_EVALUATION';
export type LineageDirection = 'UPSTREAM' | 'DOWNSTREAM';

/**
 * How what lies downstream came from what lies upstream: a dataset version was IMPORTED from an upstream one; a run READ a version, a
 * prior or their artifact; a run MADE an artifact, or found it and REUSED it; an artifact was DERIVED from another, or PROMOTED to what
 * an alias stands for; or it is what a version or a prior is STORED as. An evaluation of a trigger LAUNCHED a run.
 *
 * Upstream of an artifact lies the run that made it, and no run that found it: these are where its bytes come from. Downstream of a
 * run lies all that it wrote, found or made.
 */
export type LineageRelation = 'IMPORTED' | 'READ' | 'MADE' | 'REUSED' | 'DERIVED' | 'STORED' | 'PROMOTED' | 'LAUNCHED';

export interface LineageKey {
  kind: LineageKind;
  id: string;
}

export interface LineageNode extends LineageKey {
  /** Steps away from where the walk began, 1 for a neighbour. */
  depth: number;
}

export interface LineageEdge {
  /** Its place among the sources that were asked about. */
  source: number;
  relation: LineageRelation;
  to: LineageKey;
}
