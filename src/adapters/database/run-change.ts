import { sql, type Transaction } from 'kysely';
import { PushforwardError } from '../../base/errors.ts';
import { type RunChange, type RunRecord } from '../../engine/ports.ts';
import { type StoredObjects } from '../../pipeline/ports.ts';
import { leasedSeconds, toAttempt, toStage, toTask } from './run-rows.ts';
import { appendEvents, insertTasks, now, recordArtifacts } from './run-writes.ts';
import { json, text, type Database } from './schema.ts';

type Tx = Transaction<Database>;

/** The changes of one transaction whose run row is locked. */
export function createRunChange(
  tx: Tx,
  run: RunRecord,
  objects: StoredObjects,
): { change: RunChange; sequence(): number } {
  let sequence = run.eventSequence;
  const attemptRows = () =>
    tx
      .selectFrom('attempts')
      .selectAll('attempts')
      .select([sql<string>`${run.projectId}`.as('project_id'), leasedSeconds.as('leased_seconds')])
      .where('attempts.run_id', '=', run.id);

  const change: RunChange = {
    run,

    async stages() {
      const rows = await tx.selectFrom('stages').selectAll().where('run_id', '=', run.id).orderBy('position').execute();
      return rows.map(toStage);
    },

    async task(taskId) {
      const row = await tx
        .selectFrom('tasks')
        .selectAll()
        .where('run_id', '=', run.id)
        .where('id', '=', taskId)
        .executeTakeFirst();
      return row ? toTask(row) : null;
    },

    async attempt(attemptId) {
      const row = await attemptRows().where('attempts.id', '=', attemptId).executeTakeFirst();
      return row ? toAttempt(row) : null;
    },

    async runningAttempts() {
      return (await attemptRows().where('attempts.state', '=', 'RUNNING').execute()).map(toAttempt);
    },

    pastAttempts: (taskId) =>
      tx.selectFrom('attempts').select(['state', 'failure']).where('task_id', '=', taskId).execute(),

    async lastAttempt(taskId) {
      const row = await tx
        .selectFrom('attempts')
        .select(['usage', 'cost_usd'])
        .where('task_id', '=', taskId)
        .orderBy('number', 'desc')
        .limit(1)
        .executeTakeFirst();
      return row ? { usage: row.usage, costUsd: row.cost_usd ?? 0 } : null;
    },

    async updateRun(from, set) {
      const { numUpdatedRows } = await tx
        .updateTable('runs')
        .set({
          state: set.state,
          failure: set.failure === undefined ? undefined : set.failure && json(set.failure),
          cancel_requested: set.cancelRequested,
          resources_unconfirmed: set.resourcesUnconfirmed,
          ...stamps(set),
        })
        .where('id', '=', run.id)
        .where('state', '=', from)
        .executeTakeFirst();
      expectOne(numUpdatedRows, 'run', run.id, from);
    },

    async updateStage(name, from, set) {
      const { numUpdatedRows } = await tx
        .updateTable('stages')
        .set({
          state: set.state,
          skip_reason: set.skipReason === undefined ? undefined : text(set.skipReason),
          artifact_id: set.artifactId,
          ...stamps(set),
        })
        .where('run_id', '=', run.id)
        .where('name', '=', name)
        .where('state', '=', from)
        .executeTakeFirst();
      expectOne(numUpdatedRows, 'stage', name, from);
    },

    async updateTask(taskId, from, epoch, set) {
      const { numUpdatedRows } = await tx
        .updateTable('tasks')
        .set({
          state: set.state,
          epoch: set.epoch,
          cache: set.cache,
          metrics: set.metrics && json(set.metrics),
          items_done: set.itemsDone,
          not_before:
            set.retryAfterMs === undefined
              ? undefined
              : sql<Date>`${now} + ${set.retryAfterMs} * interval '1 millisecond'`,
          ...stamps(set),
        })
        .where('run_id', '=', run.id)
        .where('id', '=', taskId)
        .where('state', '=', from)
        .where('epoch', '=', epoch)
        .executeTakeFirst();
      expectOne(numUpdatedRows, 'task', taskId, `${from}, epoch ${epoch}`);
    },

    async updateAttempt(attemptId, from, set) {
      const { numUpdatedRows } = await tx
        .updateTable('attempts')
        .set({
          state: set.state,
          reference: set.reference && json(set.reference),
          failure: set.failure && json(set.failure),
          usage: set.usage && json(set.usage),
          cost_usd: set.costUsd,
          ended_at: set.ended && now,
        })
        .where('run_id', '=', run.id)
        .where('id', '=', attemptId)
        .where('state', '=', from)
        .executeTakeFirst();
      expectOne(numUpdatedRows, 'attempt', attemptId, from);
    },

    insertTasks: (tasks) => insertTasks(tx, run, tasks),

    async insertAttempt(attempt) {
      await tx
        .insertInto('attempts')
        .values({
          id: attempt.id,
          run_id: run.id,
          task_id: attempt.taskId,
          number: attempt.number,
          epoch: attempt.epoch,
          state: 'RUNNING',
          executor: attempt.executor,
          owner: attempt.owner,
          lease_expires_at: sql<Date>`${now} + ${attempt.leaseMs} * interval '1 millisecond'`,
          started_at: now,
        })
        .execute();
    },

    async cancelTasks(from) {
      const { numUpdatedRows } = await tx
        .updateTable('tasks')
        .set({ state: 'CANCELLED', ended_at: now })
        .where('run_id', '=', run.id)
        .where('state', 'in', [...from])
        .executeTakeFirst();
      return Number(numUpdatedRows);
    },

    async setItemsDone(items) {
      for (const [taskId, done] of items) {
        await tx
          .updateTable('tasks')
          .set({ items_done: done })
          .where('run_id', '=', run.id)
          .where('id', '=', taskId)
          .where('state', '=', 'RUNNING')
          .execute();
      }
    },

    recordArtifacts: (artifacts) => recordArtifacts(tx, run, artifacts, objects),

    async addCost(stage, allocatedSeconds, costUsd) {
      await tx
        .updateTable('stages')
        .set((of) => ({
          allocated_seconds: of('allocated_seconds', '+', allocatedSeconds),
          cost_usd: of('cost_usd', '+', costUsd),
        }))
        .where('run_id', '=', run.id)
        .where('name', '=', stage)
        .execute();
      await tx
        .updateTable('runs')
        .set((of) => ({ cost_usd: of('cost_usd', '+', costUsd) }))
        .where('id', '=', run.id)
        .execute();
    },

    async recountStage(name) {
      const counted = await tx
        .selectFrom('tasks')
        .select([
          sql<number>`count(*)`.as('tasks_total'),
          sql<number>`count(*) filter (where state = 'SUCCEEDED')`.as('tasks_done'),
          sql<number>`count(*) filter (where cache = 'HIT')`.as('tasks_cached'),
          sql<number>`coalesce(sum(items), 0)`.as('items_total'),
          sql<number>`coalesce(sum(items_done), 0)`.as('items_done'),
        ])
        .where('run_id', '=', run.id)
        .where('stage', '=', name)
        .executeTakeFirstOrThrow();
      const row = await tx
        .updateTable('stages')
        .set(counted)
        .where('run_id', '=', run.id)
        .where('name', '=', name)
        .returningAll()
        .executeTakeFirstOrThrow();
      return toStage(row);
    },

    async appendEvents(events) {
      sequence = await appendEvents(tx, run.id, sequence, events);
      await tx.updateTable('runs').set({ event_sequence: sequence }).where('id', '=', run.id).execute();
    },
  };
  return { change, sequence: () => sequence };
}

function stamps(set: { started?: true; ended?: true }) {
  return { started_at: set.started && now, ended_at: set.ended && now };
}

function expectOne(rows: bigint, what: string, id: string, expected: string): void {
  if (rows === 1n) return;
  throw new PushforwardError('INTERNAL', `expected ${what} ${id} in ${expected}, got another: it was moved meanwhile`, {
    what,
    id,
    expected,
  });
}
