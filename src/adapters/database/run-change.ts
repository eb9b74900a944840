import { sql } from 'kysely';
import { PushforwardError } from '../../base/errors.ts';
import { type AttemptRecord, type RunChange, type TaskRecord } from '../../engine/ports.ts';
import { countsDue, writeDue } from './run-due.ts';
import { leasedSeconds, toAttempt } from './run-rows.ts';
import {
  readAttempts,
  readTasks,
  stageKey,
  type Columns,
  type KnownAttempt,
  type KnownRun,
  type Unit,
} from './run-unit.ts';
import { insertTasks, now, setRunning } from './run-writes.ts';
import { text } from './schema.ts';

/** One change of a run within a transaction that has locked its row; what it changes is written with what others change. */
export function createRunChange(unit: Unit, known: KnownRun): RunChange {
  const { tx, at } = unit;
  const { run } = known;

  async function task(taskId: string): Promise<TaskRecord | null> {
    if (!known.tasks.has(taskId)) await readTasks(unit, [taskId]);
    return known.tasks.get(taskId) ?? null;
  }

  /** All so far, oldest first. */
  async function attemptsAt(taskId: string): Promise<KnownAttempt[]> {
    if (!known.attempts.has(taskId) && (await task(taskId))) await readAttempts(unit, [taskId]);
    return known.attempts.get(taskId) ?? [];
  }

  async function attempt(attemptId: string): Promise<KnownAttempt | null> {
    const among = (attempts: KnownAttempt[]) => attempts.find(({ record }) => record.id === attemptId);
    const found = among([...known.attempts.values()].flat());
    if (found) return found;
    const row = await tx.selectFrom('attempts').select('task_id').where('id', '=', attemptId).executeTakeFirst();
    return (row && among(await attemptsAt(row.task_id))) ?? null;
  }

  function replaceAttempt(attemptId: string, taskId: string, with_: KnownAttempt): void {
    const all = known.attempts.get(taskId)!;
    known.attempts.set(
      taskId,
      all.map((one) => (one.record.id === attemptId ? with_ : one)),
    );
  }

  const stamps = (of: { started?: true; ended?: true }) => ({
    ...(of.started && { startedAt: at.date }),
    ...(of.ended && { endedAt: at.date }),
  });
  const stampColumns = (of: { started?: true; ended?: true }) => ({
    ...(of.started && { started_at: at.text }),
    ...(of.ended && { ended_at: at.text }),
  });

  return {
    run,
    stages: async () => [...known.stages.values()],
    task,
    attempt: async (attemptId) => (await attempt(attemptId))?.record ?? null,

    async runningAttempts() {
      await writeDue(unit);
      const rows = await tx
        .selectFrom('attempts')
        .selectAll()
        .select([sql<string>`${run.projectId}`.as('project_id'), leasedSeconds.as('leased_seconds')])
        .where('run_id', '=', run.id)
        .where('state', '=', 'RUNNING')
        .execute();
      return rows.map(toAttempt);
    },

    pastAttempts: async (taskId) =>
      (await attemptsAt(taskId)).map(({ record: { state, reference }, failure }) => ({
        ...{ state, failure },
        traceparent: typeof reference?.['traceparent'] === 'string' ? reference['traceparent'] : null,
      })),

    async lastAttempt(taskId) {
      const last = (await attemptsAt(taskId)).at(-1);
      return last ? { usage: last.usage, costUsd: last.costUsd ?? 0 } : null;
    },

    async updateRun(from, { started, ended, ...fields }) {
      expectState('run', run.id, from, known.run.state);
      known.run = { ...known.run, ...given(fields), ...stamps({ started, ended }) };
      merge(unit.due.runs, run.id, {
        id: run.id,
        state: fields.state,
        failure: fields.failure,
        cancel_requested: fields.cancelRequested,
        resources_unconfirmed: fields.resourcesUnconfirmed,
        ...stampColumns({ started, ended }),
      });
    },

    async updateStage(name, from, { started, ended, ...fields }) {
      const stage = known.stages.get(name);
      expectState('stage', name, from, stage?.state);
      known.stages.set(name, { ...stage!, ...given(fields), ...stamps({ started, ended }) });
      merge(unit.due.stages, stageKey(run.id, name), {
        ...{ run_id: run.id, name, state: fields.state, artifact_id: fields.artifactId },
        skip_reason: fields.skipReason === undefined ? undefined : text(fields.skipReason),
        ...stampColumns({ started, ended }),
      });
    },

    async updateTask(taskId, from, epoch, { started, ended, ...fields }) {
      const before = await task(taskId);
      const is = before && `${before.state}, epoch ${before.epoch}`;
      expectState('task', taskId, `${from}, epoch ${epoch}`, is);
      const { state, cache = before!.cache } = fields;
      const startedAt = started ? at.date : before!.startedAt;
      known.tasks.set(taskId, { ...before!, state, cache, startedAt, epoch: fields.epoch ?? epoch });
      merge(unit.due.tasks, taskId, {
        ...{ id: taskId, state, epoch: fields.epoch, cache: fields.cache, metrics: fields.metrics },
        items_done: fields.itemsDone,
        ...(fields.retryAfterMs !== undefined && { read_at: at.text, retry_after_ms: fields.retryAfterMs }),
        ...stampColumns({ started, ended }),
      });
      if (state === 'SUCCEEDED') countsDue(unit, run.id, before!.stage);
    },

    async updateAttempt(attemptId, from, { ended, ...fields }) {
      const before = await attempt(attemptId);
      expectState('attempt', attemptId, from, before?.record.state);
      const { record } = before!;
      const { state, reference = record.reference, lease } = fields;
      replaceAttempt(attemptId, record.taskId, {
        record: { ...record, state, reference, owner: lease?.owner ?? record.owner },
        failure: fields.failure ?? before!.failure,
        usage: fields.usage ?? before!.usage,
        costUsd: fields.costUsd ?? before!.costUsd,
      });
      merge(unit.due.attempts, attemptId, {
        ...{ id: attemptId, state, reference: fields.reference, failure: fields.failure, usage: fields.usage },
        cost_usd: fields.costUsd,
        ...(lease && { owner: lease.owner, read_at: at.text, lease_ms: lease.leaseMs }),
        ...stampColumns({ ended }),
      });
    },

    insertTasks: (tasks) => insertTasks(tx, run, tasks),

    async insertAttempt({ leaseMs, traceparent, waits, ...one }) {
      const past = await attemptsAt(one.taskId);
      const reference = traceparent ? { traceparent } : null;
      const record: AttemptRecord = {
        ...{ ...one, runId: run.id, projectId: run.projectId },
        ...{ state: 'RUNNING', reference, leasedSeconds: 0 },
      };
      known.attempts.set(one.taskId, [...past, { record, failure: null, usage: null, costUsd: null }]);
      unit.due.newAttempts.push({ ...one, leaseMs, traceparent, waits, runId: run.id });
    },

    async cancelTasks(from) {
      await writeDue(unit);
      const { numUpdatedRows } = await tx
        .updateTable('tasks')
        .set({ state: 'CANCELLED', ended_at: now })
        .where('run_id', '=', run.id)
        .where('state', 'in', [...from])
        .executeTakeFirst();
      known.tasks.clear();
      return Number(numUpdatedRows);
    },

    async setItemsDone(items) {
      for (const [taskId, done] of items) {
        const one = await task(taskId);
        if (one?.state !== 'RUNNING') continue;
        merge(unit.due.tasks, taskId, { id: taskId, items_done: done });
        countsDue(unit, run.id, one.stage);
      }
    },

    async setRunning(attempts) {
      if (attempts.size === 0) return;
      await writeDue(unit);
      await setRunning(tx, run, attempts, at.text);
    },

    async recordArtifacts(artifacts) {
      if (artifacts.length === 0) return;
      const due = unit.due.artifacts.get(run.id) ?? new Map();
      unit.due.artifacts.set(run.id, due);
      // Who made it is known to one of those who name it.
      for (const one of artifacts) if (one.made || !due.has(one.manifest.id)) due.set(one.manifest.id, one);
    },

    async addCost(name, allocatedSeconds, costUsd) {
      known.run = { ...known.run, costUsd: known.run.costUsd + costUsd };
      merge(unit.due.runs, run.id, { id: run.id, cost_usd: known.run.costUsd });
      const before = known.stages.get(name);
      if (!before) return;
      const stage = {
        ...before,
        allocatedSeconds: before.allocatedSeconds + allocatedSeconds,
        costUsd: before.costUsd + costUsd,
      };
      known.stages.set(name, stage);
      merge(unit.due.stages, stageKey(run.id, name), {
        ...{ run_id: run.id, name, allocated_seconds: stage.allocatedSeconds, cost_usd: stage.costUsd },
      });
    },

    async recountStage(name) {
      countsDue(unit, run.id, name);
      await writeDue(unit);
      return known.stages.get(name)!;
    },

    async appendEvents(events) {
      let sequence = known.run.eventSequence;
      for (const { type, payload } of events)
        unit.due.events.push({ runId: run.id, sequence: ++sequence, type, payload });
      known.run = { ...known.run, eventSequence: sequence };
      merge(unit.due.runs, run.id, { id: run.id, event_sequence: sequence });
    },
  };
}

function merge(due: Map<string, Columns>, key: string, columns: Columns): void {
  due.set(key, { ...due.get(key), ...given(columns) });
}

/** Without what is undefined. */
function given<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}

function expectState(what: string, id: string, expected: string, received: string | null | undefined): void {
  if (received === expected) return;
  throw new PushforwardError(
    'INTERNAL',
    `expected ${what} ${id} in ${expected}, got ${received ?? 'none'}: it was moved meanwhile`,
    { what, id, expected },
  );
}
