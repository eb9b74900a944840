import { type Failure, type TaskCache } from './ports.ts';

/**
 * What happens to a run. Every move is an event; `run_events` holds them with a sequence number per run, without gaps.
 * Readers ignore types they do not know.
 */
export type RunEvent =
  | { type: 'run.created'; payload: { stages: string[] } }
  | { type: 'run.started'; payload: Record<string, never> }
  | { type: 'stage.started'; payload: { stage: string; tasksTotal: number; tasksCached: number; itemsTotal: number } }
  | { type: 'stage.progress'; payload: StageProgress }
  | { type: 'stage.succeeded'; payload: StageSucceeded }
  | { type: 'stage.skipped'; payload: { stage: string; reason: string } }
  | { type: 'stage.failed'; payload: { stage: string; failure: Failure } }
  | { type: 'stage.cancelled'; payload: { stage: string } }
  | { type: 'task.succeeded'; payload: TaskSucceeded }
  | { type: 'task.failed'; payload: TaskName & { failure: Failure } }
  | { type: 'tasks.cancelled'; payload: { count: number } }
  | { type: 'attempt.started'; payload: AttemptName }
  | { type: 'attempt.adopted'; payload: AttemptName }
  | { type: 'attempt.failed'; payload: AttemptName & { failure: Failure; willRetry: boolean; retryAfterMs: number } }
  | { type: 'attempt.lost'; payload: AttemptName & { failure: Failure; willRetry: boolean } }
  | { type: 'attempt.cancelled'; payload: AttemptName }
  | { type: 'run.stopping'; payload: { failure: Failure | null } }
  | { type: 'run.resourcesUnconfirmed'; payload: { attempts: string[] } }
  | { type: 'run.resourcesReleased'; payload: Record<string, never> }
  | { type: 'run.succeeded'; payload: RunEnded }
  | { type: 'run.failed'; payload: RunEnded & { failure: Failure } }
  | { type: 'run.cancelled'; payload: RunEnded };

export type RunEventType = RunEvent['type'];

export interface TaskName {
  taskId: string;
  stage: string;
  index: number;
  title: string;
}

export interface AttemptName extends TaskName {
  attemptId: string;
  number: number;
}

export interface TaskSucceeded extends TaskName {
  artifactId: string;
  cache: TaskCache;
  metrics: Record<string, number>;
  seconds: number;
  costUsd: number;
}

export interface StageProgress {
  stage: string;
  itemsDone: number;
  itemsTotal: number;
  tasksDone: number;
  tasksTotal: number;
  /** Attempts that have yet to run, by what they wait for; absent where none does. */
  waiting?: Record<string, number>;
}

export interface StageSucceeded {
  stage: string;
  artifactId: string;
  tasksTotal: number;
  tasksCached: number;
  /** From its start to its end. */
  seconds: number;
  costUsd: number;
}

export interface RunEnded {
  seconds: number;
  costUsd: number;
}
