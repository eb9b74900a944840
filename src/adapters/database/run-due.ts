import { sql, type RawBuilder } from 'kysely';
import { PushforwardError } from '../../base/errors.ts';
import { insertEvents } from './event-writes.ts';
import { toStage } from './run-rows.ts';
import { nothingDue, stageKey, type Columns, type Due, type Unit } from './run-unit.ts';
import { recordArtifacts } from './run-writes.ts';
import { chunks, json } from './schema.ts';

/** Writes all that is due, a statement for each table. */
export async function writeDue(unit: Unit): Promise<void> {
  const { due } = unit;
  unit.due = nothingDue();
  await set(unit, due.runs, updateRuns);
  await set(unit, due.stages, updateStages);
  await set(unit, due.tasks, updateTasks);
  await insertAttempts(unit, due.newAttempts);
  await set(unit, due.attempts, updateAttempts);
  for (const [runId, artifacts] of due.artifacts) {
    await recordArtifacts(unit.tx, unit.runs.get(runId)!.run, [...artifacts.values()], unit.objects);
  }
  await insertEvents(unit.tx, due.events, sql`${unit.at.text}::timestamptz`);
  await recount(unit, [...due.counts.values()]);
}

type Rows = RawBuilder<unknown>;

/** Every row is there, or something moved it without the lock. */
async function set(unit: Unit, rows: ReadonlyMap<string, Columns>, update: (rows: Rows) => Rows): Promise<void> {
  for (const some of chunks([...rows.values()])) {
    const { numAffectedRows } = await update(sql`${json(some)}::jsonb`).execute(unit.tx);
    if (numAffectedRows === BigInt(some.length)) continue;
    const what = `expected ${some.length} rows to change, got ${numAffectedRows}: one was moved without its run's lock`;
    throw new PushforwardError('INTERNAL', what, { rows: some });
  }
}

// A column that is absent keeps what it has: none is ever set back to null.

const updateRuns = (rows: Rows) => sql`
  update runs r set
    state = coalesce(v.state, r.state),
    failure = coalesce(v.failure, r.failure),
    cancel_requested = coalesce(v.cancel_requested, r.cancel_requested),
    resources_unconfirmed = coalesce(v.resources_unconfirmed, r.resources_unconfirmed),
    event_sequence = coalesce(v.event_sequence, r.event_sequence),
    cost_usd = coalesce(v.cost_usd, r.cost_usd),
    started_at = coalesce(v.started_at, r.started_at),
    ended_at = coalesce(v.ended_at, r.ended_at)
  from jsonb_to_recordset(${rows}) as v(
    id text, state text, failure jsonb, cancel_requested boolean, resources_unconfirmed boolean, event_sequence integer,
    cost_usd double precision, started_at timestamptz, ended_at timestamptz)
  where r.id = v.id`;

const updateStages = (rows: Rows) => sql`
  update stages s set
    state = coalesce(v.state, s.state),
    skip_reason = coalesce(v.skip_reason, s.skip_reason),
    artifact_id = coalesce(v.artifact_id, s.artifact_id),
    allocated_seconds = coalesce(v.allocated_seconds, s.allocated_seconds),
    cost_usd = coalesce(v.cost_usd, s.cost_usd),
    started_at = coalesce(v.started_at, s.started_at),
    ended_at = coalesce(v.ended_at, s.ended_at)
  from jsonb_to_recordset(${rows}) as v(
    run_id text, name text, state text, skip_reason text, artifact_id text, allocated_seconds double precision,
    cost_usd double precision, started_at timestamptz, ended_at timestamptz)
  where s.run_id = v.run_id and s.name = v.name`;

const updateTasks = (rows: Rows) => sql`
  update tasks t set
    state = coalesce(v.state, t.state),
    epoch = coalesce(v.epoch, t.epoch),
    cache = coalesce(v.cache, t.cache),
    metrics = coalesce(v.metrics, t.metrics),
    items_done = coalesce(v.items_done, t.items_done),
    not_before = coalesce(v.read_at + v.retry_after_ms * interval '1 millisecond', t.not_before),
    started_at = coalesce(v.started_at, t.started_at),
    ended_at = coalesce(v.ended_at, t.ended_at)
  from jsonb_to_recordset(${rows}) as v(
    id text, state text, epoch integer, cache text, metrics jsonb, items_done integer, read_at timestamptz,
    retry_after_ms double precision, started_at timestamptz, ended_at timestamptz)
  where t.id = v.id`;

const updateAttempts = (rows: Rows) => sql`
  update attempts a set
    state = coalesce(v.state, a.state),
    reference = coalesce(v.reference, a.reference),
    owner = coalesce(v.owner, a.owner),
    lease_expires_at = coalesce(v.read_at + v.lease_ms * interval '1 millisecond', a.lease_expires_at),
    failure = coalesce(v.failure, a.failure),
    usage = coalesce(v.usage, a.usage),
    cost_usd = coalesce(v.cost_usd, a.cost_usd),
    ended_at = coalesce(v.ended_at, a.ended_at)
  from jsonb_to_recordset(${rows}) as v(
    id text, state text, reference jsonb, owner text, read_at timestamptz, lease_ms double precision, failure jsonb,
    usage jsonb, cost_usd double precision, ended_at timestamptz)
  where a.id = v.id`;

async function insertAttempts({ tx, at }: Unit, attempts: Due['newAttempts']): Promise<void> {
  for (const some of chunks(attempts)) {
    await tx
      .insertInto('attempts')
      .values(
        some.map((one) => ({
          id: one.id,
          run_id: one.runId,
          task_id: one.taskId,
          number: one.number,
          epoch: one.epoch,
          state: 'RUNNING' as const,
          executor: one.executor,
          price_usd_per_hour: one.price.usdPerHour,
          price_list: one.price.list,
          owner: one.owner,
          reference: one.traceparent ? json({ traceparent: one.traceparent }) : null,
          lease_expires_at: sql<Date>`${at.text}::timestamptz + ${one.leaseMs} * interval '1 millisecond'`,
          started_at: at.text,
          running_at: one.waits ? null : at.text,
        })),
      )
      .execute();
  }
}

/** Brings the counts of stages up to their tasks. */
async function recount({ tx, runs }: Unit, stages: readonly { run_id: string; name: string }[]): Promise<void> {
  if (stages.length === 0) return;
  const { rows } = await sql<Parameters<typeof toStage>[0]>`
    update stages s set
      tasks_total = c.tasks_total,
      tasks_done = c.tasks_done,
      tasks_cached = c.tasks_cached,
      items_total = c.items_total,
      items_done = c.items_done
    from (
      select
        v.run_id,
        v.name,
        count(t.id) as tasks_total,
        count(t.id) filter (where t.state = 'SUCCEEDED') as tasks_done,
        count(t.id) filter (where t.cache = 'HIT') as tasks_cached,
        coalesce(sum(t.items), 0) as items_total,
        coalesce(sum(t.items_done), 0) as items_done
      from jsonb_to_recordset(${json(stages)}::jsonb) as v(run_id text, name text)
      left join tasks t on t.run_id = v.run_id and t.stage = v.name
      group by v.run_id, v.name
    ) c
    where s.run_id = c.run_id and s.name = c.name
    returning s.*`.execute(tx);
  for (const row of rows) runs.get(row.run_id)!.stages.set(row.name, toStage(row));
}

/** The counts of a stage are behind its tasks. */
export function countsDue({ due }: Unit, runId: string, name: string): void {
  due.counts.set(stageKey(runId, name), { run_id: runId, name });
}
