import { type Kysely, type Selectable, sql, type Updateable } from 'kysely';
import { newId } from '../../base/ids.ts';
import {
  type WebhookDeliveryView,
  type WebhookReads,
  type WebhookSettings,
  type WebhookView,
  type WebhookWrites,
} from '../../control/ports.ts';
import { olderThan, toPage } from './catalog-paging.ts';
import { type Database, json, text, type WebhookDeliveries, type Webhooks } from './schema.ts';
import { toEvent, validSecrets } from './webhooks.ts';

export function webhookQueries(db: Kysely<Database>, projectId: string): WebhookReads & WebhookWrites {
  const webhooks = () => db.selectFrom('webhooks').where('project_id', '=', projectId).selectAll();
  const deliveries = () => db.selectFrom('webhook_deliveries').where('project_id', '=', projectId).selectAll();
  const changed = async (id: string, values: Updateable<Webhooks>) => {
    const row = await db
      .updateTable('webhooks')
      .where('project_id', '=', projectId)
      .where('id', '=', id)
      .set(values)
      .returningAll()
      .executeTakeFirst();
    return row ? toWebhook(row) : null;
  };
  const again = () =>
    db
      .updateTable('webhook_deliveries')
      .where('project_id', '=', projectId)
      .set({ state: 'PENDING', failures: 0, next_try_at: sql<Date>`clock_timestamp()`, ended_at: null });

  return {
    async webhooksById(ids) {
      if (ids.length === 0) return [];
      const rows = await webhooks()
        .where('id', '=', sql<string>`any(${[...ids]})`)
        .execute();
      return rows.map(toWebhook);
    },

    async webhooks({ first, after }) {
      let query = webhooks()
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(first + 1);
      if (after !== null) query = query.where(olderThan('webhooks', projectId, after));
      return toPage(await query.execute(), first, toWebhook);
    },

    async webhookDeliveriesById(ids) {
      if (ids.length === 0) return [];
      const rows = await deliveries()
        .where('id', '=', sql<string>`any(${[...ids]})`)
        .execute();
      return rows.map(toDelivery);
    },

    async webhookDeliveries({ first, after }, { webhookId, states, types, runId }) {
      let query = deliveries()
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(first + 1);
      if (webhookId !== undefined) query = query.where('webhook_id', '=', webhookId);
      if (states) query = query.where('state', '=', sql<'DEAD'>`any(${[...states]})`);
      if (types) query = query.where('type', '=', sql<string>`any(${[...types]})`);
      if (runId !== undefined) query = query.where('run_id', '=', runId);
      if (after !== null) query = query.where(olderThan('webhook_deliveries', projectId, after));
      return toPage(await query.execute(), first, toDelivery);
    },

    async triesOfDeliveries(ids) {
      if (ids.length === 0) return [];
      const rows = await db
        .selectFrom('webhook_tries as t')
        .innerJoin('webhook_deliveries as d', 'd.id', 't.delivery_id')
        .where('d.project_id', '=', projectId)
        .where('d.id', '=', sql<string>`any(${[...ids]})`)
        .selectAll('t')
        .orderBy('t.number')
        .execute();
      return rows.map((row) => ({
        ...{ deliveryId: row.delivery_id, number: row.number, at: row.at, ms: row.ms, status: row.status },
        ...{ error: row.error, requestHeaders: row.request_headers, requestBody: row.request_body },
        ...{ responseHeaders: row.response_headers, responseBody: row.response_body },
      }));
    },

    async countWebhooks() {
      const { count } = await db
        .selectFrom('webhooks')
        .where('project_id', '=', projectId)
        .select(({ fn }) => fn.countAll<number>().as('count'))
        .executeTakeFirstOrThrow();
      return count;
    },

    async createWebhook(id, settings, secret, by) {
      const row = await db
        .insertInto('webhooks')
        .values({
          ...{ id, project_id: projectId, url: settings.url, description: text(settings.description) },
          ...{ types: settings.types, aliases: settings.aliases, dataset_ids: settings.datasetIds },
          ...{ template: settings.template === null ? null : json(settings.template), headers: json(settings.headers) },
          secrets: json([{ secret, createdAt: new Date(), expiresAt: null }]),
          created_by: by,
        })
        .returningAll()
        .executeTakeFirstOrThrow();
      return toWebhook(row);
    },

    updateWebhook: async (id, changes) => {
      const values = columnsOf(changes);
      if (Object.keys(values).length > 0) return await changed(id, values);
      const row = await webhooks().where('id', '=', id).executeTakeFirst();
      return row ? toWebhook(row) : null;
    },

    async deleteWebhook(id) {
      const { numDeletedRows } = await db
        .deleteFrom('webhooks')
        .where('project_id', '=', projectId)
        .where('id', '=', id)
        .executeTakeFirstOrThrow();
      return numDeletedRows > 0n;
    },

    setWebhookState: (id, state, because) =>
      changed(id, { state, disabled_because: because === null ? null : text(because) }),

    rotateWebhookSecret: (id, secret, keepMs) =>
      db.transaction().execute(async (tx) => {
        const row = await tx
          .selectFrom('webhooks')
          .where('project_id', '=', projectId)
          .where('id', '=', id)
          .select('secrets')
          .select(sql<Date>`clock_timestamp()`.as('now'))
          .forUpdate()
          .executeTakeFirst();
        if (!row) return null;
        const [current] = row.secrets;
        const old = { ...current!, expiresAt: new Date(row.now.getTime() + keepMs) };
        const secrets = [{ secret, createdAt: row.now, expiresAt: null }, ...(keepMs > 0 ? [old] : [])];
        const written = await tx
          .updateTable('webhooks')
          .where('id', '=', id)
          .set({ secrets: json(secrets) })
          .returningAll()
          .executeTakeFirstOrThrow();
        return toWebhook(written);
      }),

    async addTestDelivery(webhookId, event) {
      const row = await db
        .insertInto('webhook_deliveries')
        .values({
          ...{ id: newId('msg'), project_id: projectId, webhook_id: webhookId, key: event.id, event_id: event.id },
          ...{ type: event.type, run_id: event.runId, event: json(event) },
        })
        .returningAll()
        .executeTakeFirstOrThrow();
      return toDelivery(row);
    },

    async redeliver(id) {
      const row = await again().where('id', '=', id).returningAll().executeTakeFirst();
      return row ? toDelivery(row) : null;
    },

    async redeliverSince(webhookId, since, states) {
      const { numUpdatedRows } = await again()
        .where('webhook_id', '=', webhookId)
        .where('created_at', '>=', since)
        .where('state', '=', sql<'DEAD'>`any(${[...states]})`)
        .executeTakeFirstOrThrow();
      return Number(numUpdatedRows);
    },
  };
}

