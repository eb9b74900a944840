import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { invalid, notFound } from '../base/errors.ts';
import { type ApiClient, type Refusal, refuse } from './client.ts';
import { table } from './table.ts';

interface Webhook {
  id: string;
  url: string;
  description: string;
  types: string[];
  aliases: string[] | null;
  datasetIds: string[] | null;
  template: unknown;
  headerNames: string[];
  state: string;
  disabledBecause: string | null;
  secrets: { createdAt: string; expiresAt: string | null }[];
}

interface Delivery {
  id: string;
  webhook: { id: string; url: string } | null;
  eventId: string;
  type: string;
  subject: string;
  state: string;
  tries: number;
  nextTryAt: string | null;
  error: string | null;
  createdAt: string;
}

interface Try {
  number: number;
  at: string;
  ms: number;
  status: number | null;
  error: string | null;
  requestBody: string;
  responseBody: string | null;
}

export interface EndpointOptions {
  on?: string[];
  alias?: string[];
  dataset?: string[];
  description?: string;
  template?: string;
  header: Record<string, string>;
}

const MORE = 'There are more than 100; ask the API for the others.';

export async function listWebhooks(client: ApiClient): Promise<void> {
  const { webhooks } = await client.send<{ webhooks: { nodes: Webhook[]; pageInfo: { hasNextPage: boolean } } }>(
    'Webhooks',
    { first: 100 },
  );
  if (webhooks.nodes.length === 0) {
    return console.log('No webhooks yet. `pushforward webhooks add URL --on run.succeeded` makes one.');
  }
  const rows = webhooks.nodes.map(({ id, url, types, state, description }) => [
    ...[id, state, types.join(', '), url, description],
  ]);
  console.log(table(['webhook', 'state', 'told of', 'url', ''], rows));
  if (webhooks.pageInfo.hasNextPage) console.log(MORE);
}

export async function showWebhook(client: ApiClient, id: string): Promise<void> {
  const { webhook } = await client.send<{ webhook: Webhook | null }>('Webhook', { id });
  if (!webhook) throw notFound('webhook', id);
  const only = [
    ...(webhook.aliases ? [`aliases ${webhook.aliases.join(', ')}`] : []),
    ...(webhook.datasetIds ? [`datasets ${webhook.datasetIds.join(', ')}`] : []),
  ];
  console.log(`${webhook.id}  ${webhook.url}${webhook.description === '' ? '' : `  (${webhook.description})`}`);
  console.log(`State    ${webhook.state}${webhook.disabledBecause === null ? '' : `: ${webhook.disabledBecause}`}`);
  console.log(`Told of  ${webhook.types.join(', ')}${only.length > 0 ? `; only ${only.join(' and ')}` : ''}`);
  if (webhook.headerNames.length > 0) console.log(`Headers  ${webhook.headerNames.join(', ')}`);
  for (const { createdAt, expiresAt } of webhook.secrets) {
    console.log(`Secret   of ${createdAt}${expiresAt === null ? '' : `, valid until ${expiresAt}`}`);
  }
  if (webhook.template !== null) console.log(`Template ${JSON.stringify(webhook.template, null, 2)}`);
}

export async function addWebhook(client: ApiClient, url: string, options: EndpointOptions): Promise<void> {
  if (!options.on) throw invalid('expected --on with types of events such as run.succeeded, got none: see --help');
  const input = { url, ...(await changesOf(options)) };
  const { createWebhook: answer } = await client.send<{
    createWebhook: Refusal & { webhook: Webhook; secret: string };
  }>('CreateWebhook', { input });
  refuse(answer);
  console.log(`${answer.webhook.id} is told of ${answer.webhook.types.join(', ')}.`);
  console.log(`Its secret, which is shown this once: ${answer.secret}`);
}

export async function setWebhook(
  client: ApiClient,
  id: string,
  { url, ...options }: EndpointOptions & { url?: string },
): Promise<void> {
  const changes = { ...(url !== undefined && { url }), ...(await changesOf(options)) };
  const { updateWebhook: answer } = await client.send<{ updateWebhook: Refusal }>('UpdateWebhook', { id, changes });
  refuse(answer);
  await showWebhook(client, id);
}

async function changesOf({ on, alias, dataset, description, template, header }: EndpointOptions) {
  const headers = Object.entries(header).map(([name, value]) => ({ name, value }));
  return {
    ...(on && { types: on }),
    ...(alias && { aliases: alias }),
    ...(dataset && { datasetIds: dataset }),
    ...(description !== undefined && { description }),
    ...(template !== undefined && { template: template === '' ? null : await readTemplate(template) }),
    ...(headers.length > 0 && { headers }),
  };
}

async function readTemplate(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    throw invalid(`expected ${path} to be a file of JSON, got ${(error as Error).message}: correct it`);
  }
}

export async function removeWebhook(client: ApiClient, id: string): Promise<void> {
  const { deleteWebhook } = await client.send<{ deleteWebhook: Refusal }>('DeleteWebhook', { id });
  refuse(deleteWebhook);
  console.log(`${id} is gone, with its deliveries.`);
}

export async function enableWebhook(client: ApiClient, id: string): Promise<void> {
  const { enableWebhook: answer } = await client.send<{ enableWebhook: Refusal }>('EnableWebhook', { id });
  refuse(answer);
  console.log(`${id} is told again, of what waited first.`);
}

