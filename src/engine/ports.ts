/**
 * Words
 *
 * - run: a recipe being carried out. The engine treats the recipe as opaque JSON.
 * - stage: one step of the chain; it publishes one artifact that lists those of its tasks.
 * - task: one idempotent piece of a stage. It is named by the artifact it publishes.
 * - attempt: one try at a task, by an executor.
 * - lease: the service's claim on an attempt, renewed from evidence (process alive, pod running).
 * - epoch: counts how often a task was given to an attempt; a transition that carries an old epoch is refused.
 * - artifact: a manifest that points at blobs, written once. Its id is a digest of what it was made from.
 *
 * The engine knows nothing of images, models, SQL or GraphQL: everything it touches comes through these ports.
 */
import { type JsonObject } from '../base/json.ts';
import {
  type ArtifactManifest,
  type Failure,
  type Price,
  type PricedWork,
  type Published,
  type SpanRecord,
  type TaskResult,
  type TaskSpec,
  type Usage,
} from './work.ts';

export type * from './run-store.ts';
export { USUAL_LAUNCH } from './run-store.ts';
export * from './work.ts';
export type { AttemptState, RunState, StageState, TaskState } from './states.ts';

export type StagePlan = { kind: 'skip'; reason: string } | { kind: 'tasks'; tasks: TaskSpec[] };

/** Says what a run consists of. Implemented by `pipeline`. */
export interface Planner {
  /** Names of the stages of a run that is asked for this, in the order they run. */
  stages(recipe: JsonObject): readonly string[];
  /** Cuts a stage into tasks from what earlier stages published. Deterministic: the same inputs give the same tasks. */
  plan(request: PlanRequest): Promise<StagePlan>;
}

export interface PlanRequest {
  projectId: string;
  runId: string;
  recipe: JsonObject;
  /** Artifact ids that the run reads, by role (`datasetVersion`, `prior`), fixed at launch in `runs.inputs`. */
  inputs: Readonly<Record<string, string>>;
  stage: string;
  /** Stage name to its published tasks, in task order. */
  published: ReadonlyMap<string, readonly Published[]>;
  signal: AbortSignal;
}

/** Conditional publication in the object store. Implemented by `pipeline` over its ObjectStore. */
export interface Publications {
  /** The manifest and proof that its blobs are there with the right size, or null. */
  find(projectId: string, artifactId: string): Promise<ArtifactManifest | null>;
  /** The same with proof of every digest: for what others made. */
  verify(projectId: string, artifactId: string): Promise<Verified>;
  /** Writes a manifest unless one exists; returns whichever is there afterwards. */
  publish(projectId: string, manifest: ArtifactManifest): Promise<ArtifactManifest>;
}

/** `flaw` says what is wrong with what is there; null where nothing is. */
export type Verified = { manifest: ArtifactManifest } | { manifest: null; flaw: string | null };

export type AttemptOutcome =
  | { kind: 'succeeded'; result: TaskResult }
  | { kind: 'failed'; failure: Failure; usage: Usage }
  | { kind: 'cancelled'; usage: Usage };

export interface AttemptOrder {
  attemptId: string;
  projectId: string;
  runId: string;
  task: TaskSpec;
  /** The recipe's `execution` section: provider, threads, batch. Never part of an artifact's identity. */
  execution: JsonObject;
  /** How often the task ran out of memory before: the batch is halved so often. */
  halvings: number;
  /** W3C trace context of the attempt's span. */
  traceparent: string | null;
}

/** A running attempt. */
export interface AttemptHandle {
  /** What the executor needs to find the attempt again after the service restarts, for example a process id. */
  readonly reference: JsonObject;
  /** Settles once the attempt's process or pod has been seen to end. Never rejects. */
  readonly outcome: Promise<AttemptOutcome>;
  /** Evidence for the lease: is it known to be alive now? */
  alive(): boolean;
  /** Asks it to stop, then makes it stop; `outcome` settles when it is seen gone. */
  cancel(): void;
  /** The outcome is recorded: what the executor kept to tell it again may go. */
  recorded?(): void;
  /**
   * Lets go of an attempt that goes on without this service, for the next one to adopt; `outcome` then never settles. False where
   * it has ended, and the outcome is about to come.
   */
  leave?(): boolean;
}

/** What an executor tells of an attempt on the way. */
export interface AttemptObserver {
  progress(itemsDone: number): void;
  /**
   * Why nothing happens yet, in words (its queue has not admitted it, its image is being pulled); null once it runs: from then on it
   * is charged and timed. May be told again, also of one that ran and waits anew.
   */
  waiting(reason: string | null): void;
  /** What the worker did since it last told. Workers that reach the receiver of traces themselves tell nothing here. */
  spans?(spans: readonly SpanRecord[]): void;
}

/** An attempt that an earlier service started. */
export interface Adoptee {
  order: AttemptOrder;
  observer: AttemptObserver;
}

export interface Executor {
  readonly name: string;
  /** Of an attempt at such work that starts now. */
  price(work: PricedWork): Price;
  /** How many attempts may run at once. */
  readonly slots: number;
  /** Attempts may wait once they are started, and their observers are told when they run. Absent: each runs from its start. */
  readonly waits?: true;
  /** Attempts will come: what takes a while and depends on none of them may be begun now. Asked again as often as it pleases. */
  prepare?(): void;
  start(order: AttemptOrder, observer: AttemptObserver): Promise<AttemptHandle>;
  /**
   * Attempts of an earlier service, all that there are at once: those that are under way, or have ended with an outcome to be told,
   * go on under this one. Null for each that is not there to go on; it is then released.
   */
  adopt?(attempts: readonly Adoptee[]): Promise<(AttemptHandle | null)[]>;
  /**
   * After a restart: makes sure that an attempt of an earlier service process is gone. Resolves true once it is seen gone.
   * `reference` is the handle's with `attemptId` added; only `attemptId` if the service died before the handle's was stored.
   */
  release(reference: JsonObject): Promise<boolean>;
  close(): Promise<void>;
}