function columnsOf(changes: Partial<WebhookSettings>): Updateable<Webhooks> {
  const { url, description, types, aliases, datasetIds, template, headers } = changes;
  return {
    ...(url !== undefined && { url }),
    ...(description !== undefined && { description: text(description) }),
    ...(types !== undefined && { types }),
    ...(aliases !== undefined && { aliases }),
    ...(datasetIds !== undefined && { dataset_ids: datasetIds }),
    ...(template !== undefined && { template: template === null ? null : json(template) }),
    ...(headers !== undefined && { headers: json(headers) }),
  };
}

const toWebhook = (row: Selectable<Webhooks>): WebhookView => ({
  ...{ id: row.id, url: row.url, description: row.description, types: row.types, aliases: row.aliases },
  ...{ datasetIds: row.dataset_ids, template: row.template, headerNames: Object.keys(row.headers).sort() },
  ...{ state: row.state, disabledBecause: row.disabled_because, createdBy: row.created_by, createdAt: row.created_at },
  secrets: validSecrets(row.secrets, new Date()).map(({ createdAt, expiresAt }) => ({
    createdAt: new Date(createdAt),
    expiresAt: expiresAt === null ? null : new Date(expiresAt),
  })),
});

const toDelivery = (row: Selectable<WebhookDeliveries>): WebhookDeliveryView => ({
  ...{ id: row.id, webhookId: row.webhook_id, event: toEvent(row.event), state: row.state, tries: row.tries },
  nextTryAt: row.state === 'PENDING' ? row.next_try_at : null,
  ...{ createdAt: row.created_at, endedAt: row.ended_at, error: row.error },
});