export async function disableWebhook(client: ApiClient, id: string, reason?: string): Promise<void> {
  const { disableWebhook: answer } = await client.send<{ disableWebhook: Refusal }>('DisableWebhook', { id, reason });
  refuse(answer);
  console.log(`${id} is told nothing until it is enabled.`);
}

export async function rotateWebhook(client: ApiClient, id: string, keepHours: number): Promise<void> {
  const { rotateWebhookSecret: answer } = await client.send<{ rotateWebhookSecret: Refusal & { secret: string } }>(
    'RotateWebhookSecret',
    { id, keepHours },
  );
  refuse(answer);
  console.log(`The new secret of ${id}, which is shown this once: ${answer.secret}`);
  console.log(keepHours > 0 ? `The old one is valid for ${keepHours} h more.` : 'The old one is valid no more.');
}

export async function testWebhook(client: ApiClient, id: string): Promise<void> {
  const { testWebhook: answer } = await client.send<{ testWebhook: Refusal & { delivery: { id: string } } }>(
    'TestWebhook',
    { id },
  );
  refuse(answer);
  await awaitTry(client, answer.delivery.id, 0);
}

export async function redeliver(client: ApiClient, id: string): Promise<void> {
  const before = await readDelivery(client, id);
  const { redeliverWebhook: answer } = await client.send<{ redeliverWebhook: Refusal }>('RedeliverWebhook', {
    deliveryId: id,
  });
  refuse(answer);
  await awaitTry(client, id, before.tries);
}

/** Tells what came of the next try. */
async function awaitTry(client: ApiClient, id: string, tries: number): Promise<void> {
  for (;;) {
    const found = await readDelivery(client, id);
    const last = found.log.at(-1);
    if (found.tries > tries && last) {
      const said = last.error ?? `${last.status} after ${Math.round(last.ms)} ms`;
      console.log(`${found.state === 'DELIVERED' ? 'Delivered' : 'Not delivered'}: ${said}`);
      if (found.nextTryAt !== null) console.log(`It is tried again at ${found.nextTryAt}.`);
      return;
    }
    await sleep(200);
  }
}

async function readDelivery(client: ApiClient, id: string): Promise<Delivery & { log: Try[] }> {
  const { webhookDelivery } = await client.send<{ webhookDelivery: (Delivery & { log: Try[] }) | null }>(
    'WebhookDelivery',
    { id },
  );
  if (!webhookDelivery) throw notFound('delivery', id);
  return webhookDelivery;
}

export async function redeliverSince(
  client: ApiClient,
  id: string,
  { since, all }: { since: string; all?: boolean },
): Promise<void> {
  const { redeliverWebhooks: answer } = await client.send<{ redeliverWebhooks: Refusal & { count: number } }>(
    'RedeliverWebhooks',
    { id, since, states: all ? ['DEAD', 'DELIVERED'] : ['DEAD'] },
  );
  refuse(answer);
  console.log(`${answer.count} ${answer.count === 1 ? 'delivery goes' : 'deliveries go'} again.`);
}

export async function listDeliveries(
  client: ApiClient,
  { webhook, state, run }: { webhook?: string; state?: string[]; run?: string },
): Promise<void> {
  const filter = {
    ...(webhook !== undefined && { webhookId: webhook }),
    ...(state && { states: state.map((one) => one.toUpperCase()) }),
    ...(run !== undefined && { runId: run }),
  };
  const { webhookDeliveries } = await client.send<{
    webhookDeliveries: { nodes: Delivery[]; pageInfo: { hasNextPage: boolean } };
  }>('WebhookDeliveries', { first: 100, filter });
  if (webhookDeliveries.nodes.length === 0) return console.log('No such deliveries.');
  const rows = webhookDeliveries.nodes.map((one) => [
    ...[one.id, one.state, String(one.tries), one.type, one.subject, one.createdAt, one.error ?? ''],
  ]);
  console.log(table(['delivery', 'state', 'tries', 'event', 'of', 'since', ''], rows));
  if (webhookDeliveries.pageInfo.hasNextPage) console.log(MORE);
}

export async function showDelivery(client: ApiClient, id: string): Promise<void> {
  const found = await readDelivery(client, id);
  console.log(`${found.id}  ${found.type} ${found.eventId}  to ${found.webhook?.url ?? 'nobody any more'}`);
  console.log(`${found.state}${found.nextTryAt === null ? '' : `, next try at ${found.nextTryAt}`}`);
  for (const { number, at, ms, status, error, requestBody, responseBody } of found.log) {
    console.log(`\nTry ${number} at ${at}, ${Math.round(ms)} ms: ${error ?? status}`);
    console.log(`  sent      ${requestBody}`);
    if (responseBody !== null && responseBody !== '') console.log(`  answered  ${responseBody}`);
  }
}

export async function previewWebhook(client: ApiClient, type: string, path?: string): Promise<void> {
  const template = path === undefined ? undefined : await readTemplate(path);
  const { webhookPreview } = await client.send<{ webhookPreview: unknown }>('WebhookPreview', { type, template });
  console.log(JSON.stringify(webhookPreview, null, 2));
}
