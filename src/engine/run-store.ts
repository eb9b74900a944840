import { type JsonObject } from '../base/json.ts';
import { type ArtifactManifest, type Failure, type Price, type Published, type TaskSpec, type Usage } from './work.ts';
import { type AttemptState, type RunState, type StageState, type TaskState } from './states.ts';

/**
 * Why a task was or was not carried out. HIT: its artifact was there before the run asked, whole. STALE: it had been made before, and is
 * gone or damaged. MISS: nobody has made it before.
 */
export type TaskCache = 'HIT' | 'MISS' | 'STALE';

/** What the rows know of an artifact that the store does not have whole. */
export interface FormerArtifact {
  /** Null: its bytes should be there. */
  deletedAt: Date | null;
  /** Null: a retention policy did it. */
  deletedBecause: string | null;
}

/**
 * Where runs are kept. The engine decides every move and knows no SQL; the store keeps each change whole, in order and
 * guarded. Times are the store's clock.
 */
export interface RunStore {
  /**
   * Claims the right to move runs: one engine per store. Null while another holds it.
   * It ends with the process that holds it, however that ends.
   */
  claim(): Promise<ServiceClaim | null>;

  /**
   * Writes the run, its stages, its inputs and `run.created`, or, where (project, idempotency key) is taken, nothing:
   * then `run` is the one that took it.
   * @throws ARTIFACT_DELETED for an input whose bytes are gone; those that are there stay while the run is in flight
   */
  insertRun(run: NewRun): Promise<{ run: RunRecord; created: boolean }>;
  findRun(projectId: string, runId: string): Promise<RunRecord | null>;
  /** Ids of runs in QUEUED, RUNNING, STOPPING, oldest first. */
  activeRuns(): Promise<string[]>;
  snapshot(runId: string): Promise<RunSnapshot | null>;
  /** Stage name to its succeeded tasks in task order. */
  publishedTasks(runId: string): Promise<Map<string, Published[]>>;

  /** PENDING tasks that may start now: runs by priority, then by age, tasks by position. */
  readyTasks(query: {
    limit: number;
    /** Artifacts of projects that are worked on. */
    exceptArtifacts: readonly { projectId: string; artifactId: string }[];
    exceptProjects: readonly string[];
  }): Promise<ReadyTask[]>;
  /** RUNNING runs that take, and attempts that run, for longer than their limits allow; what waits in a cluster takes no time. */
  overdue(): Promise<{ runs: string[]; attempts: string[] }>;
  /** RUNNING runs that cost more than they, or all runs of their project in this month (UTC), may; what runs counts up to now. */
  overspent(): Promise<Overspent[]>;
  /** What was known under these artifact ids, also where the bytes are gone; unknown ids are left out. */
  formerArtifacts(projectId: string, ids: readonly string[]): Promise<Map<string, FormerArtifact>>;
  /** Milliseconds until the next PENDING task that waits for a retry may start, or null. */
  nextReadyInMs(): Promise<number | null>;
  /** RUNNING attempts whose lease ran out, and all of other owners. */
  abandonedAttempts(ownerId: string): Promise<AttemptRecord[]>;
  /** Extends the leases of those of the attempts that are still RUNNING and this owner's; returns their ids. */
  renewLeases(ownerId: string, attemptIds: readonly string[], leaseMs: number): Promise<string[]>;

  /**
   * One transaction over one run, whose row is locked meanwhile: changes of a run happen one after another, and what
   * `work` reads stays true until it is done. If `work` throws, nothing of it remains. Changes that come together may share
   * a transaction; then `work` may be called anew, and only the last call counts.
   * @param taskId the task that it is about, to be read ahead
   */
  change<T>(
    runId: string,
    work: (change: RunChange) => Promise<T>,
    taskId?: string,
  ): Promise<{ value: T; sequence: number }>;
}

export interface ServiceClaim {
  held(): boolean;
  release(): Promise<void>;
}

