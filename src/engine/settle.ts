import { crashPoint } from '../base/crash-points.ts';
import { PushforwardError } from '../base/errors.ts';
import { type Change } from './changes.ts';
import { type Core, executionOf, type LiveAttempt, priceOf } from './core.ts';
import { type AttemptName, type TaskName } from './events.ts';
import {
  type ArtifactManifest,
  type AttemptOutcome,
  type AttemptRecord,
  type Failure,
  type TaskCache,
  type TaskRecord,
  type TaskResult,
  type Usage,
} from './ports.ts';
import { failureOf, retryAfterLoss, retryAfterMs } from './retry.ts';
import { beginStop, confirmRelease, isCurrent } from './stop.ts';
import { type AttemptEnd } from './telemetry.ts';

/**
 * Records how an attempt ended. One that is no longer RUNNING was given up in the meantime: then nothing is recorded, and
 * what it published is found when its task is tried again.
 * @returns what the attempt's span says; null if nothing was recorded
 */
export async function settle(core: Core, live: LiveAttempt, outcome: AttemptOutcome): Promise<AttemptEnd | null> {
  const seen = await verified(core, live, outcome);
  const usage = seen.kind === 'succeeded' ? seen.result.usage : seen.usage;
  const recorded = await core.change(
    live.runId,
    async (change) => {
      const attempt = await change.attempt(live.id);
      const task = await change.task(live.taskId);
      if (!attempt || !task || attempt.state !== 'RUNNING') return null;
      const costUsd = costOfAttempt(core, change, { attempt, task, usage });
      await change.addCost(task.stage, usage.allocatedSeconds, costUsd);
      const end = { change, attempt, task, usage, costUsd };
      let willRetry = false;
      if (seen.kind === 'succeeded') await succeeded(end, seen.result, seen.manifest);
      else if (seen.kind === 'failed') willRetry = await failed(core, end, seen.failure);
      else if (live.silent) await lost(core, end);
      else await cancelled(end);
      await confirmRelease(change);
      crashPoint('settle.uncommitted');
      return { willRetry, costUsd };
    },
    live.taskId,
  );
  crashPoint('settle.committed');
  if (!recorded) return null;
  if (seen.kind === 'failed' && recorded.willRetry) core.telemetry.retried(live.spec.stage, seen.failure);
  if (seen.kind === 'cancelled' && live.silent) core.telemetry.leaseLost(live.spec.stage);
  return {
    outcome: seen.kind,
    allocatedSeconds: usage.allocatedSeconds,
    peakMemoryBytes: usage.peakMemoryBytes,
    costUsd: recorded.costUsd,
    ...(seen.kind === 'succeeded' && { metrics: seen.result.metrics, produced: seen.manifest.produced }),
    ...(seen.kind === 'failed' && { failure: seen.failure }),
  };
}

/**
 * An attempt whose service died or whose lease ran out, seen gone. It is charged for the time it was leased. Its task goes
 * on at once: should it have published, the next attempt finds that before it starts anything.
 */
export async function settleLost(core: Core, given: AttemptRecord): Promise<void> {
  const stage = await core.change(
    given.runId,
    async (change) => {
      const attempt = await change.attempt(given.id);
      const task = await change.task(given.taskId);
      if (!attempt || !task || attempt.state !== 'RUNNING') return null;
      const usage = { allocatedSeconds: attempt.leasedSeconds, peakMemoryBytes: 0, bytesRead: 0, bytesWritten: 0 };
      const costUsd = costOfAttempt(core, change, { attempt, task, usage });
      await change.addCost(task.stage, usage.allocatedSeconds, costUsd);
      await lost(core, { change, attempt, task, usage, costUsd });
      await confirmRelease(change);
      return task.stage;
    },
    given.taskId,
  );
  if (stage !== null) core.telemetry.leaseLost(stage);
}

