import { type Clock } from '../base/clock.ts';
import { type Log } from '../base/log.ts';
import {
  type Executor,
  type LaunchRequest,
  type Planner,
  type Publications,
  type RunFigures,
  type RunRecord,
  type RunStore,
} from './ports.ts';

export interface EngineOptions {
  runs: RunStore;
  publications: Publications;
  planner: Planner;
  /** At least one. Attempts go to the first; the others are asked about attempts of earlier services. */
  executors: readonly [Executor, ...Executor[]];
  clock: Clock;
  log: Log;
  /** Names this service process; never used twice. */
  ownerId: string;
  lease: { durationMs: number; renewEveryMs: number };
  /** How often a task may fail before its run does. */
  maxAttempts: number;
  /** How long a stopping run waits to see its processes or pods gone. */
  releaseDeadlineMs: number;
  /** Figures of a run that succeeded, for its span and its metrics. Default: none. */
  figures?: (run: RunRecord) => Promise<RunFigures>;
  /** Defaults suit production; tests shorten them. */
  tuning?: {
    /** How often everything is looked at without being asked; default 1000. */
    pollMs?: number;
    /** Wait before the first retry, doubling up to a minute; default 1000. */
    backoffMs?: number;
    /** Progress is written at most this often per stage; default 250. */
    progressMs?: number;
  };
}

export interface Engine {
  /**
   * One run per (project, idempotency key). Works from the first moment, whether or not this engine is the one that
   * moves runs.
   * @throws IDEMPOTENCY_CONFLICT if the key was used with another fingerprint
   */
  launch(request: LaunchRequest): Promise<{ run: RunRecord; created: boolean }>;
  /**
   * Asks a run to stop; a run that has ended stays as it is.
   * @throws NOT_FOUND
   */
  cancel(projectId: string, runId: string): Promise<RunRecord>;
  /** Begins to move runs as soon as no other engine does. */
  start(): Promise<void>;
  /**
   * Begins nothing more, leaves to the next service what goes on without this one, and stops the rest. Resolves once how that ended is
   * recorded, or the release deadline is over.
   */
  stop(): Promise<void>;
  /** Look at this run now. */
  wake(runId: string): void;
  readonly events: EngineEvents;
}

export interface EngineEvents {
  /**
   * Called after commit with the sequence number of its newest event; readers read the rows. Two changes that commit
   * together may be told in either order. Returns how to unsubscribe.
   */
  subscribe(listener: (runId: string, sequence: number) => void): () => void;
}
