/** What the use cases need from outside: a catalog of rows, the engine, and the two ways in for data and priors. */
import { type ErrorRecord } from '../base/errors.ts';
import { type JsonObject } from '../base/json.ts';
import { type ArtifactManifest, type LaunchRequest, type RunState, type StageState } from '../engine/ports.ts';
import { type MeasuredStage } from '../pipeline/estimate.ts';
import { type PriorDescription } from '../pipeline/prior/description.ts';
import { type Page, type PageRequest } from './paging.ts';
import { type PinView } from './retention/rows.ts';
import { type WebhookReads, type WebhookWrites } from './webhooks/rows.ts';
import { type TriggerReads, type TriggerWrites } from './triggers/rows.ts';
import {
  type AliasVersionView,
  type AliasView,
  type ArtifactView,
  type AttemptView,
  type ClassCount,
  type CostDimension,
  type CostRow,
  type DatasetVersionView,
  type DatasetView,
  type Gate,
  type ImportProgress,
  type ImportSource,
  type LineageDirection,
  type LineageEdge,
  type LineageKey,
  type PriorView,
  type ProjectEventView,
  type ProjectView,
  type RunEventView,
  type RunView,
  type StageView,
  type TaskView,
  type UploadFileView,
  type UploadView,
  type UpstreamVersionView,
} from './views.ts';

export type * from './paging.ts';
export type * from './retention/rows.ts';
export type * from './triggers/rows.ts';
export type * from './views.ts';
export type * from './webhooks/rows.ts';

/** The rows of every project. Implemented by adapters/database/catalog.ts. */
export interface Catalog {
  /** Rejects with DATABASE_UNAVAILABLE where the database does not answer. */
  ping(): Promise<void>;
  ensureProject(project: { id: string; name: string }): Promise<void>;
  /** Imports that have neither ended nor failed, oldest first: what a service that starts has to take up. */
  pendingImports(): Promise<PendingImport[]>;
  /**
   * Uploads whose time is over, and those that ended and may not be freed: what a sweep has to look at.
   * By id: the first ones whose id comes later than `after`.
   */
  overdueUploads(now: Date, after: string, first: number): Promise<{ projectId: string; uploadId: string }[]>;
  /** The rows of one project. This is the one place that adds the project predicate. */
  project(projectId: string): ProjectCatalog;
}

export interface PendingImport {
  projectId: string;
  datasetVersionId: string;
  datasetId: string;
  datasetName: string;
  source: ImportSource;
  /** Services that died while they carried it out. */
  deaths: number;
}

export interface Promotion extends Pick<AliasVersionView, 'artifactId' | 'gates' | 'override' | 'revertsTo'> {
  /** Number of the version that holds; 0: none. */
  after: number;
  by: string;
}

export interface RunFilter {
  states?: readonly RunState[];
  /** Of any version of it. */
  datasetId?: string;
  datasetVersionId?: string;
  priorId?: string;
}

