import { type Kysely, sql } from 'kysely';
import { type TriggerReads, type TriggerWrites } from '../../control/ports.ts';
import { type Database, type EventSecret, json } from './schema.ts';
import { NOW, toEventSource, validSecrets } from './trigger-rows.ts';

type SourceQueries = Pick<TriggerReads, 'eventSourcesById' | 'eventSources'> &
  Pick<TriggerWrites, 'countEventSources' | 'createEventSource' | 'rotateEventSource' | 'revokeEventSource'>;

export function eventSourceQueries(db: Kysely<Database>, projectId: string): SourceQueries {
  const sources = () => db.selectFrom('event_sources').where('project_id', '=', projectId).selectAll();

  return {
    async eventSourcesById(ids) {
      if (ids.length === 0) return [];
      return (
        await sources()
          .where('id', 'in', [...ids])
          .execute()
      ).map(toEventSource);
    },

    eventSources: async () => (await sources().orderBy('name').execute()).map(toEventSource),

    async countEventSources() {
      const { rows } = await sql<{ n: number }>`
        select count(*)::int n from event_sources where project_id = ${projectId} and revoked_at is null`.execute(db);
      return rows[0]!.n;
    },

    async createEventSource(id, name, secret, by) {
      const row = await db
        .insertInto('event_sources')
        .values({ id, project_id: projectId, name, secrets: json([secretOf(secret)]), created_by: by })
        .onConflict((conflict) => conflict.columns(['project_id', 'name']).doNothing())
        .returningAll()
        .executeTakeFirst();
      return row ? toEventSource(row) : null;
    },

    rotateEventSource: (id, secret, keepMs) =>
      db.transaction().execute(async (tx) => {
        const row = await tx
          .selectFrom('event_sources')
          .where('project_id', '=', projectId)
          .where('id', '=', id)
          .where('revoked_at', 'is', null)
          .selectAll()
          .forUpdate()
          .executeTakeFirst();
        if (!row) return null;
        const [newest] = validSecrets(row);
        const expiresAt = new Date(Date.now() + keepMs).toISOString();
        const secrets = [secretOf(secret), ...(newest && keepMs > 0 ? [{ ...newest, expiresAt }] : [])];
        const changed = await tx
          .updateTable('event_sources')
          .where('id', '=', id)
          .set({ secrets: json(secrets) })
          .returningAll()
          .executeTakeFirstOrThrow();
        return toEventSource(changed);
      }),

    async revokeEventSource(id) {
      const row = await db
        .updateTable('event_sources')
        .where('project_id', '=', projectId)
        .where('id', '=', id)
        .set({ revoked_at: sql<Date>`coalesce(revoked_at, ${NOW})`, secrets: json([]) })
        .returningAll()
        .executeTakeFirst();
      return row ? toEventSource(row) : null;
    },
  };
}

const secretOf = (secret: string): EventSecret => ({ secret, createdAt: new Date().toISOString(), expiresAt: null });