/** What may be done to a run within a transaction. A guarded update that finds another state or epoch throws. */
export interface RunChange {
  readonly run: RunRecord;
  stages(): Promise<StageRecord[]>;
  task(taskId: string): Promise<TaskRecord | null>;
  attempt(attemptId: string): Promise<AttemptRecord | null>;
  runningAttempts(): Promise<AttemptRecord[]>;
  /** All attempts at a task so far, oldest first. */
  pastAttempts(taskId: string): Promise<PastAttempt[]>;
  /** What the newest attempt of a task used, as far as it is known. */
  lastAttempt(taskId: string): Promise<{ usage: Usage | null; costUsd: number } | null>;

  updateRun(from: RunState, set: RunUpdate): Promise<void>;
  updateStage(name: string, from: StageState, set: StageUpdate): Promise<void>;
  updateTask(taskId: string, from: TaskState, epoch: number, set: TaskUpdate): Promise<void>;
  updateAttempt(attemptId: string, from: AttemptState, set: AttemptUpdate): Promise<void>;

  insertTasks(tasks: readonly NewTask[]): Promise<void>;
  insertAttempt(attempt: NewAttempt): Promise<void>;
  /** Moves all tasks of the run in these states to CANCELLED; returns how many. */
  cancelTasks(from: readonly TaskState[]): Promise<number>;
  setItemsDone(items: ReadonlyMap<string, number>): Promise<void>;
  /** By attempt: whether it runs or waits. One that runs already goes on from when it began to; one that has ended stays as it is. */
  setRunning(attempts: ReadonlyMap<string, boolean>): Promise<void>;
  /**
   * Artifact rows (unless there), their input edges, and that the run wrote them. From here on they stay.
   * @throws STORE_UNAVAILABLE for one that was deleted since it was found: to be looked up again
   */
  recordArtifacts(artifacts: readonly NewArtifact[]): Promise<void>;
  addCost(stage: string, allocatedSeconds: number, costUsd: number): Promise<void>;
  /** The stage with its counts as its tasks are now. A task that succeeds brings them up by itself, once the change is done. */
  recountStage(name: string): Promise<StageRecord>;
  /** Numbered without gaps, in this order, after all earlier ones of the run. */
  appendEvents(events: readonly { type: string; payload: JsonObject }[]): Promise<void>;
}

/** What a launch is. The engine treats the recipe as opaque and does not check that the rows it names exist. */
export interface LaunchRequest {
  projectId: string;
  recipe: JsonObject;
  recipeDigest: string;
  /** Artifact ids by role: `datasetVersion`, `prior`. */
  inputs: Readonly<Record<string, string>>;
  datasetVersionId: string;
  priorId: string;
  /** Null: every call is a new run. */
  idempotencyKey: string | null;
  /** Digest of the whole launch request. */
  fingerprint: string;
  /** Tasks of a run with a greater one go first; 0 is usual. */
  priority: number;
  limits: RunLimits;
  /** The run that it repeats; null: none. */
  retriedRunId: string | null;
}

/** Null: no limit of its own. */
export interface RunLimits {
  /** An attempt that runs for longer ends with TIMEOUT, and its task may be tried again. */
  taskSeconds: number | null;
  /** A run that takes longer from its start ends with TIMEOUT. */
  runSeconds: number | null;
  /** How often a task may fail before its run does; null: as the service is set. */
  maxAttempts: number | null;
  /** A run that costs more, in US dollars, ends with BUDGET_EXCEEDED. */
  costUsd: number | null;
}

export interface Overspent {
  runId: string;
  of: 'RUN' | 'PROJECT';
  spentUsd: number;
  budgetUsd: number;
}

/** A launch that asks for nothing of the kind. */
export const USUAL_LAUNCH: Pick<LaunchRequest, 'priority' | 'limits' | 'retriedRunId'> = {
  priority: 0,
  limits: { taskSeconds: null, runSeconds: null, maxAttempts: null, costUsd: null },
  retriedRunId: null,
};

export interface NewRun extends LaunchRequest {
  id: string;
  traceparent: string | null;
  stages: readonly string[];
}

