import { type Clock } from '../base/clock.ts';
import { type ErrorRecord, toErrorRecord } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { type JsonObject } from '../base/json.ts';
import { type Log } from '../base/log.ts';
import { type Planner, type Price, type PricedWork } from '../engine/ports.ts';
import { type ObjectStore } from '../pipeline/ports.ts';
import {
  promoteArtifact,
  type PromoteArtifactInput,
  revertAlias,
  type RevertAliasInput,
  setAliasGates,
} from './aliases.ts';
import { type ArtifactFile, downloadUrl } from './artifacts.ts';
import { type CellRequest, type CellView, createCells } from './cells.ts';
import { cancelImport, importDataset, type ImportDatasetInput } from './datasets.ts';
import { budgetProject } from './costs.ts';
import { estimateRun, type RunEstimate } from './estimate.ts';
import { followEvents } from './events.ts';
import { createFeedRunner } from './feed.ts';
import { webhookConsumer } from './webhooks/consumer.ts';
import { createDeliverer } from './webhooks/deliverer.ts';
import { createWebhookControl, type WebhookControl } from './webhooks/endpoints.ts';
import { authenticateLocal, DEFAULT_PROJECT, type Principal, type RequestFacts } from './identity.ts';
import { createImportRunner } from './imports.ts';
import { receiveLineage, type ReceivedLineage } from './openlineage/receive.ts';
import { openLineageConsumers, type OpenLineageOptions } from './openlineage/consumer.ts';
import { triggerConsumer } from './triggers/consumer.ts';
import { createEventSource, revokeEventSource, rotateEventSource, type SecretTold } from './triggers/event-sources.ts';
import { receiveEvent, type ReceivedEvent } from './triggers/receive.ts';
import { createScheduler } from './triggers/scheduler.ts';
import {
  createTrigger,
  deleteTrigger,
  type Evaluated,
  evaluateByHand,
  pauseTrigger,
  resumeTrigger,
  updateTrigger,
} from './triggers/triggers.ts';
import {
  type Catalog,
  type DatasetImporter,
  type EngineControl,
  type EventFeed,
  type EventSourceView,
  type EventVerifier,
  type Gate,
  type PriorRegistrar,
  type ProjectCatalog,
  type RealPath,
  type RetentionStore,
  type TriggerDefinition,
  type TriggerStore,
  type TriggerView,
  type TriggerWrites,
  type UploadWrites,
  type WebhookSender,
  type WebhookStore,
  type WebhookWrites,
} from './ports.ts';
import { registerPrior, type RegisterPriorInput } from './priors.ts';
import { limitProject } from './projects.ts';
import { createRetention, type Retention } from './retention/retention.ts';
import { createRetentionRunner } from './retention/runner.ts';
import { retryRun, type RetryRunInput } from './retry.ts';
import { cancelRun, launchRun, type LaunchRunInput } from './runs.ts';
import { imageUrl, type StoredImage } from './stored-images.ts';
import { abortUpload, completeUpload } from './upload-end.ts';
import { createUploadSweep } from './upload-sweep.ts';
import {
  createUpload,
  type CreateUploadInput,
  type SignedUploadPart,
  signUploadParts,
  type UploadLimits,
  type UploadPartInput,
} from './uploads.ts';
import {
  type AliasVersionView,
  type AliasView,
  type DatasetVersionView,
  type PriorView,
  type ProjectView,
  type RunEventView,
  type RunView,
  type UploadView,
} from './views.ts';

export interface ControlOptions {
  catalog: Catalog;
  engine: EngineControl;
  importer: DatasetImporter;
  registrar: PriorRegistrar;
  store: ObjectStore;
  retention: RetentionStore;
  /** Pause between the passes of retention. */
  retentionEveryMs: number;
  feed: EventFeed;
  webhooks: WebhookStore;
  sender: WebhookSender;
  /** Where clients reach the service, once it listens. */
  serviceUrl: () => string;
  triggers: TriggerStore;
  eventVerifier: EventVerifier;
  openLineage: OpenLineageOptions;
  clock: Clock;
  log: Log;
  /** Where imports in place may read; null: anywhere (embedded mode, loopback only). */
  importRoots: readonly string[] | null;
  realPath: RealPath;
  uploads: UploadLimits;
  /** Folders and `s3://` prefixes of the service's own state and objects, which imports never read. */
  ownObjects: readonly string[];
  /** Names that a recipe's `execution.executorClass` may have; none where the executor has no classes. */
  executorClasses: readonly string[];
  planner: Planner;
  /** Of an attempt at such work that would start now. */
  price: (work: PricedWork) => Price;
}

