import { type Kysely, sql, type Transaction } from 'kysely';
import { type NewEvaluation, type TriggerStore } from '../../control/ports.ts';
import { insertProjectEvent } from './event-writes.ts';
import { namingOutages } from './outages.ts';
import { type Database, json, text } from './schema.ts';
import { changedBy, DELETED, NOW, type PendingEnd, toEvaluation, toTrigger, validSecrets } from './trigger-rows.ts';

/** The triggers of all projects, for whoever evaluates them. An outage is DATABASE_UNAVAILABLE. */
export function createTriggerStore(db: Kysely<Database>): TriggerStore {
  return namingOutages(plainTriggerStore(db));
}

function plainTriggerStore(db: Kysely<Database>): TriggerStore {
  const there = () => db.selectFrom('triggers').where('deleted_at', 'is', null);

  return {
    async now() {
      const { rows } = await sql<{ now: Date }>`select clock_timestamp() as now`.execute(db);
      return rows[0]!.now;
    },

    async due(now, first) {
      const rows = await there()
        .where('state', '=', 'ACTIVE')
        .where('next_due_at', '<=', now)
        .selectAll()
        .orderBy('next_due_at')
        .limit(first)
        .execute();
      return rows.map((row) => ({
        ...{ id: row.id, projectId: row.project_id, version: row.version, dueAt: row.next_due_at! },
        ...{ source: row.definition.source, policy: row.definition.policy },
      }));
    },

    async nextDue() {
      const row = await there()
        .where('state', '=', 'ACTIVE')
        .select(({ fn }) => fn.min('next_due_at').as('next'))
        .executeTakeFirst();
      return row?.next ?? null;
    },

    tick: ({ id, projectId, version, dueAt }, times, next) =>
      db.transaction().execute(async (tx) => {
        const { numUpdatedRows } = await tx
          .updateTable('triggers')
          .where('id', '=', id)
          .where('version', '=', version)
          .where('state', '=', 'ACTIVE')
          .where('deleted_at', 'is', null)
          .where('next_due_at', '=', dueAt)
          .set({ next_due_at: next })
          .executeTakeFirst();
        if (numUpdatedRows === 0n) return false;
        for (const { dueAt: at, missed } of times) {
          const facts = { dueAt: at.toISOString(), missed };
          const payload = { key: `due ${facts.dueAt}`, facts };
          await insertProjectEvent(tx, projectId, { type: 'trigger.due', subject: id, payload });
        }
        return true;
      }),

    async ofProjects(projectIds) {
      if (projectIds.length === 0) return [];
      const rows = await there()
        .where('project_id', 'in', [...projectIds])
        .selectAll()
        .orderBy('created_at')
        .orderBy('id')
        .execute();
      return rows.map((row) => ({ ...toTrigger(row), projectId: row.project_id }));
    },

    async evaluated(triggerId, keys) {
      if (keys.length === 0) return new Set();
      const rows = await db
        .selectFrom('trigger_evaluations')
        .where('trigger_id', '=', triggerId)
        .where('event_key', '=', sql<string>`any(${[...keys]})`)
        .select('event_key')
        .execute();
      return new Set(rows.map((row) => row.event_key));
    },

    async waitingFor(runIds) {
      const rows = await db
        .selectFrom('trigger_evaluations as e')
        .innerJoin(
          sql<{ run_id: string; trigger_id: string | null }>`(
            select r.id as run_id, l.trigger_id
            from unnest(${[...runIds]}::text[]) as r (id) left join trigger_evaluations l on l.launched_run_id = r.id
          )`.as<'w'>('w'),
          (join) =>
            join.on(
              sql<boolean>`(e.reason = 'MEASURING' and e.measuring_run_id = w.run_id) or (e.reason = 'QUEUED' and e.trigger_id = w.trigger_id)`,
            ),
        )
        .where('e.verdict', '=', 'PENDING')
        .selectAll('e')
        .select('w.run_id')
        .execute();
      return rows.map((row) => ({ ...toEvaluation(row), projectId: row.project_id, runId: row.run_id }));
    },

    async chainOf(aliasVersionId) {
      const row = await db
        .selectFrom('trigger_evaluations')
        .where('promoted_version_id', '=', aliasVersionId)
        .select('chain')
        .executeTakeFirst();
      return row?.chain ?? [];
    },

    record: (asked, fired) =>
      db.transaction().execute(async (tx) => {
        const evaluation = { ...asked, ...(asked.verdict === 'PENDING' && (await endedBy(tx, asked))) };
        const written = await write(tx, evaluation);
        if (!written) return;
        if (evaluation.reason === 'QUEUED') await supersede(tx, evaluation);
        const { projectId, triggerId } = evaluation;
        if (fired)
          await insertProjectEvent(tx, projectId, { type: 'trigger.fired', subject: triggerId, payload: fired });
      }),

    async eventSource(id) {
      const row = await db.selectFrom('event_sources').where('id', '=', id).selectAll().executeTakeFirst();
      if (!row || row.revoked_at !== null) return null;
      return { projectId: row.project_id, name: row.name, secrets: validSecrets(row).map(({ secret }) => secret) };
    },

    receive: (sourceId, key, event) =>
      db.transaction().execute(async (tx) => {
        const isNew = await tx
          .insertInto('received_events')
          .values({ event_source_id: sourceId, key })
          .onConflict((conflict) => conflict.doNothing())
          .returning('key')
          .executeTakeFirst();
        if (!isNew) return false;
        const source = await tx
          .selectFrom('event_sources')
          .where('id', '=', sourceId)
          .select('project_id')
          .executeTakeFirstOrThrow();
        await insertProjectEvent(tx, source.project_id, { type: 'event.received', subject: key, payload: event });
        return true;
      }),

    prune: (afterDays) =>
      db.transaction().execute(async (tx) => {
        const old = sql<Date>`${NOW} - ${afterDays} * interval '1 day'`;
        const { numDeletedRows } = await tx
          .deleteFrom('trigger_evaluations')
          .where('ended_at', '<', old)
          .where('launched_run_id', 'is', null)
          .where('measuring_run_id', 'is', null)
          .where('promoted_version_id', 'is', null)
          .executeTakeFirst();
        await tx.deleteFrom('received_events').where('received_at', '<', old).execute();
        await sql`delete from project_events p where p.created_at < ${old}
          and p.type in ('trigger.due', 'trigger.requested', 'event.received')
          and not exists (select from feed_events f where f.project_event_id = p.id)`.execute(tx);
        return Number(numDeletedRows);
      }),
  };
}

