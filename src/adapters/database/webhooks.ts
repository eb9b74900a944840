import { type Kysely, type Selectable, sql } from 'kysely';
import { type DueDelivery, type ToldEvent, type WebhookStore } from '../../control/ports.ts';
import { claimWebhooks } from './claim.ts';
import { namingOutages } from './outages.ts';
import { type Database, json, text, type WebhookDeliveries, type Webhooks } from './schema.ts';

/**
 * The rows of deliveries are their own queue, under one claim. Rejected: pg-boss 12.38.0 with `key_strict_fifo`. It fetched and completed
 * 136 a second of 10,000 jobs with as many keys, in batches of 200 (two cores, embedded Postgres); a key whose job failed for good stayed blocked;
 * `fail` takes no delay and `update` no active job, so Retry-After cannot be honoured; and what a killed service had taken waits until it expires.
 */
export function createWebhookStore({ db, url }: { db: Kysely<Database>; url: string }): WebhookStore {
  return namingOutages(plainStore(db, url));
}

function plainStore(db: Kysely<Database>, url: string): WebhookStore {
  return {
    claim: () => claimWebhooks(url),

    async subscriptions(projectIds) {
      const rows = await db
        .selectFrom('webhooks')
        .where('project_id', '=', sql<string>`any(${[...projectIds]})`)
        .where('state', '=', 'ENABLED')
        .select(['id', 'project_id', 'types', 'aliases', 'dataset_ids', 'created_at'])
        .orderBy('id')
        .execute();
      return rows.map((row) => ({
        ...{ id: row.id, projectId: row.project_id, types: row.types },
        ...{ aliases: row.aliases, datasetIds: row.dataset_ids, createdAt: row.created_at },
      }));
    },

    async add(deliveries) {
      if (deliveries.length === 0) return;
      // An endpoint that was deleted meanwhile has none.
      await sql`
        insert into webhook_deliveries (id, project_id, webhook_id, key, event_id, type, run_id, event)
        select v.id, v."projectId", w.id, v.key, v.event->>'id', v.event->>'type', v.event->>'runId', v.event
        from rows from (
          jsonb_to_recordset(${json(deliveries)}::jsonb) as (id text, "projectId" text, "webhookId" text, key text, event jsonb)
        ) with ordinality as v(id, "projectId", "webhookId", key, event, n)
          join webhooks w on w.id = v."webhookId"
        order by v.n
        on conflict (webhook_id, event_id) do nothing`.execute(db);
    },

    async due({ deliveryIds, webhookIds }, first) {
      const rows = await db.transaction().execute(async (tx) => {
        // In the order of the index it ends with the page; planned without statistics, all that waits is looked up and sorted first.
        await sql`set local enable_sort = off; set local enable_bitmapscan = off`.execute(tx);
        return await tx
          .selectFrom('webhooks as w')
          .innerJoinLateral(
            (of) =>
              of
                .selectFrom('webhook_deliveries as d')
                .whereRef('d.webhook_id', '=', 'w.id')
                .where('d.state', '=', 'PENDING')
                .where('d.next_try_at', '<=', sql<Date>`clock_timestamp()`)
                .where(sql<boolean>`d.id <> all(${[...deliveryIds]}::text[])`)
                // As one look-up for each row: as an anti-join it is planned over all that waits.
                .where(
                  ({ selectFrom }) =>
                    sql<boolean>`d.position = ${selectFrom('webhook_deliveries as ahead')
                      .whereRef('ahead.webhook_id', '=', 'd.webhook_id')
                      .whereRef('ahead.key', '=', 'd.key')
                      .where('ahead.state', '=', 'PENDING')
                      .select('ahead.position')
                      .orderBy('ahead.position')
                      .limit(1)}`,
                )
                .select(['d.id as delivery_id', 'd.event', 'd.tries', 'd.failures'])
                .orderBy('d.next_try_at')
                .orderBy('d.position')
                .limit(first)
                .as('due'),
            (join) => join.onTrue(),
          )
          .where('w.state', '=', 'ENABLED')
          .where(sql<boolean>`w.id <> all(${[...webhookIds]}::text[])`)
          .select(['w.id', 'w.project_id', 'w.url', 'w.headers', 'w.secrets', 'w.template'])
          .select(sql<Date>`clock_timestamp()`.as('now'))
          .select(['due.delivery_id', 'due.event', 'due.tries', 'due.failures'])
          .execute();
      });
      return rows.map((row): DueDelivery => ({
        ...{ id: row.delivery_id, projectId: row.project_id, webhookId: row.id, event: toEvent(row.event) },
        ...{ tries: row.tries, failures: row.failures, url: row.url, headers: row.headers, template: row.template },
        secrets: validSecrets(row.secrets, row.now).map(({ secret }) => secret),
      }));
    },

    async record(tried) {
      if (tried.length === 0) return;
      // Without the bodies, which take longest to read.
      const ends = tried.map(({ id, webhookId, tried: { number, error }, then }) => ({
        ...{ id, webhookId, number, error, state: then.state, afterMs: then.state === 'PENDING' ? then.afterMs : 0 },
        disable: then.state === 'DEAD' ? then.disable : null,
      }));
      const values = sql`jsonb_to_recordset(${json(ends)}::jsonb) as v(
        id text, "webhookId" text, number integer, error text, state text, "afterMs" float8, disable text
      )`;
      const log = tried.map(({ id, tried: one }) => ({
        ...{ ...one, id, requestBody: text(one.requestBody), responseBody: one.responseBody && text(one.responseBody) },
      }));
      await db.transaction().execute(async (tx) => {
        // What is told twice, or late, of a delivery that another service went on with is passed over.
        await sql`
          update webhook_deliveries d set
            state = v.state,
            tries = v.number,
            failures = d.failures + (v.state <> 'DELIVERED')::int,
            error = v.error,
            next_try_at = clock_timestamp() + v."afterMs" * interval '1 ms',
            ended_at = case when v.state <> 'PENDING' then clock_timestamp() end
          from ${values} where d.id = v.id and d.tries = v.number - 1`.execute(tx);
        await sql`
          insert into webhook_tries (
            delivery_id, number, at, ms, status, error, request_headers, request_body, response_headers, response_body
          )
          select v.id, v.number, v.at, v.ms, v.status, v.error, v."requestHeaders", v."requestBody",
            v."responseHeaders", v."responseBody"
          from jsonb_to_recordset(${json(log)}::jsonb) as v(
            id text, number integer, at timestamptz, ms float8, status integer, error text,
            "requestHeaders" jsonb, "requestBody" text, "responseHeaders" jsonb, "responseBody" text
          ) join webhook_deliveries d on d.id = v.id
          on conflict do nothing`.execute(tx);
        if (ends.some(({ disable }) => disable !== null)) {
          await sql`
            update webhooks w set state = 'DISABLED', disabled_because = v.disable
            from ${values} where w.id = v."webhookId" and v.disable is not null and w.state = 'ENABLED'`.execute(tx);
        }
      });
    },

    async prune(afterDays) {
      const { numDeletedRows } = await db
        .deleteFrom('webhook_deliveries')
        .where('ended_at', '<', sql<Date>`clock_timestamp() - ${afterDays} * interval '1 day'`)
        .executeTakeFirstOrThrow();
      return Number(numDeletedRows);
    },
  };
}

export const toEvent = (event: Selectable<WebhookDeliveries>['event']): ToldEvent => ({
  ...event,
  at: new Date(event.at),
});

export function validSecrets(secrets: Selectable<Webhooks>['secrets'], now: Date) {
  return secrets.filter(({ expiresAt }) => expiresAt === null || new Date(expiresAt) > now);
}
