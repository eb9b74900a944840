/**
 * The whole state machine. Every move of the four kinds is one of `MOVES`; every other is refused.
 *
 * # Run
 *
 * ## QUEUED
 * Launched: the row, its stages and `run.created` were written in one transaction. Nothing has been planned.
 *
 * ## RUNNING
 * Its first unfinished stage is being planned or carried out.
 *
 * ## STOPPING
 * A task failed for good, or someone cancelled. No attempt is started any more; those under way are made to stop.
 * `failure` says which of the two it is: with one the run ends FAILED, without it CANCELLED.
 *
 * ## SUCCEEDED, FAILED, CANCELLED
 * Final. FAILED and CANCELLED are entered once every attempt was seen gone, or after the release deadline with
 * `resources_unconfirmed`.
 *
 * # Stage
 *
 * ## PENDING
 * Not planned: what it consists of follows from what earlier stages published.
 *
 * ## RUNNING
 * Planned: its tasks are rows.
 *
 * ## SUCCEEDED
 * All tasks succeeded and the manifest that lists them is published.
 *
 * ## SKIPPED
 * The planner said that this run has no need of it, and why.
 *
 * ## FAILED, CANCELLED
 * The run ended during it, or before it.
 *
 * # Task
 *
 * ## PENDING
 * May be started once its `not_before` has passed.
 *
 * ## RUNNING
 * It has one attempt of its current epoch. From here it goes back to PENDING when that attempt failed and another is
 * due, was lost, or the service stopped.
 *
 * ## SUCCEEDED
 * Its artifact is published, by an attempt of this run (cache MISS) or before it asked (cache HIT, straight from PENDING).
 *
 * ## FAILED, CANCELLED
 * The failure that stops the run; everything else that the stop leaves unfinished.
 *
 * # Attempt
 *
 * ## RUNNING
 * An executor was or is about to be asked to carry it out; its owner renews the lease from evidence. One that nobody can
 * see gone stays RUNNING: after the release deadline its task goes on without it, under another epoch, and its run is
 * marked `resources_unconfirmed` until it was seen gone.
 *
 * ## SUCCEEDED, FAILED
 * Its outcome was seen.
 *
 * ## LOST
 * Its service died or its lease ran out, and it was seen gone.
 *
 * ## CANCELLED
 * Stopped on purpose and seen gone.
 */
import { PushforwardError } from '../base/errors.ts';

export type RunState = 'QUEUED' | 'RUNNING' | 'STOPPING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
export type StageState = 'PENDING' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED' | 'SKIPPED';
export type TaskState = 'PENDING' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
export type AttemptState = 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'LOST' | 'CANCELLED';

export interface StateOf {
  run: RunState;
  stage: StageState;
  task: TaskState;
  attempt: AttemptState;
}

export const MOVES: { readonly [Kind in keyof StateOf]: Readonly<Record<StateOf[Kind], readonly StateOf[Kind][]>> } = {
  run: {
    QUEUED: ['RUNNING', 'STOPPING'],
    RUNNING: ['STOPPING', 'SUCCEEDED'],
    STOPPING: ['FAILED', 'CANCELLED'],
    SUCCEEDED: [],
    FAILED: [],
    CANCELLED: [],
  },
  stage: {
    PENDING: ['RUNNING', 'SKIPPED', 'FAILED', 'CANCELLED'],
    RUNNING: ['SUCCEEDED', 'FAILED', 'CANCELLED'],
    SUCCEEDED: [],
    FAILED: [],
    CANCELLED: [],
    SKIPPED: [],
  },
  task: {
    PENDING: ['RUNNING', 'SUCCEEDED', 'CANCELLED'],
    RUNNING: ['PENDING', 'SUCCEEDED', 'FAILED', 'CANCELLED'],
    SUCCEEDED: [],
    FAILED: [],
    CANCELLED: [],
  },
  attempt: {
    RUNNING: ['SUCCEEDED', 'FAILED', 'LOST', 'CANCELLED'],
    SUCCEEDED: [],
    FAILED: [],
    LOST: [],
    CANCELLED: [],
  },
};

export function isLegal<Kind extends keyof StateOf>(kind: Kind, from: StateOf[Kind], to: StateOf[Kind]): boolean {
  return MOVES[kind][from].includes(to);
}

export function assertLegal<Kind extends keyof StateOf>(kind: Kind, from: StateOf[Kind], to: StateOf[Kind]): void {
  if (isLegal(kind, from, to)) return;
  const allowed = MOVES[kind][from].join(', ') || 'none, the state is final';
  throw new PushforwardError('INTERNAL', `expected a legal move of a ${kind} in ${from} (${allowed}), got ${to}`, {
    kind,
    from,
    to,
  });
}

/** Terminal: no move leads out of it. */
export function isFinal<Kind extends keyof StateOf>(kind: Kind, state: StateOf[Kind]): boolean {
  return MOVES[kind][state].length === 0;
}