/** What the catalog answers to whoever may only read. */
export type ProjectReader = Omit<
  ProjectCatalog,
  | 'limitProject'
  | 'budgetProject'
  | 'createImport'
  | 'recordImportDeaths'
  | 'recordImportProgress'
  | 'finishImport'
  | 'failImport'
  | 'savePrior'
  | 'saveUpstreamVersions'
  | 'saveAlias'
  | 'promote'
  | keyof TriggerWrites
  | keyof UploadWrites
  | keyof WebhookWrites
>;

/** What the service cannot do without: null where it answers, else why it does not. */
export interface Health {
  database: ErrorRecord | null;
  store: ErrorRecord | null;
}

/** The use cases. Each takes who asks; none reaches outside that principal's project. */
export interface Control {
  authenticate(request: RequestFacts): Promise<Principal>;
  read(principal: Principal): ProjectReader;
  importDataset(
    principal: Principal,
    input: ImportDatasetInput,
  ): Promise<{ version: DatasetVersionView; reused: boolean }>;
  cancelImport(principal: Principal, datasetVersionId: string): Promise<DatasetVersionView>;
  registerPrior(
    principal: Principal,
    input: RegisterPriorInput,
    signal?: AbortSignal,
  ): Promise<{ prior: PriorView; reused: boolean }>;
  launchRun(principal: Principal, input: LaunchRunInput): Promise<{ run: RunView; reused: boolean }>;
  cancelRun(principal: Principal, runId: string): Promise<RunView>;
  retryRun(principal: Principal, input: RetryRunInput): Promise<{ run: RunView; reused: boolean }>;
  limitProject(principal: Principal, maxRunningTasks: number | null): Promise<ProjectView>;
  budgetProject(principal: Principal, monthlyUsd: number | null): Promise<ProjectView>;
  estimateRun(principal: Principal, recipe: unknown): Promise<RunEstimate>;
  promoteArtifact(
    principal: Principal,
    input: PromoteArtifactInput,
  ): Promise<{ version: AliasVersionView; reused: boolean }>;
  revertAlias(principal: Principal, input: RevertAliasInput): Promise<AliasVersionView>;
  setAliasGates(principal: Principal, input: { alias: string; gates: readonly Gate[] }): Promise<AliasView>;
  createTrigger(principal: Principal, input: { name: string; definition: TriggerDefinition }): Promise<TriggerView>;
  updateTrigger(
    principal: Principal,
    input: { id: string; name: string | null; definition: TriggerDefinition },
  ): Promise<TriggerView>;
  pauseTrigger(principal: Principal, id: string, reason: string | null): Promise<TriggerView>;
  resumeTrigger(principal: Principal, id: string): Promise<TriggerView>;
  deleteTrigger(principal: Principal, id: string): Promise<void>;
  evaluateTrigger(
    principal: Principal,
    input: { id: string; dryRun: boolean; given: JsonObject | null },
  ): Promise<Evaluated & { trigger: TriggerView }>;
  createEventSource(principal: Principal, name: string): Promise<SecretTold>;
  rotateEventSource(principal: Principal, id: string, overlapHours: number): Promise<SecretTold>;
  revokeEventSource(principal: Principal, id: string): Promise<EventSourceView>;
  /** Whoever has a secret of the source may send: no principal is needed. */
  receiveEvent(sourceId: string, body: string, headers: Readonly<Record<string, string>>): Promise<ReceivedEvent>;
  createUpload(
    principal: Principal,
    input: CreateUploadInput,
  ): Promise<{ upload: UploadView; parts: SignedUploadPart[]; reused: boolean }>;
  signUploadParts(
    principal: Principal,
    input: { uploadId: string; parts: readonly UploadPartInput[] },
  ): Promise<SignedUploadPart[]>;
  completeUpload(principal: Principal, uploadId: string): Promise<UploadView>;
  abortUpload(principal: Principal, uploadId: string): Promise<UploadView>;
  /** Events above `after`, in order and without gaps, then live; ends after the last event of the run. */
  runEvents(
    principal: Principal,
    runId: string,
    after: number,
    signal: AbortSignal,
  ): AsyncGenerator<RunEventView, void>;
  downloadUrl(
    principal: Principal,
    file: ArtifactFile,
    options: { filename: string; expiresSeconds: number },
  ): Promise<string>;
  cell(principal: Principal, request: CellRequest): Promise<CellView>;
  imageUrl(principal: Principal, image: StoredImage, expiresSeconds: number): Promise<string | null>;
  /**
   * Keeps the dataset versions that an OpenLineage event says were made.
   * @param project null: that of the principal; another is FORBIDDEN
   */
  receiveLineage(principal: Principal, project: string | null, event: unknown): Promise<ReceivedLineage>;
  readonly retention: Retention;
  readonly webhooks: WebhookControl;
  health(): Promise<Health>;
  now(): Date;
  /** Makes sure of the default project, takes up pending imports, begins with the passes of retention, the sweeps of uploads, the feed of events and schedules. */
  start(): Promise<void>;
  /** Begins to send webhooks, in which `serviceUrl` stands. */
  startDeliveries(): void;
  /** Resolves once no import is pending. */
  importsIdle(): Promise<void>;
  close(): Promise<void>;
}

