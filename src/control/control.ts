import { type Clock } from '../base/clock.ts';
import { type Log } from '../base/log.ts';
import { type BlobReference } from '../engine/ports.ts';
import { type ObjectStore } from '../pipeline/ports.ts';
import { downloadUrl } from './artifacts.ts';
import { importDataset, type ImportDatasetInput } from './datasets.ts';
import { followEvents } from './events.ts';
import { authenticateLocal, DEFAULT_PROJECT, type Principal, type RequestFacts } from './identity.ts';
import { createImportRunner } from './imports.ts';
import {
  type Catalog,
  type DatasetImporter,
  type EngineControl,
  type PriorRegistrar,
  type ProjectCatalog,
  type RealPath,
} from './ports.ts';
import { registerPrior, type RegisterPriorInput } from './priors.ts';
import { cancelRun, launchRun, type LaunchRunInput } from './runs.ts';
import { type DatasetVersionView, type PriorView, type RunEventView, type RunView } from './views.ts';

export interface ControlOptions {
  catalog: Catalog;
  engine: EngineControl;
  importer: DatasetImporter;
  registrar: PriorRegistrar;
  store: ObjectStore;
  clock: Clock;
  log: Log;
  /** Where imports in place may read; null: anywhere (embedded mode, loopback only). */
  importRoots: readonly string[] | null;
  realPath: RealPath;
  /** `s3://` prefix of the objects of all projects, which imports never read; null: they lie elsewhere. */
  ownObjects: string | null;
}

/** What the catalog answers to whoever may only read. */
export type ProjectReader = Omit<
  ProjectCatalog,
  'createImport' | 'recordImportProgress' | 'finishImport' | 'failImport' | 'savePrior'
>;

/** The use cases. Each takes who asks; none reaches outside that principal's project. */
export interface Control {
  authenticate(request: RequestFacts): Promise<Principal>;
  read(principal: Principal): ProjectReader;
  importDataset(
    principal: Principal,
    input: ImportDatasetInput,
  ): Promise<{ version: DatasetVersionView; reused: boolean }>;
  registerPrior(
    principal: Principal,
    input: RegisterPriorInput,
    signal?: AbortSignal,
  ): Promise<{ prior: PriorView; reused: boolean }>;
  launchRun(principal: Principal, input: LaunchRunInput): Promise<{ run: RunView; reused: boolean }>;
  cancelRun(principal: Principal, runId: string): Promise<RunView>;
  /** Events above `after`, in order and without gaps, then live; ends after the last event of the run. */
  runEvents(
    principal: Principal,
    runId: string,
    after: number,
    signal: AbortSignal,
  ): AsyncGenerator<RunEventView, void>;
  downloadUrl(
    principal: Principal,
    blob: BlobReference,
    options: { filename: string; expiresSeconds: number },
  ): Promise<string>;
  /** Resolves where the database answers. */
  ready(): Promise<void>;
  now(): Date;
  /** Makes sure of the default project and takes up pending imports. */
  start(): Promise<void>;
  /** Resolves once no import is pending. */
  importsIdle(): Promise<void>;
  close(): Promise<void>;
}

export function createControl(options: ControlOptions): Control {
  const imports = createImportRunner(options);
  const closing = new AbortController();
  return {
    authenticate: async (request) => authenticateLocal(request),
    read: (principal) => options.catalog.project(principal.projectId),
    importDataset: (principal, input) => importDataset({ ...options, imports }, principal, input),
    registerPrior: (principal, input, signal) =>
      registerPrior(options, principal, input, signal ? AbortSignal.any([signal, closing.signal]) : closing.signal),
    launchRun: (principal, input) => launchRun(options, principal, input),
    cancelRun: (principal, runId) => cancelRun(options, principal, runId),
    runEvents: (principal, runId, after, signal) =>
      followEvents({ ...options, catalog: options.catalog.project(principal.projectId) }, runId, after, signal),
    downloadUrl: (principal, blob, of) => downloadUrl(options.store, principal, blob, of),
    ready: () => options.catalog.ping(),
    now: () => options.clock.now(),
    async start() {
      await options.catalog.ensureProject(DEFAULT_PROJECT);
      imports.wake();
    },
    importsIdle: () => imports.idle(),
    async close() {
      closing.abort();
      await imports.close();
    },
  };
}