/**
 * An attempt that could not be seen gone in time. A run that is RUNNING goes on without it: its task is tried again under
 * another epoch. One that is stopping or has ended has no need of that.
 */
export async function handOn(core: Core, given: AttemptRecord): Promise<void> {
  await core.change(given.runId, async (change) => {
    const attempt = await change.attempt(given.id);
    const task = await change.task(given.taskId);
    if (!attempt || !task || attempt.state !== 'RUNNING' || !isCurrent(task, attempt)) return;
    if (change.state() !== 'RUNNING') return;
    await change.setRun({ resourcesUnconfirmed: true });
    change.emit({ type: 'run.resourcesUnconfirmed', payload: { attempts: [attempt.id] } });
    const willRetry = retryAfterLoss(await change.pastAttempts(task.id), retryPolicy(core, change));
    await afterFailure(change, task, attempt, failureOfLoss(attempt), willRetry ? 0 : null);
  });
}

interface End {
  change: Change;
  attempt: AttemptRecord;
  task: TaskRecord;
  usage: Usage;
  costUsd: number;
}

function costOfAttempt(core: Core, change: Change, of: Pick<End, 'attempt' | 'task' | 'usage'>): number {
  const { attempt, task, usage } = of;
  const price = priceOf(core, attempt, { stage: task.stage, execution: executionOf(change.run.recipe) });
  return price ? (usage.allocatedSeconds * price.usdPerHour) / 3600 : 0;
}

type Seen =
  | Exclude<AttemptOutcome, { kind: 'succeeded' }>
  | { kind: 'succeeded'; result: TaskResult; manifest: ArtifactManifest };

/** A result counts once its manifest is found published; a cancellation that nobody asked for is a loss. */
async function verified(core: Core, live: LiveAttempt, outcome: AttemptOutcome): Promise<Seen> {
  if (outcome.kind === 'cancelled' && live.overdue && !live.silent) {
    return { kind: 'failed', failure: failureOf(overdue(live)), usage: outcome.usage };
  }
  if (outcome.kind === 'cancelled' && !live.cancelAsked) {
    const lost = new PushforwardError('WORKER_LOST', 'expected an outcome, got a cancellation that nobody asked for');
    return { kind: 'failed', failure: failureOf(lost), usage: outcome.usage };
  }
  if (outcome.kind !== 'succeeded') return outcome;
  const manifest = await core.options.publications.find(live.projectId, live.spec.artifactId);
  if (manifest) return { kind: 'succeeded', result: outcome.result, manifest };
  const missing = new PushforwardError(
    'CORRUPT_ARTIFACT',
    `expected ${live.spec.title} to have published artifact ${live.spec.artifactId}, got no whole manifest: it is tried again`,
    { artifactId: live.spec.artifactId },
  );
  return { kind: 'failed', failure: failureOf(missing), usage: outcome.result.usage };
}

async function succeeded(end: End, result: TaskResult, manifest: ArtifactManifest): Promise<void> {
  const { change, attempt, task, usage, costUsd } = end;
  await change.moveAttempt(attempt, 'SUCCEEDED', { usage, costUsd });
  if (!isCurrent(task, attempt)) return;
  await change.recordArtifacts([{ manifest, title: task.spec.title, taskId: task.id, made: { usage, costUsd } }]);
  await recordSuccess(change, task, {
    cache: task.cache,
    metrics: result.metrics,
    seconds: usage.allocatedSeconds,
    costUsd,
  });
}

/** The task's artifact is published: by an attempt, or found. */
export async function recordSuccess(
  change: Change,
  task: TaskRecord,
  with_: { cache: TaskCache; metrics: Record<string, number>; seconds: number; costUsd: number },
): Promise<void> {
  const { cache, metrics } = with_;
  await change.moveTask(task, 'SUCCEEDED', { cache, metrics, itemsDone: task.spec.items, ended: true });
  change.emit({ type: 'task.succeeded', payload: { ...taskName(task), artifactId: task.artifactId, ...with_ } });
}

