import { crashPoint } from '../base/crash-points.ts';
import { PushforwardError, toErrorRecord } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { cancelAttempt, executionOf, type Core, type LiveAttempt } from './core.ts';
import { type AttemptOutcome, type Failure, type ReadyTask, type RunChange, type Usage } from './ports.ts';
import { type Progress } from './progress.ts';
import { failureOf, isOutage } from './retry.ts';
import { attemptName, recordSuccess, settle } from './settle.ts';
import { type AttemptEnd } from './telemetry.ts';

/**
 * Carries a ready task as far as it goes: finds it published, or begins an attempt, has it carried out and records how it
 * ended, or leaves it once its task goes on without it. Throws only what hindered it before anything was begun.
 * @param free told when the attempt holds its slot no more; its end is yet to be recorded
 */
export async function carryOut(core: Core, progress: Progress, ready: ReadyTask, free: () => void): Promise<void> {
  if (await recordIfPublished(core, ready)) return core.wake(ready.runId);
  const live = await begin(core, ready);
  if (!live) return;
  crashPoint('attempt.recorded');
  await toItsEnd(core, progress, live, free, () => outcomeOf(core, progress, ready, live));
}

/** An attempt that has begun, until its end is recorded or its task, or another service, goes on without this one. */
export async function toItsEnd(
  core: Core,
  progress: Progress,
  live: LiveAttempt,
  free: () => void,
  outcomeIn: () => Promise<AttemptOutcome>,
): Promise<void> {
  core.live.set(live.id, live);
  const handedOn = new Promise<void>((resolve) =>
    live.handedOn.signal.addEventListener('abort', () => resolve(), { once: true }),
  );
  await Promise.race([live.span.within(recordedEnd), handedOn.then(() => progress.ended(live))]);

  async function recordedEnd(): Promise<void> {
    try {
      const outcome = await outcomeIn();
      crashPoint('outcome.seen');
      live.settling = true;
      free();
      const end = await recordEnd(core, live, outcome);
      live.span.end(end ?? { outcome: outcome.kind, allocatedSeconds: 0, costUsd: 0 });
    } finally {
      core.live.delete(live.id);
      progress.ended(live);
      core.wake(live.runId);
    }
  }
}

/** Another run, or an attempt that was lost, may have published it since it was planned. */
async function recordIfPublished(core: Core, ready: ReadyTask): Promise<boolean> {
  const { manifest } = await core.options.publications.verify(ready.projectId, ready.spec.artifactId);
  if (!manifest) return false;
  const byOthers = ready.epoch === 0;
  const recorded = await core.change(
    ready.runId,
    async (change) => {
      const task = await stillReady(change, ready);
      if (!task) return null;
      const made = byOthers ? null : await change.lastAttempt(task.id);
      await change.recordArtifacts([{ manifest, title: task.spec.title, taskId: task.id, made }]);
      await recordSuccess(change, task, {
        cache: byOthers ? 'HIT' : task.cache,
        metrics: manifest.metrics,
        seconds: made?.usage?.allocatedSeconds ?? 0,
        costUsd: made?.costUsd ?? 0,
      });
      return { run: change.run };
    },
    ready.taskId,
  );
  if (recorded && byOthers) core.telemetry.cached(recorded.run, ready.spec, manifest.metrics);
  return true;
}

async function begin(core: Core, ready: ReadyTask): Promise<LiveAttempt | null> {
  const id = newId('attempt');
  return core.change(
    ready.runId,
    async (change) => {
      const task = await stillReady(change, ready);
      if (!task || !core.holds()) return null;
      const past = await change.pastAttempts(task.id);
      const number = past.length + 1;
      const epoch = task.epoch + 1;
      await change.moveTask(task, 'RUNNING', {
        epoch,
        itemsDone: 0,
        ...(task.startedAt === null && { started: true }),
      });
      const halvings = past.filter(({ failure }) => failure?.class === 'outOfMemory').length;
      const execution = executionOf(ready.recipe);
      const price = core.executor.price({ stage: task.stage, execution });
      const span = core.telemetry.attempt(change.run, task, {
        ...{ id, number, halvings, execution, executor: core.executor.name, before: past.at(-1)?.traceparent ?? null },
        price,
      });
      await change.insertAttempt({
        id,
        taskId: task.id,
        number,
        epoch,
        executor: core.executor.name,
        price,
        owner: core.options.ownerId,
        leaseMs: core.options.lease.durationMs,
        waits: core.executor.waits ?? false,
        traceparent: span.traceparent,
      });
      change.emit({ type: 'attempt.started', payload: attemptName(task, { id, number }) });
      const { runId, projectId, taskId, spec } = ready;
      return {
        ...{ id, runId, projectId, taskId, spec, number, span, halvings },
        ...{ handle: null, cancelAsked: false, settling: false, silent: false, overdue: false },
        handedOn: new AbortController(),
      };
    },
    ready.taskId,
  );
}