/** Where nothing waits any more, since the trigger was changed or deleted after it was read: what that ended is the end of this too. */
async function endedBy(
  tx: Transaction<Database>,
  { triggerId, triggerVersion }: NewEvaluation,
): Promise<PendingEnd | null> {
  const trigger = await tx
    .selectFrom('triggers')
    .where('id', '=', triggerId)
    .select(['version', 'changed_by', 'deleted_at'])
    .forShare()
    .executeTakeFirstOrThrow();
  if (trigger.deleted_at !== null) return DELETED;
  return trigger.version === triggerVersion ? null : changedBy(trigger.changed_by);
}

/** False where it is there already and final. */
async function write(tx: Transaction<Database>, of: NewEvaluation): Promise<boolean> {
  const { key, ...event } = of.event;
  const outcome = {
    ...{ verdict: of.verdict, reason: of.reason, detail: of.detail === null ? null : text(of.detail) },
    ...{ tree: of.tree && json(of.tree), error: of.error && json(of.error) },
    ...{ launched_run_id: of.launchedRunId, measuring_run_id: of.measuringRunId },
    ...{ promoted_version_id: of.promotedVersionId, ended_at: of.verdict === 'PENDING' ? null : NOW },
  };
  const row = await tx
    .insertInto('trigger_evaluations')
    .values({
      ...{ id: of.id, project_id: of.projectId, trigger_id: of.triggerId, trigger_version: of.triggerVersion },
      ...{ event_key: text(key), event: json(event), chain: of.chain, ...outcome },
    })
    .onConflict((conflict) =>
      conflict
        .columns(['trigger_id', 'event_key'])
        .doUpdateSet(outcome)
        .where('trigger_evaluations.verdict', '=', 'PENDING'),
    )
    .returning('id')
    .executeTakeFirst();
  return row !== undefined;
}

/** Of those that wait for a run to end, the newest alone does. */
async function supersede(tx: Transaction<Database>, { id, triggerId }: NewEvaluation): Promise<void> {
  await tx
    .updateTable('trigger_evaluations')
    .where('trigger_id', '=', triggerId)
    .where('verdict', '=', 'PENDING')
    .where('reason', '=', 'QUEUED')
    .where('id', '!=', id)
    .set({ verdict: 'SKIPPED', reason: 'SUPERSEDED', detail: 'a later event took its place', ended_at: NOW })
    .execute();
}
