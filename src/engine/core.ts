import { type JsonObject } from '../base/json.ts';
import { type Changes } from './changes.ts';
import { type EngineOptions } from './options.ts';
import { type AttemptHandle, type Executor, type TaskSpec } from './ports.ts';
import { type AttemptSpan, type Telemetry } from './telemetry.ts';

/** What the parts of the engine share. */
export interface Core {
  options: EngineOptions & { tuning: Required<NonNullable<EngineOptions['tuning']>> };
  executor: Executor;
  change: Changes;
  telemetry: Telemetry;
  /** Attempts of this service by id. */
  live: Map<string, LiveAttempt>;
  /** Look at this run again, and at what may be started. */
  wake(runId: string): void;
  /** Whether this engine is the one that moves runs, and is not stopping. Asked before anything is begun. */
  holds(): boolean;
  /** Aborts when the engine stops. */
  stopping: AbortSignal;
  /** Aborts when nothing is recorded any more: the stop took too long. */
  closed: AbortSignal;
}

export interface LiveAttempt {
  id: string;
  runId: string;
  projectId: string;
  taskId: string;
  epoch: number;
  number: number;
  spec: TaskSpec;
  span: AttemptSpan;
  /** Null until the executor has it. */
  handle: AttemptHandle | null;
  /** Someone asked it to stop; the handle is told as soon as there is one. */
  cancelAsked: boolean;
  /** Its outcome is known and being recorded. */
  settling: boolean;
  /** Its lease ran out for want of evidence: it was asked to stop and counts as lost if that is how it ends. */
  silent: boolean;
  /** It took longer than its run allows, and was asked to stop for that. */
  overdue: boolean;
  /** How often its task ran out of memory before. */
  halvings: number;
  /** Aborts when its task goes on without it. */
  handedOn: AbortController;
}

export function cancelAttempt(live: LiveAttempt): void {
  live.cancelAsked = true;
  live.handle?.cancel();
}

/** US dollars that an attempt cost; nothing where its executor is not configured any more. */
export function costOf(
  core: Core,
  of: { executor: string; stage: string; recipe: JsonObject; allocatedSeconds: number },
): number {
  const executor = core.options.executors.find((one) => one.name === of.executor);
  const work = { stage: of.stage, execution: executionOf(of.recipe) };
  return executor ? of.allocatedSeconds * executor.priceUsdPerSecond(work) : 0;
}

/** The recipe's section that says how, never what. */
export function executionOf(recipe: JsonObject): JsonObject {
  const section = recipe['execution'];
  return section !== null && typeof section === 'object' && !Array.isArray(section) ? section : {};
}