async function stillReady(change: Pick<RunChange, 'run' | 'task'>, ready: ReadyTask) {
  const task = await change.task(ready.taskId);
  return change.run.state === 'RUNNING' && task?.state === 'PENDING' && task.epoch === ready.epoch ? task : null;
}

async function outcomeOf(core: Core, progress: Progress, ready: ReadyTask, live: LiveAttempt): Promise<AttemptOutcome> {
  const { runId, projectId, spec, recipe } = ready;
  try {
    live.handle = await core.executor.start(
      {
        ...{ attemptId: live.id, projectId, runId, task: spec, execution: executionOf(recipe) },
        ...{ halvings: live.halvings, traceparent: live.span.traceparent },
      },
      {
        progress: (itemsDone) => progress.report(live, itemsDone),
        waiting: (reason) => progress.waiting(live, reason),
        spans: (spans) => live.span.record(spans),
      },
    );
  } catch (error) {
    return { kind: 'failed', failure: failureOf(error), usage: NO_USAGE };
  }
  const { handle } = live;
  crashPoint('attempt.started');
  if (live.cancelAsked || core.stopping.aborted) cancelAttempt(live);
  try {
    await throughOutages(core, live, () =>
      core.change(
        runId,
        async (change) => {
          const attempt = await change.attempt(live.id);
          if (attempt?.state === 'RUNNING')
            await change.setReference(attempt, { ...attempt.reference, ...handle.reference });
          // Given up before it was under way: nobody waits for it any more.
          else cancelAttempt(live);
        },
        live.taskId,
      ),
    );
  } catch (error) {
    // Without its reference no later service could find it.
    cancelAttempt(live);
    return { kind: 'failed', failure: unrecorded(live, error), usage: usageOf(await handle.outcome) };
  }
  crashPoint('attempt.referenced');
  return handle.outcome;
}

/** An outcome that cannot be recorded as it is makes the attempt a failed one. */
async function recordEnd(core: Core, live: LiveAttempt, outcome: AttemptOutcome): Promise<AttemptEnd | null> {
  const record = (of: AttemptOutcome) =>
    throughOutages(core, live, async () => {
      const end = await settle(core, live, of);
      live.handle?.recorded?.();
      return end;
    });
  try {
    return await record(outcome).catch((error: unknown) =>
      record({ kind: 'failed', failure: unrecorded(live, error), usage: usageOf(outcome) }),
    );
  } catch (error) {
    const about = { run: live.runId, attempt: live.id, error: toErrorRecord(error) };
    core.options.log.error('the end of an attempt cannot be recorded; it is given up when its lease runs out', about);
    return null;
  }
}

const NO_USAGE: Usage = { allocatedSeconds: 0, peakMemoryBytes: 0, bytesRead: 0, bytesWritten: 0 };

function usageOf(outcome: AttemptOutcome): Usage {
  return outcome.kind === 'succeeded' ? outcome.result.usage : outcome.usage;
}

function unrecorded(live: LiveAttempt, error: unknown): Failure {
  const { code, message } = toErrorRecord(error);
  const what = `expected attempt ${live.id} to be recorded, got: ${message}`;
  return failureOf(new PushforwardError(code, what));
}

/** What an executor did has happened: while the store is away it is kept. Null if the engine closes first. */
async function throughOutages<T>(core: Core, live: LiveAttempt, record: () => Promise<T>): Promise<T | null> {
  const { clock, log, tuning } = core.options;
  while (!core.closed.aborted) {
    try {
      return await record();
    } catch (error) {
      if (!isOutage(error)) throw error;
      log.warn('an attempt could not be recorded yet', {
        run: live.runId,
        attempt: live.id,
        error: toErrorRecord(error),
      });
      await clock.sleep(tuning.pollMs, core.closed);
    }
  }
  return null;
}
