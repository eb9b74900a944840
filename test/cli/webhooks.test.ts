import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { type ApiClient } from '../../src/cli/client.ts';
import { header } from '../../src/cli/webhook-commands.ts';
import {
  addWebhook,
  listDeliveries,
  listWebhooks,
  redeliver,
  redeliverSince,
  setWebhook,
  showDelivery,
  testWebhook,
} from '../../src/cli/webhooks.ts';

let lines: string[];
let sent: [string, Record<string, unknown>][];
beforeEach(() => {
  [lines, sent] = [[], []];
  vi.spyOn(console, 'log').mockImplementation((text: string) => void lines.push(...text.split('\n')));
});
afterEach(() => vi.restoreAllMocks());

/** Answers with what stands under the name of the operation; of a list, one after another. */
const answering = (answers: Record<string, unknown>): ApiClient =>
  ({
    send(name: string, variables: Record<string, unknown>) {
      sent.push([name, variables]);
      const answer = answers[name];
      return Promise.resolve(Array.isArray(answer) ? (answer.shift() as unknown) : answer);
    },
  }) as unknown as ApiClient;

const WEBHOOK = {
  ...{ id: 'whk_1', url: 'https://example.org/hook', description: 'retrain', types: ['run.succeeded'], aliases: null },
  ...{ datasetIds: null, template: null, headerNames: ['authorization'], state: 'ENABLED', disabledBecause: null },
  secrets: [{ createdAt: '2026-12-01T00:00:00.000Z', expiresAt: null }],
};
const DELIVERY = {
  ...{ id: 'msg_1', webhook: WEBHOOK, eventId: 'run_1/9', type: 'run.succeeded', subject: 'run_1', state: 'PENDING' },
  ...{ tries: 0, nextTryAt: '2026-12-01T00:00:05.000Z', error: null, createdAt: '2026-12-01T00:00:00.000Z', log: [] },
};
const FAILED = {
  ...DELIVERY,
  ...{ tries: 1, error: 'expected 2xx, got 500' },
  log: [
    {
      ...{ number: 1, at: '2026-12-01T00:00:00.000Z', ms: 12.3, status: 500, error: 'expected 2xx, got 500' },
      ...{ requestBody: '{"id":"run_1/9"}', responseBody: 'oh' },
    },
  ],
};
const pageInfo = { hasNextPage: false };

it('lists endpoints, and says how to make the first', async () => {
  await listWebhooks(answering({ Webhooks: { webhooks: { nodes: [], pageInfo } } }));
  expect(lines).toEqual(['No webhooks yet. `pushforward webhooks add URL --on run.succeeded` makes one.']);
  await listWebhooks(answering({ Webhooks: { webhooks: { nodes: [WEBHOOK], pageInfo } } }));
  expect(lines.at(-1)!.replace(/ +/g, ' ')).toBe('whk_1 ENABLED run.succeeded https://example.org/hook retrain');
});

it('makes an endpoint with a template and headers, and shows its secret', async () => {
  const template = join(await mkdtemp(join(tmpdir(), 'pushforward-template-')), 'body.json');
  await writeFile(template, '{"run": "{{data.run.id}}"}');
  const answer = { createWebhook: { __typename: 'CreateWebhookSuccess', webhook: WEBHOOK, secret: 'whsec_abc' } };
  const options = { on: ['run.succeeded'], template, header: header('Authorization: Bearer a:b', {}) };
  await addWebhook(answering({ CreateWebhook: answer }), WEBHOOK.url, options);
  expect(sent[0]).toEqual([
    'CreateWebhook',
    {
      input: {
        ...{ url: WEBHOOK.url, types: ['run.succeeded'], template: { run: '{{data.run.id}}' } },
        headers: [{ name: 'Authorization', value: 'Bearer a:b' }],
      },
    },
  ]);
  expect(lines).toEqual(['whk_1 is told of run.succeeded.', 'Its secret, which is shown this once: whsec_abc']);
  await expect(addWebhook(answering({}), WEBHOOK.url, { header: {} })).rejects.toThrow('expected --on');
  await writeFile(template, '{');
  await expect(addWebhook(answering({}), WEBHOOK.url, options)).rejects.toThrow('a file of JSON');
  expect(() => header('Bearer secret', {})).toThrow('got no colon');
});

it('changes what is named, and takes a template away', async () => {
  const client = answering({ UpdateWebhook: { updateWebhook: {} }, Webhook: { webhook: WEBHOOK } });
  await setWebhook(client, 'whk_1', { url: 'https://example.org/b', alias: ['production'], template: '', header: {} });
  const changes = { url: 'https://example.org/b', aliases: ['production'], template: null };
  expect(sent[0]).toEqual(['UpdateWebhook', { id: 'whk_1', changes }]);
  expect(lines).toContain('Headers  authorization');
});

it('sends a ping and tells what came of it', async () => {
  const reads = [{ webhookDelivery: DELIVERY }, { webhookDelivery: FAILED }];
  const client = answering({ TestWebhook: { testWebhook: { delivery: { id: 'msg_1' } } }, WebhookDelivery: reads });
  await testWebhook(client, 'whk_1');
  expect(lines).toEqual(['Not delivered: expected 2xx, got 500', 'It is tried again at 2026-12-01T00:00:05.000Z.']);
});

it('sends again, one or what is dead', async () => {
  const [last] = FAILED.log;
  const ended = {
    ...FAILED,
    state: 'DELIVERED',
    tries: 2,
    nextTryAt: null,
    log: [last, { ...last, number: 2, status: 204, error: null }],
  };
  const reads = [{ webhookDelivery: FAILED }, { webhookDelivery: FAILED }, { webhookDelivery: ended }];
  await redeliver(answering({ RedeliverWebhook: { redeliverWebhook: {} }, WebhookDelivery: reads }), 'msg_1');
  expect(lines).toEqual(['Delivered: 204 after 12 ms']);
  const since = '2026-12-01T00:00:00Z';
  await redeliverSince(answering({ RedeliverWebhooks: { redeliverWebhooks: { count: 1 } } }), 'whk_1', { since });
  expect(sent.at(-1)![1]).toEqual({ id: 'whk_1', since, states: ['DEAD'] });
  expect(lines.at(-1)).toBe('1 delivery goes again.');
});

it('lists deliveries and every request of one', async () => {
  await listDeliveries(answering({ WebhookDeliveries: { webhookDeliveries: { nodes: [FAILED], pageInfo } } }), {
    ...{ state: ['dead'], run: 'run_1' },
  });
  expect(sent[0]![1]).toEqual({ first: 100, filter: { states: ['DEAD'], runId: 'run_1' } });
  expect(lines.at(-1)!.replace(/ +/g, ' ')).toBe(
    'msg_1 PENDING 1 run.succeeded run_1 2026-12-01T00:00:00.000Z expected 2xx, got 500',
  );
  lines = [];
  await showDelivery(answering({ WebhookDelivery: { webhookDelivery: FAILED } }), 'msg_1');
  expect(lines).toEqual([
    'msg_1  run.succeeded run_1/9  to https://example.org/hook',
    'PENDING, next try at 2026-12-01T00:00:05.000Z',
    '',
    'Try 1 at 2026-12-01T00:00:00.000Z, 12 ms: expected 2xx, got 500',
    '  sent      {"id":"run_1/9"}',
    '  answered  oh',
  ]);
  await expect(showDelivery(answering({ WebhookDelivery: { webhookDelivery: null } }), 'none')).rejects.toThrow('none');
});