/** Methods that take ids answer with the rows found, in any order; whoever calls puts them back in order. */
export interface ProjectCatalog
  extends TriggerReads, TriggerWrites, UploadReads, UploadWrites, WebhookReads, WebhookWrites {
  /** The project itself. */
  about(): Promise<ProjectView>;
  limitProject(maxRunningTasks: number | null): Promise<void>;

  datasetsById(ids: readonly string[]): Promise<DatasetView[]>;
  datasetByName(name: string): Promise<DatasetView | null>;
  datasets(page: PageRequest): Promise<Page<DatasetView>>;

  /** An import that found the bytes of an earlier version answers with that version, under the id that was asked for. */
  datasetVersionsById(ids: readonly string[]): Promise<{ askedId: string; version: DatasetVersionView }[]>;
  /** Newest first, imports under way and failed ones too. */
  versionsOfDatasets(requests: readonly VersionPageRequest[]): Promise<DatasetVersionView[]>;
  /** The newest version of each that is READY. */
  newestVersions(datasetIds: readonly string[]): Promise<DatasetVersionView[]>;
  /** The import that a key was used for: what it asked for, and the version it stands for now. */
  datasetVersionByKey(
    idempotencyKey: string,
  ): Promise<{ version: DatasetVersionView; source: ImportSource; datasetName: string } | null>;
  createImport(order: ImportOrder): Promise<{ datasetVersionId: string; created: boolean }>;
  /**
   * `deaths` of a pending import: whoever carries it out counts himself before he begins, and takes it back where he stops alive.
   * @returns false where the import is not pending any more
   */
  recordImportDeaths(datasetVersionId: string, deaths: number): Promise<boolean>;
  recordImportProgress(datasetVersionId: string, progress: ImportProgress): Promise<void>;
  finishImport(datasetVersionId: string, imported: ImportedDataset): Promise<void>;
  /** A pending import is FAILED; one that has ended stays as it is. */
  failImport(datasetVersionId: string, error: ErrorRecord): Promise<void>;

  priorsById(ids: readonly string[]): Promise<PriorView[]>;
  priors(page: PageRequest): Promise<Page<PriorView>>;
  /** The same digest is the same prior. */
  savePrior(id: string, prior: RegisteredPrior): Promise<{ prior: PriorView; created: boolean }>;

  runsById(ids: readonly string[]): Promise<RunView[]>;
  runByKey(idempotencyKey: string): Promise<RunView | null>;
  /** Artifact ids that the run reads, by role. */
  inputsByRole(runId: string): Promise<Readonly<Record<string, string>> | null>;
  /** Newest first. */
  runs(page: PageRequest, filter: RunFilter): Promise<Page<RunView>>;
  stagesByRun(runIds: readonly string[]): Promise<StageView[]>;
  tasksById(ids: readonly string[]): Promise<TaskView[]>;
  tasksOfStages(requests: readonly TaskPageRequest[]): Promise<TaskView[]>;
  /** Every task of the named stages of these runs, in task order. */
  tasksByRun(runIds: readonly string[], stages: readonly string[]): Promise<TaskView[]>;
  attemptsByTask(taskIds: readonly string[]): Promise<AttemptView[]>;
  /** Events with a sequence above `after`, ascending. Several pages at once; each knows its run. */
  eventsOfRuns(requests: readonly EventPageRequest[]): Promise<RunEventView[]>;
  /** The same of one run, with its state as of just before. Null: no such run. */
  events(runId: string, after: number, first: number): Promise<{ run: RunView; events: RunEventView[] } | null>;

  /** With `kinds`, only artifacts of these. */
  artifactsById(ids: readonly string[], kinds?: readonly string[]): Promise<ArtifactView[]>;
  /** Oldest first; with `kinds`, only artifacts of these. */
  artifactsByRun(
    runIds: readonly string[],
    direction: 'INPUT' | 'OUTPUT',
    kinds?: readonly string[],
  ): Promise<{ runId: string; artifact: ArtifactView }[]>;
  /** Artifacts that these artifacts were made from. */
  inputsOfArtifacts(ids: readonly string[]): Promise<{ artifactId: string; input: ArtifactView }[]>;
  /** Artifacts that were made from these. */
  usersOfArtifacts(ids: readonly string[]): Promise<{ artifactId: string; user: ArtifactView }[]>;
  /** Runs that read these artifacts. */
  runsUsingArtifacts(ids: readonly string[]): Promise<{ artifactId: string; run: RunView }[]>;
  /** Of attempts that ended in [from, to), dearest first. */
  costs(query: { by: readonly CostDimension[]; from: Date | null; to: Date | null; first: number }): Promise<CostRow[]>;
  totalCosts(from: Date | null, to: Date | null): Promise<CostRow>;
  /** Since the month began (UTC), with what runs now. */
  spentThisMonth(): Promise<number>;
  /** Null: any. */
  monthlyBudgetUsd(): Promise<number | null>;
  budgetProject(monthlyUsd: number | null): Promise<void>;
  /** Stages of the newest runs that succeeded; of those with this prior, or all. */
  stageHistory(priorId: string | null, runs: number): Promise<StageHistory[]>;
  /** What the outputs of these runs cost, whoever made them. */
  costsToMake(runIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** What all attempts at these tasks cost. */
  costsOfTasks(taskIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
  upstreamVersionsById(ids: readonly string[]): Promise<UpstreamVersionView[]>;
  /** Newest first. */
  upstreamVersions(page: PageRequest): Promise<Page<UpstreamVersionView>>;
  /** One that is there stays as it is. Imports from their places, also those to come, get their edges. @returns ids of those that were not there */
  saveUpstreamVersions(versions: readonly Omit<UpstreamVersionView, 'createdAt'>[]): Promise<string[]>;
  pinsOfArtifacts(ids: readonly string[]): Promise<PinView[]>;

  /** By name. */
  aliases(page: PageRequest): Promise<Page<AliasView>>;
  aliasByName(name: string): Promise<AliasView | null>;
  /** Newest first. */
  versionsOfAliases(requests: readonly AliasVersionPageRequest[]): Promise<AliasVersionView[]>;
  aliasVersionsById(ids: readonly string[]): Promise<AliasVersionView[]>;
  /** Versions that hold now and stand for one of these. */
  aliasesOfArtifacts(ids: readonly string[]): Promise<AliasVersionView[]>;
  saveAlias(name: string, gates: readonly Gate[]): Promise<AliasView>;
  /** Null where version `after` is not the newest any more. @throws ARTIFACT_DELETED */
  promote(name: string, promotion: Promotion): Promise<AliasVersionView | null>;

  /** Newest first; of these types, null: all. */
  projectEvents(page: PageRequest, types: readonly string[] | null): Promise<Page<ProjectEventView>>;

  /** Edges that lead away from these nodes, in the order of the nodes, then of kind and id; see `LineageRelation` for what they are. */
  lineageEdges(request: LineageEdgesRequest): Promise<LineageEdge[]>;
}

export interface StageHistory extends MeasuredStage {
  stage: string;
  state: StageState;
}

export interface UploadReads {
  uploadsById(ids: readonly string[]): Promise<UploadView[]>;
  /** Newest first. */
  uploads(page: PageRequest): Promise<Page<UploadView>>;
  /** In the order that they were given in. */
  filesOfUploads(ids: readonly string[]): Promise<UploadFileView[]>;
}

/** None of these changes an upload that is not OPEN, but for `endUpload` and `freedUpload`. */
export interface UploadWrites {
  uploadByKey(idempotencyKey: string): Promise<{ id: string; fingerprint: string } | null>;
  createUpload(order: UploadOrder): Promise<{ uploadId: string; created: boolean }>;
  /** The files with these paths, or all, as the store knows them. */
  gatheredFiles(uploadId: string, paths?: readonly string[]): Promise<GatheredFile[]>;
  /** Answers with the gathering that the file has then: the first one stays. Null where the upload is not OPEN. */
  setGathering(uploadId: string, file: number, gathering: string): Promise<string | null>;
  /** Takes back a gathering that the store has lost, and what was signed for it. */
  dropGathering(uploadId: string, file: number, gathering: string): Promise<void>;
  /** What URLs were signed for; one that is there already is replaced. The upload then lives until `expiresAt`. */
  recordParts(uploadId: string, parts: readonly SignedPartRow[], expiresAt: Date): Promise<void>;
  /** Ascending by number. */
  signedParts(uploadId: string, file: number): Promise<{ number: number; sha256: string }[]>;
  completeFile(uploadId: string, file: number): Promise<void>;
  /**
   * Moves an upload on; `moved` says whether this call did it. One that an import has used stays READY, and so does one whose
   * time is not over where it is to expire.
   */
  endUpload(uploadId: string, end: UploadEnd): Promise<{ moved: boolean; usedByImport: boolean }>;
  /** The store holds nothing of it any more. */
  freedUpload(uploadId: string): Promise<void>;
}

export type UploadEnd = { state: 'READY'; expiresAt: Date } | { state: 'ABORTED' } | { state: 'EXPIRED'; now: Date };

export interface UploadOrder {
  id: string;
  idempotencyKey: string;
  fingerprint: string;
  files: readonly Pick<UploadFileView, 'path' | 'bytes' | 'partBytes' | 'partCount'>[];
  expiresAt: Date;
}

export interface GatheredFile extends UploadFileView {
  /** Its place among the files of the upload. */
  index: number;
  gathering: string | null;
}

export interface SignedPartRow {
  file: number;
  number: number;
  sha256: string;
}

export interface ImportOrder {
  datasetVersionId: string;
  /** Used where the project has no dataset of this name yet. */
  newDatasetId: string;
  datasetName: string;
  source: ImportSource;
  /** The upload that the source lies in; NOT_READY unless it is READY when the import is recorded. */
  uploadId: string | null;
  idempotencyKey: string;
}

export interface TaskPageRequest {
  runId: string;
  stage: string;
  /** Tasks with a greater index; -1 for all. */
  afterIndex: number;
  first: number;
}

export interface AliasVersionPageRequest {
  alias: string;
  /** Versions with a smaller number; null for all. */
  before: number | null;
  first: number;
}

export interface VersionPageRequest {
  datasetId: string;
  /** Versions with a smaller number; null for all. */
  before: number | null;
  first: number;
}

export interface LineageEdgesRequest {
  sources: readonly LineageKey[];
  direction: LineageDirection;
  /** Of the first source, edges behind the one to this node; null for all. */
  after: LineageKey | null;
  /** Edges at most, of all sources together. */
  first: number;
  /** Of each at most. */
  perSource: number;
}

export interface EventPageRequest {
  runId: string;
  /** Events with a greater sequence; 0 for all. */
  after: number;
  first: number;
}

/** An event as consumers of the feed get it. */
export type FedEvent = FedRunEvent | FedProjectEvent;

interface Fed {
  /** Its place in the feed of the consumer. */
  id: number;
  projectId: string;
}

export interface FedRunEvent extends Fed, RunEventView {
  of: 'run';
}

export interface FedProjectEvent extends Fed, Omit<ProjectEventView, 'id'> {
  of: 'project';
  eventId: string;
}

/** Events of one key come in their order: those of a run, and those of one subject in a project. */
export const keyOf = (event: FedEvent): string =>
  event.of === 'run' ? event.runId : `${event.projectId} ${event.subject}`;

/**
 * The events of all runs and projects, on their way to consumers: each has a name, and what waits for it waits for it alone. It is written with the change that
 * the event tells of, and waits until the consumer is done with it: none is passed over, whatever dies or commits late. It may come twice.
 * Implemented by adapters/database/feed.ts.
 */
export interface EventFeed {
  /** From now on events of these types, null: all, wait for this consumer; one that is known goes on where it was. */
  register(consumer: string, types: readonly string[] | null): Promise<void>;
  /** The right to hand a consumer its events: one service at a time. Null while another has it; it ends with the process that has it. */
  claim(consumer: string): Promise<FeedClaim | null>;
  /** The oldest that wait. Those of one key (`keyOf`) in their order, and none before all that came before it are done. */
  waiting(consumer: string, first: number): Promise<FedEvent[]>;
  done(consumer: string, events: readonly FedEvent[]): Promise<void>;
  /** Forgets consumers that nobody has asked about for a week, with what waits for them. */
  forgetAbandoned(): Promise<{ consumer: string; events: number }[]>;
}

export interface FeedClaim {
  /** Aborts when the claim is lost. */
  readonly lost: AbortSignal;
  release(): Promise<void>;
}

/** Where OpenLineage events go. Implemented by adapters/http. */
export interface LineageSink {
  /** `http`, `file` */
  name: string;
  send(event: JsonObject, signal: AbortSignal): Promise<Sent>;
}

/** REFUSED: the event would be refused again. UNAVAILABLE: it may pass later, not before `afterMs` if that is known. */
export type Sent =
  | { kind: 'sent' }
  | { kind: 'refused'; reason: string }
  | { kind: 'unavailable'; reason: string; afterMs: number | null };

/** What the use cases need of the engine; `Engine` of `engine` is one. */
export interface EngineControl {
  /**
   * Creates the run in one transaction: once this resolves, the run survives the death of any process.
   * A key that is there already gives its run with `created: false`; with another fingerprint IDEMPOTENCY_CONFLICT.
   */
  launch(request: LaunchRequest): Promise<{ run: { id: string }; created: boolean }>;
  /** Asks the run to stop. A run that has ended stays as it is. */
  cancel(projectId: string, runId: string): Promise<unknown>;
  readonly events: {
    /** Calls back whenever a run may have new events; calls too many do no harm. Returns how to unsubscribe. */
    subscribe(listener: (runId: string) => void): () => void;
  };
}

/** Reads a dataset where it lies and publishes its manifest. Implemented by `pipeline`. */
export interface DatasetImporter {
  importDataset(request: {
    projectId: string;
    name: string;
    source: ImportSource;
    /** The newest version of the dataset, if there is one: what it has is cut into the same chunks. */
    previous: ArtifactManifest | null;
    onProgress: (progress: ImportProgress) => void;
    signal: AbortSignal;
  }): Promise<ImportedDataset>;
}

export interface ImportedDataset {
  digest: string;
  images: number;
  /** That the previous version lacks; null where its entries could not be read. */
  newImages: number | null;
  classes: ClassCount[];
  manifest: ArtifactManifest;
}

/** Validates a model bundle and publishes it. Implemented by `pipeline`. */
export interface PriorRegistrar {
  /** PRIOR_INVALID names the file and what was expected of it. */
  registerPrior(request: { projectId: string; path: string; signal: AbortSignal }): Promise<RegisteredPrior>;
}

export interface RegisteredPrior {
  name: string;
  version: string;
  digest: string;
  description: PriorDescription;
  manifest: ArtifactManifest;
}

/** The path with every symbolic link followed, or null where nothing can be read. */
export type RealPath = (path: string) => Promise<string | null>;