/** @returns whether the task is tried again */
async function failed(core: Core, end: End, failure: Failure): Promise<boolean> {
  const { change, attempt, task, usage, costUsd } = end;
  await change.moveAttempt(attempt, 'FAILED', { failure, usage, costUsd });
  const wait = retryAfterMs(failure, await change.pastAttempts(task.id), retryPolicy(core, change));
  // Where its task went on without it, that is tried again already.
  const willRetry = change.state() === 'RUNNING' && (wait !== null || !isCurrent(task, attempt));
  change.emit({
    type: 'attempt.failed',
    payload: { ...attemptName(task, attempt), failure, willRetry, retryAfterMs: (willRetry && wait) || 0 },
  });
  await afterFailure(change, task, attempt, failure, wait);
  return willRetry;
}

async function lost(core: Core, { change, attempt, task, usage, costUsd }: End): Promise<void> {
  const failure = failureOfLoss(attempt);
  await change.moveAttempt(attempt, 'LOST', { failure, usage, costUsd });
  const willRetry = retryAfterLoss(await change.pastAttempts(task.id), retryPolicy(core, change));
  change.emit({
    type: 'attempt.lost',
    payload: {
      ...attemptName(task, attempt),
      failure,
      willRetry: change.state() === 'RUNNING' && (willRetry || !isCurrent(task, attempt)),
    },
  });
  await afterFailure(change, task, attempt, failure, willRetry ? 0 : null);
}

function failureOfLoss({ id, owner }: AttemptRecord): Failure {
  const what = `expected attempt ${id} to report, got nothing after its service stopped or lost sight of it: it is tried again`;
  return failureOf(new PushforwardError('WORKER_LOST', what, { attempt: id, owner }));
}

async function cancelled({ change, attempt, task, usage, costUsd }: End): Promise<void> {
  await change.moveAttempt(attempt, 'CANCELLED', { usage, costUsd });
  change.emit({ type: 'attempt.cancelled', payload: attemptName(task, attempt) });
  if (!isCurrent(task, attempt)) return;
  if (change.state() === 'RUNNING') await change.moveTask(task, 'PENDING', { itemsDone: 0, retryAfterMs: 0 });
  else await change.moveTask(task, 'CANCELLED', { ended: true });
}

/** @param waitMs until the next attempt; null: there is none, and the run stops */
async function afterFailure(
  change: Change,
  task: TaskRecord,
  attempt: AttemptRecord,
  failure: Failure,
  waitMs: number | null,
): Promise<void> {
  if (!isCurrent(task, attempt)) return;
  if (change.state() !== 'RUNNING') return change.moveTask(task, 'CANCELLED', { ended: true });
  if (waitMs !== null) return change.moveTask(task, 'PENDING', { itemsDone: 0, retryAfterMs: waitMs });
  await change.moveTask(task, 'FAILED', { ended: true });
  change.emit({ type: 'task.failed', payload: { ...taskName(task), failure } });
  await beginStop(change, failure);
}

function retryPolicy({ options }: Core, { run }: Change) {
  return { maxAttempts: run.limits.maxAttempts ?? options.maxAttempts, backoffMs: options.tuning.backoffMs };
}

function overdue({ spec }: LiveAttempt): PushforwardError {
  return new PushforwardError(
    'TIMEOUT',
    `expected ${spec.stage} of ${spec.title} to end within the seconds that the run allows a task, got no end: raise limits.taskSeconds, or give it more threads or a GPU`,
    { stage: spec.stage, title: spec.title },
  );
}

function taskName(task: TaskRecord): TaskName {
  return { taskId: task.id, stage: task.stage, index: task.index, title: task.spec.title };
}

export function attemptName(task: TaskRecord, attempt: { id: string; number: number }): AttemptName {
  return { ...taskName(task), attemptId: attempt.id, number: attempt.number };
}
