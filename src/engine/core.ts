import { type JsonObject } from '../base/json.ts';
import { type Changes } from './changes.ts';
import { type EngineOptions } from './options.ts';
import {
  type AttemptHandle,
  type AttemptRecord,
  type Executor,
  type Price,
  type PricedWork,
  type TaskSpec,
} from './ports.ts';
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
  /** Whether attempts may begin: not before those of the service before, which go on, are counted. */
  begins(): boolean;
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

/** Leaves an attempt to the next service where it goes on without this one, and asks it to stop where it cannot. */
export function letGo(core: Core, live: LiveAttempt): void {
  if (live.cancelAsked || live.settling || !live.handle?.leave?.()) return cancelAttempt(live);
  core.live.delete(live.id);
  live.handedOn.abort();
}

/** The price that an attempt began at; of one of an earlier release what its executor takes now, nothing where that is not configured any more. */
export function priceOf(
  core: Core,
  attempt: Pick<AttemptRecord, 'executor' | 'price'>,
  work: PricedWork,
): Price | null {
  if (attempt.price) return attempt.price;
  return core.options.executors.find((one) => one.name === attempt.executor)?.price(work) ?? null;
}

/** The recipe's section that says how, never what. */
export function executionOf(recipe: JsonObject): JsonObject {
  const section = recipe['execution'];
  return section !== null && typeof section === 'object' && !Array.isArray(section) ? section : {};
}
