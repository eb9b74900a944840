import { type Kysely, sql } from 'kysely';
import { type SinceRequest, type TriggerReads, type TriggerUsage, type TriggerWrites } from '../../control/ports.ts';
import { spentBy } from './catalog-costs.ts';
import { olderThan, toPage } from './catalog-paging.ts';
import { insertProjectEvent } from './event-writes.ts';
import { type Database, json } from './schema.ts';
import { changedBy, DELETED, endPending, NOW, toEvaluation, toTrigger } from './trigger-rows.ts';

type TriggerQueries = Omit<TriggerReads, 'eventSourcesById' | 'eventSources'> &
  Pick<
    TriggerWrites,
    'countTriggers' | 'createTrigger' | 'updateTrigger' | 'setTriggerState' | 'deleteTrigger' | 'requestEvaluation'
  >;

export function triggerQueries(db: Kysely<Database>, projectId: string): TriggerQueries {
  const triggers = () => db.selectFrom('triggers').where('project_id', '=', projectId).selectAll();
  const evaluations = () => db.selectFrom('trigger_evaluations').where('project_id', '=', projectId).selectAll();
  const there = () => db.updateTable('triggers').where('project_id', '=', projectId).where('deleted_at', 'is', null);

  return {
    async triggersById(ids) {
      if (ids.length === 0) return [];
      return (
        await triggers()
          .where('id', 'in', [...ids])
          .execute()
      ).map(toTrigger);
    },

    async triggerByName(name) {
      const row = await triggers().where('name', '=', name).where('deleted_at', 'is', null).executeTakeFirst();
      return row ? toTrigger(row) : null;
    },

    async triggers({ first, after }) {
      let query = triggers()
        .where('deleted_at', 'is', null)
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(first + 1);
      if (after !== null) query = query.where(olderThan('triggers', projectId, after));
      return toPage(await query.execute(), first, toTrigger);
    },

    async triggerEvaluationsById(ids) {
      if (ids.length === 0) return [];
      return (
        await evaluations()
          .where('id', 'in', [...ids])
          .execute()
      ).map(toEvaluation);
    },

    async triggerEvaluations({ first, after }, { triggerId, verdicts }) {
      let query = evaluations()
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(first + 1);
      if (after !== null) query = query.where(olderThan('trigger_evaluations', projectId, after));
      if (triggerId) query = query.where('trigger_id', '=', triggerId);
      if (verdicts) query = query.where('verdict', 'in', verdicts.length ? [...verdicts] : [null]);
      return toPage(await query.execute(), first, toEvaluation);
    },

    async evaluationsOfRuns(runIds) {
      if (runIds.length === 0) return [];
      return (
        await evaluations()
          .where('launched_run_id', 'in', [...runIds])
          .execute()
      ).map(toEvaluation);
    },

    async triggerUsage(triggerId, rateSeconds) {
      const { rows } = await sql<TriggerUsage>`
        with own as (
          select launched_run_id, measuring_run_id from trigger_evaluations
          where project_id = ${projectId} and trigger_id = ${triggerId}
            and (launched_run_id is not null or measuring_run_id is not null)
        )
        select
          (select extract(epoch from clock_timestamp() - max(ended_at))::float8 from trigger_evaluations
            where project_id = ${projectId} and trigger_id = ${triggerId} and verdict = 'FIRED') as "firedSecondsAgo",
          (select count(*)::int from trigger_evaluations
            where project_id = ${projectId} and trigger_id = ${triggerId} and verdict = 'FIRED'
              and ended_at > clock_timestamp() - ${rateSeconds} * interval '1 second') as fired,
          (select count(*)::int from runs r where r.project_id = ${projectId} and r.state in ('QUEUED', 'RUNNING', 'STOPPING')
            and r.id in (select launched_run_id from own)) as "inFlight",
          ${spentBy(sql`select launched_run_id from own union all select measuring_run_id from own`)} as "spentUsd"
      `.execute(db);
      return rows[0]!;
    },

    async hoursSince(of) {
      const { rows } = await sql<{ hours: number | null }>`
        select extract(epoch from clock_timestamp() - (${sinceOf(of)}))::float8 / 3600 as hours`.execute(db);
      return rows[0]!.hours;
    },

    async countTriggers() {
      const row = await db
        .selectFrom('triggers')
        .where('project_id', '=', projectId)
        .where('deleted_at', 'is', null)
        .select(({ fn }) => fn.countAll<number>().as('n'))
        .executeTakeFirstOrThrow();
      return Number(row.n);
    },

    async createTrigger({ id, name, definition, nextDueAt, by }) {
      const row = await db
        .insertInto('triggers')
        .values({
          ...{ id, project_id: projectId, name, version: 1, definition: json(definition) },
          ...{ changed_by: by, next_due_at: nextDueAt },
        })
        .onConflict((conflict) => conflict.columns(['project_id', 'name']).where('deleted_at', 'is', null).doNothing())
        .returningAll()
        .executeTakeFirst();
      return row ? toTrigger(row) : null;
    },

    updateTrigger: ({ id, name, definition, nextDueAt, by, after }) =>
      db.transaction().execute(async (tx) => {
        const before = await tx
          .selectFrom('triggers')
          .where('project_id', '=', projectId)
          .where('id', '=', id)
          .where('version', '=', after)
          .where('deleted_at', 'is', null)
          .selectAll()
          .forUpdate()
          .executeTakeFirst();
        if (!before) return null;
        const taken = await tx
          .selectFrom('triggers')
          .where('project_id', '=', projectId)
          .where('name', '=', name)
          .where('deleted_at', 'is', null)
          .where('id', '!=', id)
          .select('id')
          .executeTakeFirst();
        if (taken) return null;
        await tx
          .insertInto('trigger_versions')
          .values({
            ...{ trigger_id: id, number: before.version, definition: json(before.definition) },
            ...{ changed_by: before.changed_by, changed_at: before.changed_at },
          })
          .execute();
        await endPending(tx, id, changedBy(by));
        const row = await tx
          .updateTable('triggers')
          .where('id', '=', id)
          .set({
            ...{ name, definition: json(definition), version: after + 1, next_due_at: nextDueAt },
            ...{ changed_by: by, changed_at: NOW },
          })
          .returningAll()
          .executeTakeFirstOrThrow();
        return toTrigger(row);
      }),

    async setTriggerState(id, state, because) {
      const row = await there()
        .where('id', '=', id)
        .set({ state, paused_because: because })
        .returningAll()
        .executeTakeFirst();
      return row ? toTrigger(row) : null;
    },

    deleteTrigger: (id) =>
      db.transaction().execute(async (tx) => {
        const row = await tx
          .updateTable('triggers')
          .where('project_id', '=', projectId)
          .where('id', '=', id)
          .where('deleted_at', 'is', null)
          .set({ deleted_at: NOW, next_due_at: null })
          .returning('id')
          .executeTakeFirst();
        if (row) await endPending(tx, id, DELETED);
        return row !== undefined;
      }),

    requestEvaluation: (triggerId, key, event, by) =>
      db.transaction().execute(async (tx) => {
        const payload = { ...event, key, by };
        await insertProjectEvent(tx, projectId, { type: 'trigger.requested', subject: triggerId, payload });
      }),
  };

  function sinceOf(of: SinceRequest) {
    if (of.what === 'PROMOTED') {
      return sql`select max(promoted_at) from alias_versions where project_id = ${projectId} and alias = ${of.alias}`;
    }
    return sql`select max(r.ended_at) from runs r join dataset_versions v on v.id = r.dataset_version_id
      where r.project_id = ${projectId} and r.state = 'SUCCEEDED' and r.recipe ->> 'kind' is distinct from 'DRIFT'
        and (${of.datasetId}::text is null or v.dataset_id = ${of.datasetId})`;
  }
}