export function createControl(options: ControlOptions): Control {
  const imports = createImportRunner(options);
  const sweep = createUploadSweep(options);
  const closing = new AbortController();
  const deliverer = createDeliverer(options);
  const feed = createFeedRunner(options, [
    ...openLineageConsumers(options, options.openLineage),
    triggerConsumer(options),
    webhookConsumer(options, deliverer.wake),
  ]);
  const scheduler = createScheduler(options);
  const retention = createRetention(options, closing.signal);
  const { cell } = createCells(options);
  const passes = createRetentionRunner({ ...options, everyMs: options.retentionEveryMs }, closing.signal);
  return {
    authenticate: async (request) => authenticateLocal(request),
    read: (principal) => options.catalog.project(principal.projectId),
    importDataset: (principal, input) => importDataset({ ...options, imports }, principal, input),
    cancelImport: (principal, id) => cancelImport({ ...options, imports }, principal, id),
    registerPrior: (principal, input, signal) =>
      registerPrior(options, principal, input, signal ? AbortSignal.any([signal, closing.signal]) : closing.signal),
    launchRun: (principal, input) => launchRun(options, principal, input),
    cancelRun: (principal, runId) => cancelRun(options, principal, runId),
    retryRun: (principal, input) => retryRun({ ...options, retention }, principal, input),
    limitProject: (principal, most) => limitProject(options, principal, most),
    budgetProject: (principal, usd) => budgetProject(options, principal, usd),
    estimateRun: (principal, recipe) => estimateRun(options, principal, recipe),
    promoteArtifact: (principal, input) => promoteArtifact(options, principal, input),
    revertAlias: (principal, input) => revertAlias(options, principal, input),
    setAliasGates: (principal, input) => setAliasGates(options, principal, input),
    createTrigger: (principal, input) => createTrigger(options, principal, input),
    updateTrigger: (principal, input) => updateTrigger(options, principal, input),
    pauseTrigger: (principal, id, reason) => pauseTrigger(options, principal, id, reason),
    resumeTrigger: (principal, id) => resumeTrigger(options, principal, id),
    deleteTrigger: (principal, id) => deleteTrigger(options, principal, id),
    evaluateTrigger: (principal, input) => evaluateByHand(options, principal, input),
    createEventSource: (principal, name) => createEventSource(options, principal, newId('evsrc'), name),
    rotateEventSource: (principal, id, hours) => rotateEventSource(options, principal, id, hours),
    revokeEventSource: (principal, id) => revokeEventSource(options, principal, id),
    receiveEvent: (sourceId, body, headers) => receiveEvent(options, sourceId, body, headers),
    createUpload: (principal, input) => createUpload(options, principal, input),
    signUploadParts: (principal, input) => signUploadParts(options, principal, input),
    completeUpload: (principal, id) => completeUpload(options, principal, id),
    abortUpload: (principal, id) => abortUpload(options, principal, id),
    runEvents: (principal, runId, after, signal) =>
      followEvents({ ...options, catalog: options.catalog.project(principal.projectId) }, runId, after, signal),
    downloadUrl: (principal, file, of) => downloadUrl(options.store, principal, file, of),
    cell,
    imageUrl: (principal, image, expires) => imageUrl(options.store, principal, image, expires),
    receiveLineage: (principal, project, event) => receiveLineage(options, principal, project, event),
    retention,
    webhooks: createWebhookControl(options, deliverer.wake),
    async health() {
      const [database, store] = await Promise.all([failureOf(options.catalog.ping()), failureOf(storeAnswers())]);
      return { database, store };
    },
    now: () => options.clock.now(),
    async start() {
      await options.catalog.ensureProject(DEFAULT_PROJECT);
      imports.wake();
      passes.start();
      sweep.start();
      feed.start();
      scheduler.start();
    },
    startDeliveries: () => deliverer.start(),
    importsIdle: () => imports.idle(),
    async close() {
      closing.abort();
      const ended = [
        imports.close(),
        sweep.close(),
        passes.stopped(),
        scheduler.close(),
        feed.close(),
        deliverer.close(),
      ];
      await Promise.all(ended);
    },
  };

  /** Any store says of this key that there is nothing. */
  function storeAnswers(): Promise<unknown> {
    return options.store.head('probe/health');
  }
}

function failureOf(answer: Promise<unknown>): Promise<ErrorRecord | null> {
  return answer.then(() => null, toErrorRecord);
}