export interface RunRecord extends LaunchRequest {
  id: string;
  state: RunState;
  traceparent: string | null;
  /** Why it is STOPPING or FAILED; null where it was cancelled. */
  failure: Failure | null;
  cancelRequested: boolean;
  resourcesUnconfirmed: boolean;
  /** Sequence number of its newest event. */
  eventSequence: number;
  costUsd: number;
  createdAt: Date;
  startedAt: Date | null;
  endedAt: Date | null;
}

export interface StageRecord {
  runId: string;
  name: string;
  position: number;
  state: StageState;
  skipReason: string | null;
  artifactId: string | null;
  tasksTotal: number;
  tasksDone: number;
  tasksCached: number;
  itemsTotal: number;
  itemsDone: number;
  costUsd: number;
  allocatedSeconds: number;
  startedAt: Date | null;
  endedAt: Date | null;
}

export interface TaskRecord {
  id: string;
  runId: string;
  stage: string;
  index: number;
  artifactId: string;
  state: TaskState;
  spec: TaskSpec;
  epoch: number;
  /** Known since it was planned. */
  cache: TaskCache;
  startedAt: Date | null;
}

export interface AttemptRecord {
  id: string;
  runId: string;
  projectId: string;
  taskId: string;
  number: number;
  epoch: number;
  state: AttemptState;
  executor: string;
  reference: JsonObject | null;
  owner: string;
  /** Null where a release began it that kept none. */
  price: Price | null;
  /** Since it runs until now, or until its lease ran out if that is earlier; 0 while it waits. */
  leasedSeconds: number;
}

/** What a decision about another attempt is made from. */
export interface PastAttempt {
  state: AttemptState;
  failure: Failure | null;
  /** Trace context of its span, where it was traced. */
  traceparent?: string | null;
}

/** What a decision about a run is made from. */
export interface RunSnapshot {
  run: RunRecord;
  /** In the order they run. */
  stages: StageRecord[];
  /** Tasks of the first unfinished stage by state. */
  tasks: Record<TaskState, number>;
  runningAttempts: AttemptRecord[];
}

export interface ReadyTask {
  taskId: string;
  runId: string;
  projectId: string;
  spec: TaskSpec;
  epoch: number;
  recipe: JsonObject;
  runTraceparent: string | null;
  /** Tasks of its project that may run at once; null: any number. */
  projectLimit: number | null;
}

export interface RunUpdate {
  state?: RunState;
  failure?: Failure | null;
  cancelRequested?: boolean;
  resourcesUnconfirmed?: boolean;
  /** Set to the store's time. */
  started?: true;
  ended?: true;
}

export interface StageUpdate {
  state: StageState;
  skipReason?: string;
  artifactId?: string;
  started?: true;
  ended?: true;
}

export interface TaskUpdate {
  state: TaskState;
  epoch?: number;
  cache?: TaskCache;
  metrics?: Record<string, number>;
  itemsDone?: number;
  retryAfterMs?: number;
  started?: true;
  ended?: true;
}

export interface AttemptUpdate {
  state: AttemptState;
  /** Who holds its lease from now on, and for how long. */
  lease?: { owner: string; leaseMs: number };
  reference?: JsonObject;
  failure?: Failure;
  usage?: Usage;
  costUsd?: number;
  ended?: true;
}

export interface NewTask {
  id: string;
  spec: TaskSpec;
  state: 'PENDING' | 'SUCCEEDED';
  cache: TaskCache;
  /** Why it is STALE, else null. */
  cacheReason: string | null;
  metrics: Record<string, number> | null;
}

export interface NewAttempt {
  id: string;
  taskId: string;
  number: number;
  epoch: number;
  executor: string;
  price: Price;
  owner: string;
  leaseMs: number;
  /** Whether it has yet to be told that it runs (`setRunning`). Default: it runs from its start. */
  waits?: boolean;
  /** Trace context of its span, kept in the reference: the next attempt refers to it. */
  traceparent?: string | null;
}

export interface NewArtifact {
  manifest: ArtifactManifest;
  title: string;
  taskId: string | null;
  /** Null where this run found the artifact and did not make it. */
  made: { usage: Usage | null; costUsd: number } | null;
}
