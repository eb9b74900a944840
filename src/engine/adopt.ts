import { toErrorRecord } from '../base/errors.ts';
import { toItsEnd } from './attempts.ts';
import { executionOf, type Core, type LiveAttempt } from './core.ts';
import { type Dispatcher } from './dispatch.ts';
import { type AttemptHandle, type AttemptOrder, type AttemptRecord, type Executor, type SpanRecord } from './ports.ts';
import { type Progress } from './progress.ts';
import { attemptName } from './settle.ts';
import { isCurrent } from './stop.ts';

export interface Adoption {
  /** @returns those of these that go on under this engine, and those that could not be asked about now */
  adopt(attempts: readonly AttemptRecord[]): Promise<Set<string>>;
}

interface Candidate {
  live: LiveAttempt;
  order: AttemptOrder;
}

/**
 * Attempts of an earlier service that their executor still carries out, or knows the end of, go on under this one, with the
 * same epoch: nothing is done twice because a service was replaced. Those of this one too, where it left them when it lost the
 * claim and got that back before another had it. Asked once about each; what is not adopted is released.
 */
export function createAdoption(core: Core, progress: Progress, dispatcher: Dispatcher): Adoption {
  const { executors, ownerId, lease, log } = core.options;
  const asked = new Set<string>();

  async function adopt(attempts: readonly AttemptRecord[]): Promise<Set<string>> {
    const new_ = attempts.filter(({ id }) => !asked.has(id) && !core.live.has(id));
    const taken = new Set<string>();
    for (const executor of executors) {
      const own = new_.filter((attempt) => attempt.executor === executor.name);
      if (!executor.adopt || own.length === 0) continue;
      const candidates = (await Promise.all(own.map((attempt) => candidate(executor, attempt)))).filter(
        (one) => one !== null,
      );
      for (const { id } of own) asked.add(id);
      const handles = await executor.adopt(candidates.map(adoptee)).catch((error: unknown) => {
        log.warn('attempts of an earlier service could not be adopted yet', { error: toErrorRecord(error) });
        for (const { id } of own) {
          asked.delete(id);
          taken.add(id);
        }
        return candidates.map(() => null);
      });
      const found = candidates.flatMap((one, i) => (handles[i] ? { ...one, handle: handles[i] } : []));
      await Promise.all(
        found.map(async ({ handle, ...one }) => {
          taken.add(one.live.id);
          await take(one, handle);
        }),
      );
    }
    return taken;
  }

  function adoptee({ live, order }: Candidate): Parameters<NonNullable<Executor['adopt']>>[0][number] {
    const observer = {
      progress: (itemsDone: number) => progress.report(live, itemsDone),
      waiting: (reason: string | null) => progress.waiting(live, reason),
      spans: (spans: readonly SpanRecord[]) => live.span.record(spans),
    };
    return { order, observer };
  }

  /** Null for one whose task went on without it. */
  function candidate(executor: Executor, attempt: AttemptRecord): Promise<Candidate | null> {
    const { id, runId, projectId, taskId, number } = attempt;
    return core.change(
      runId,
      async (change) => {
        const task = await change.task(taskId);
        if (!task || !isCurrent(task, attempt)) return null;
        const past = await change.pastAttempts(taskId);
        const halvings = past.filter(({ failure }) => failure?.class === 'outOfMemory').length;
        const { spec } = task;
        const execution = executionOf(change.run.recipe);
        // Of what this service sees of it; the span of the one before died with that.
        const before = past.at(-1)?.traceparent ?? null;
        const span = core.telemetry.attempt(change.run, task, {
          ...{ id, number, halvings, execution, executor: executor.name, before },
          price: attempt.price ?? executor.price({ stage: task.stage, execution }),
        });
        return {
          live: {
            ...{ id, runId, projectId, taskId, spec, number, halvings, span },
            ...{ handle: null, cancelAsked: false, settling: false, silent: false, overdue: false },
            handedOn: new AbortController(),
          },
          order: {
            ...{ attemptId: id, projectId, runId, task: spec, execution, halvings },
            traceparent: span.traceparent,
          },
        };
      },
      taskId,
    );
  }

  /** The lease first, then the work: one that was given up meanwhile is left, and then released. */
  async function take({ live }: Candidate, handle: AttemptHandle): Promise<void> {
    live.handle = handle;
    const ours = await core
      .change(
        live.runId,
        async (change) => {
          const attempt = await change.attempt(live.id);
          const task = await change.task(live.taskId);
          if (!core.holds() || attempt?.state !== 'RUNNING' || !task || !isCurrent(task, attempt)) return false;
          await change.takeOver(attempt, { owner: ownerId, leaseMs: lease.durationMs });
          change.emit({ type: 'attempt.adopted', payload: attemptName(task, live) });
          // Should it be left once more, it is asked about once more.
          asked.delete(live.id);
          return true;
        },
        live.taskId,
      )
      .catch((error: unknown) => {
        // Asked again: it is under way, and its lease is still another's.
        log.warn('an attempt could not be adopted; trying again', { attempt: live.id, error: toErrorRecord(error) });
        asked.delete(live.id);
        return false;
      });
    if (!ours) return void handle.leave?.();
    const { projectId, spec } = live;
    dispatcher.takeUp({ projectId, artifactId: spec.artifactId }, (free) =>
      toItsEnd(core, progress, live, free, () => handle.outcome),
    );
  }

  return { adopt };
}
