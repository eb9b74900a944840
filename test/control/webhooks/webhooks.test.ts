/** Endpoints over a real database and a real receiver: what happens in a project arrives, whatever the receiver does. */
import { sql } from 'kysely';
import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { newId } from '../../../src/base/ids.ts';
import { type JsonObject } from '../../../src/base/json.ts';
import { silentLog } from '../../../src/base/log.ts';
import { type WebhookSettings } from '../../../src/control/ports.ts';
import { createDeliverer, type Deliverer } from '../../../src/control/webhooks/deliverer.ts';
import { flawsOf } from '../../support/webhook-event.ts';
import { half, hang, startWebhookSink, status, type WebhookSink } from '../../support/webhook-sink.ts';
import { until } from '../../support/until.ts';
import { anyPrior, LOCAL, quantized, readyVersion, reported, startWorld, type World } from '../world.ts';

let world: World;
let receiver: WebhookSink;
let deliverer: Deliverer;
let version: { id: string; datasetId: string };
let priorId: string;
beforeAll(async () => {
  world = await startWorld();
  version = await readyVersion(world, 'letters', [{ name: 'A', images: 90 }]);
  priorId = (await anyPrior(world)).id;
}, 60_000);
afterAll(() => world?.close());
beforeEach(async () => {
  receiver = await startWebhookSink();
  deliverer = startDeliverer();
});
afterEach(async () => {
  await deliverer.close();
  await receiver.close();
  await sql`delete from webhooks`.execute(world.db);
});

function startDeliverer(): Deliverer {
  const log = { ...silentLog, error: () => {} };
  const tuning = { pollMs: 20, claimEveryMs: 20, closeMs: 200 };
  const one = createDeliverer({ ...world.options, clock: systemClock, log }, tuning);
  one.start();
  return one;
}

const webhooks = () => world.control.webhooks;
const rows = () => world.catalog.project(LOCAL.projectId);
const settings = (more: Partial<WebhookSettings> = {}): WebhookSettings => ({
  ...{ url: `${receiver.url}/hook`, description: '', types: ['run.succeeded'], aliases: null, datasetIds: null },
  ...{ template: null, headers: {}, ...more },
});
const endpoint = (more: Partial<WebhookSettings> = {}) => webhooks().create(LOCAL, settings(more));
const deliveriesTo = async (webhookId: string) =>
  (await rows().webhookDeliveries({ first: 100, after: null }, { webhookId })).items;
const bodies = () => receiver.received.map(({ body }) => JSON.parse(body) as JsonObject & { data: JsonObject });

async function launched(): Promise<string> {
  const recipe = { datasetVersionId: version.id, priorId, imagesPerClass: 5, seed: Math.floor(Math.random() * 1e9) };
  return (await world.control.launchRun(LOCAL, { recipe, idempotencyKey: newId('key') })).run.id;
}
/** A run that made a synthetic dataset with a table. */
async function succeeded(): Promise<{ runId: string; artifactId: string }> {
  const runId = await launched();
  await quantized(world, runId, [runId]);
  const { id: artifactId } = await reported(world, runId, runId);
  const table = { sha256: 'ab'.repeat(32), bytes: 12, mediaType: 'application/vnd.apache.parquet' };
  await sql`update artifacts set manifest = jsonb_set(manifest, '{blobs}', ${JSON.stringify({ 'train.parquet': table })}::jsonb)
    where id = ${artifactId}`.execute(world.db);
  await sql`update runs set state = 'SUCCEEDED', ended_at = now() where id = ${runId}`.execute(world.db);
  await world.engine.append(runId, 'run.succeeded');
  return { runId, artifactId };
}
/** What waits for its next try is due now. */
const due = async () => {
  await sql`update webhook_deliveries set next_try_at = clock_timestamp() where state = 'PENDING'`.execute(world.db);
};
const tried = (webhookId: string, tries: number) =>
  until(async () => (await deliveriesTo(webhookId)).find((one) => one.tries === tries));

describe('an endpoint', () => {
  it('is told what a run came to, as the schema has it, signed', async () => {
    const { secret, webhook } = await endpoint({ headers: { Authorization: 'Bearer hidden' } });
    const { runId, artifactId } = await succeeded();
    await until(() => receiver.received.length === 1);
    const [{ headers, body }] = receiver.received as [WebhookSink['received'][number]];
    const event = new Webhook(secret).verify(body, headers) as JsonObject;
    expect(flawsOf(event)).toEqual([]);
    expect(headers['content-type']).toMatch(/^application\/cloudevents\+json/);
    expect(headers['authorization']).toBe('Bearer hidden');
    expect(event).toMatchObject({
      ...{ type: 'pushforward.run.succeeded', source: '/projects/default', subject: runId },
      data: {
        run: { id: runId, state: 'SUCCEEDED', recipe: { imagesPerClass: 5 } },
        dataset: { name: 'letters', version: { id: version.id, images: 90 } },
        metrics: { w2: 2, w2Uniform: 4, reduction: 0.5, images: 5, reductionD4m: null },
        cost: { currency: 'USD', made: 0.002 },
        artifacts: [{ id: artifactId, kind: 'syntheticDataset' }],
        training: { artifactId, name: 'train.parquet', weightsColumn: 'weight' },
        failure: null,
      },
    });
    const [delivery] = await until(async () => {
      const found = await deliveriesTo(webhook.id);
      return found[0]?.state === 'DELIVERED' ? found : null;
    });
    expect(delivery).toMatchObject({ id: headers['webhook-id'], tries: 1, error: null, nextTryAt: null });

    // The log tells all but secrets: neither what was in headers, nor how to fetch what URLs lead to.
    const [log] = await rows().triesOfDeliveries([delivery!.id]);
    expect(log).toMatchObject({ number: 1, status: 200, error: null, responseBody: 'said 200' });
    const { url } = (event['data'] as { training: { url: string } }).training;
    expect(log!.requestBody).toContain(url.split('?')[0]);
    expect(log!.requestBody).not.toContain(url.split('?')[1]);
    expect(JSON.stringify(log)).not.toContain('hidden');
    expect(JSON.stringify(webhook)).not.toContain('hidden');
    expect(JSON.stringify(webhook)).not.toContain(secret);
    expect(webhook.headerNames).toEqual(['authorization']);
  });

  it('is told of imports and promotions, each as the schema has it', async () => {
    await endpoint({ types: ['*'] });
    const { runId, artifactId } = await succeeded();
    await readyVersion(world, 'letters', [{ name: 'A', images: 90 }]);
    world.importer.contents.set(world.folder, new Error('no such folder'));
    await world.control.importDataset(LOCAL, { name: 'broken', path: world.folder, idempotencyKey: newId('key') });
    await world.control.importsIdle();
    const alias = newId('a').replace('_', '-');
    await world.control.promoteArtifact(LOCAL, { alias, artifactId, override: null });
    const failed = await launched();
    await world.engine.end(failed, 'QUEUED', 'FAILED');
    await until(() => receiver.received.length === 5);
    expect(bodies().flatMap(flawsOf)).toEqual([]);
    const byType = Object.fromEntries(bodies().map((body) => [body['type'], body.data]));
    expect(byType).toMatchObject({
      'pushforward.run.succeeded': { run: { id: runId } },
      'pushforward.run.failed': { run: { id: failed, state: 'FAILED' }, artifacts: [], training: null },
      'pushforward.datasetVersion.ready': { datasetVersion: { datasetVersionId: version.id, reused: true } },
      'pushforward.datasetVersion.failed': { datasetVersion: { dataset: 'broken' } },
      'pushforward.alias.promoted': {
        alias: { name: alias, number: 1, artifactId },
        run: { id: runId },
        training: { artifactId },
      },
    });
  });

  it('is told only what it asked for', async () => {
    const none = newId('dataset');
    await sql`insert into datasets (id, project_id, name) values (${none}, 'default', ${none})`.execute(world.db);
    const of = (more: Partial<WebhookSettings>) =>
      endpoint({ types: ['*'], ...more }).then(({ webhook }) => webhook.id);
    const [other, production, same, cancelled] = await Promise.all([
      of({ datasetIds: [none] }),
      of({ aliases: ['production'] }),
      of({ datasetIds: [version.datasetId] }),
      of({ types: ['run.cancelled'] }),
    ]);
    const { runId, artifactId } = await succeeded();
    await world.control.promoteArtifact(LOCAL, { alias: 'staging', artifactId, override: null });
    await world.engine.end(await launched(), 'QUEUED', 'CANCELLED');
    const types = async (id: string) => (await deliveriesTo(id)).map(({ event }) => event.type).sort();
    await until(async () => (await types(same)).length === 3);
    expect(await types(other)).toEqual([]);
    expect(await types(production)).toEqual(['run.cancelled', 'run.succeeded']);
    expect(await types(cancelled)).toEqual(['run.cancelled']);
    const ofRun = await rows().webhookDeliveries({ first: 9, after: null }, { runId, types: ['run.succeeded'] });
    expect(ofRun.items).toHaveLength(2);
  });

  it('gets a body and headers of its own', async () => {
    await endpoint({
      template: { event_type: 'distilled', client_payload: { run: '{{data.run.id}}', url: '{{data.training.url}}' } },
      headers: { 'Content-Type': 'application/vnd.api+json' },
    });
    const { runId } = await succeeded();
    await until(() => receiver.received.length === 1);
    expect(JSON.parse(receiver.received[0]!.body)).toEqual({
      event_type: 'distilled',
      client_payload: { run: runId, url: expect.stringMatching(/^http.*train\.parquet/) as string },
    });
    expect(receiver.received[0]!.headers['content-type']).toBe('application/vnd.api+json');
  });

  it('is tried on request', async () => {
    const { webhook } = await endpoint();
    await webhooks().test(LOCAL, webhook.id);
    await until(() => receiver.received.length === 1);
    expect(flawsOf(bodies()[0])).toEqual([]);
    expect(bodies()[0]).toMatchObject({ type: 'pushforward.ping', data: { ping: { webhookId: webhook.id } } });
  });

  it('has two secrets for a while after a rotation', async () => {
    const { webhook, secret: first } = await endpoint();
    const { secret: second, webhook: rotated } = await webhooks().rotate(LOCAL, webhook.id, 24);
    expect(rotated.secrets).toMatchObject([{ expiresAt: null }, { expiresAt: expect.any(Date) as Date }]);
    await webhooks().test(LOCAL, webhook.id);
    await until(() => receiver.received.length === 1);
    const { body, headers } = receiver.received[0]!;
    for (const secret of [first, second]) new Webhook(secret).verify(body, headers);
    // that of two rotations ago goes at once, and the one before when its time is over
    const { secret: third } = await webhooks().rotate(LOCAL, webhook.id, 1);
    await sql`update webhooks set secrets = jsonb_set(secrets, '{1,expiresAt}', to_jsonb(now() - interval '1 s'))`.execute(
      world.db,
    );
    await webhooks().test(LOCAL, webhook.id);
    await until(() => receiver.received.length === 2);
    const [, last] = receiver.received;
    new Webhook(third).verify(last!.body, last!.headers);
    for (const secret of [first, second])
      expect(() => new Webhook(secret).verify(last!.body, last!.headers)).toThrow('No matching signature');
    await expect(webhooks().rotate(LOCAL, webhook.id, 1000)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});

describe('a delivery', () => {
  it.each([
    ['answers 500', status(500), /got 500/, 500],
    ['answers 400', status(400), /got 400/, 400],
    ['leads elsewhere', status(301, { location: 'http://127.0.0.1/' }), /redirects are not followed/, 301],
    ['breaks off', half, /aborted/, null],
  ])('is tried again where the receiver %s', async (_, answer, error, code) => {
    receiver.sink.answer = answer;
    const { webhook } = await endpoint();
    await succeeded();
    const failed = await tried(webhook.id, 1);
    expect(failed).toMatchObject({ state: 'PENDING', error: expect.stringMatching(error) as string });
    expect(failed.nextTryAt!.getTime()).toBeGreaterThan(Date.now() + 1000);
    receiver.sink.answer = status(204);
    await due();
    await tried(webhook.id, 2);
    const log = await rows().triesOfDeliveries([failed.id]);
    expect(log.map((one) => one.status)).toEqual([code, 204]);
    const [one, two] = receiver.received;
    expect(two!.headers['webhook-id']).toBe(one!.headers['webhook-id']);
  });

  it('waits as long as it is asked to', async () => {
    receiver.sink.answer = status(503, { 'retry-after': '3600' });
    const { webhook } = await endpoint();
    await succeeded();
    const { nextTryAt } = await tried(webhook.id, 1);
    expect(nextTryAt!.getTime()).toBeGreaterThan(Date.now() + 3_500_000);
  });

  it('is dead after 13 tries, and goes again on request', async () => {
    receiver.sink.answer = status(500);
    const { webhook } = await endpoint();
    await succeeded();
    for (let tries = 1; tries <= 13; tries++) {
      await tried(webhook.id, tries);
      await due();
    }
    const [dead] = await deliveriesTo(webhook.id);
    expect(dead).toMatchObject({ state: 'DEAD', tries: 13, nextTryAt: null, endedAt: expect.any(Date) as Date });
    const letters = await rows().webhookDeliveries({ first: 9, after: null }, { states: ['DEAD'] });
    expect(letters.items).toHaveLength(1);

    receiver.sink.answer = status(200);
    expect(await webhooks().redeliver(LOCAL, dead!.id)).toMatchObject({ state: 'PENDING', tries: 13 });
    expect(await tried(webhook.id, 14)).toMatchObject({ state: 'DELIVERED', error: null });
    expect(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    const since = new Date(Date.now() - 60_000);
    expect(await webhooks().redeliverSince(LOCAL, webhook.id, { since, states: ['DEAD'] })).toBe(0);
    expect(await webhooks().redeliverSince(LOCAL, webhook.id, { since, states: ['DEAD', 'DELIVERED'] })).toBe(1);
    await tried(webhook.id, 15);
  });

  it('that is answered 410 disables its endpoint, and what waits goes on once that is enabled', async () => {
    receiver.sink.answer = status(410);
    const { webhook } = await endpoint();
    await succeeded();
    await until(async () => (await rows().webhooksById([webhook.id]))[0]!.state === 'DISABLED');
    expect((await deliveriesTo(webhook.id))[0]).toMatchObject({ state: 'DEAD' });
    expect((await rows().webhooksById([webhook.id]))[0]!.disabledBecause).toMatch(/it answered 410 at 20/);
    await expect(webhooks().test(LOCAL, webhook.id)).rejects.toMatchObject({ code: 'NOT_READY' });
    await expect(webhooks().redeliver(LOCAL, (await deliveriesTo(webhook.id))[0]!.id)).rejects.toMatchObject({
      code: 'NOT_READY',
    });
    receiver.sink.answer = status(200);
    await webhooks().enable(LOCAL, webhook.id);
    await succeeded();
    await until(async () => (await deliveriesTo(webhook.id)).some(({ state }) => state === 'DELIVERED'));
  });

  it('holds up those of its run behind it, and no others', async () => {
    const runId = await launched();
    let away = true;
    receiver.sink.answer = (response, one) => {
      const about = (JSON.parse(one.body) as JsonObject)['subject'];
      status(away && about === runId ? 500 : 200)(response, one);
    };
    const { webhook } = await endpoint({ types: ['run.succeeded', 'run.failed', 'run.cancelled'] });
    await world.engine.append(runId, 'run.failed');
    await world.engine.append(runId, 'run.cancelled', 'run.succeeded');
    await tried(webhook.id, 1);
    const { runId: another } = await succeeded();
    await until(() => bodies().some(({ subject }) => subject === another));
    const of = () => bodies().filter(({ subject }) => subject === runId);
    expect(of().map(({ type }) => type)).toEqual(['pushforward.run.failed']);
    // dead, it holds up nothing
    await sql`update webhook_deliveries set failures = 12 where state = 'PENDING'`.execute(world.db);
    await due();
    away = false;
    await until(() => of().length === 4);
    expect(of().map(({ type }) => type)).toEqual([
      ...['pushforward.run.failed', 'pushforward.run.failed', 'pushforward.run.cancelled', 'pushforward.run.succeeded'],
    ]);
  });

  it('to a receiver that hangs takes no place of others', async () => {
    receiver.sink.answer = (response, one) => (one.path === '/stuck' ? hang : status(200))(response, one);
    const { webhook } = await endpoint({ url: `${receiver.url}/stuck` });
    await endpoint();
    for (let left = 40; left > 0; left--) await world.engine.append(await launched(), 'run.succeeded');
    await until(() => receiver.received.filter(({ path }) => path === '/hook').length === 40);
    // of the one that hangs no more than 32 at once
    expect(receiver.received.filter(({ path }) => path === '/stuck')).toHaveLength(32);
    expect((await deliveriesTo(webhook.id)).every(({ state }) => state === 'PENDING')).toBe(true);
  });

  it('is made once of an event that is fed again, and is sent again by the service after one that was killed', async () => {
    await deliverer.close();
    const { webhook } = await endpoint();
    const { runId } = await succeeded();
    const [waiting] = await until(async () => {
      const found = await deliveriesTo(webhook.id);
      return found.length > 0 ? found : null;
    });
    await world.options.webhooks.add([
      { id: newId('msg'), projectId: 'default', webhookId: webhook.id, key: runId, event: waiting!.event },
    ]);
    expect(await deliveriesTo(webhook.id)).toHaveLength(1);
    deliverer = startDeliverer();
    await until(() => receiver.received.length === 1);
  });
});

describe('the settings of an endpoint', () => {
  it.each([
    ['url', { url: 'https://169.254.169.254/latest' }, /got 169\.254\.169\.254/],
    ['url', { url: 'https://user:word@example.org' }, /set a header instead/],
    ['types', { types: [] }, /got none: name some of run\.succeeded/],
    ['types', { types: ['run.begun'] }, /got run\.begun/],
    ['types', { types: ['*', '*'] }, /got \* twice/],
    ['headers', { headers: { 'Webhook-Id': 'x' } }, /the service sets it/],
    ['headers', { headers: { 'not a name': 'x' } }, /names of headers/],
    ['headers', { headers: { 'x-key': 'a\r\nb: c' } }, /another of x-key/],
    ['template', { template: '{{data.nothing}}' }, /data\.run\.id/],
    ['aliases', { aliases: [] }, /leave it out for all/],
  ])('are refused: %s of %j', async (setting, more, message) => {
    const refused = endpoint(more);
    await expect(refused).rejects.toThrow(message);
    await expect(refused).rejects.toMatchObject({ code: 'INVALID_INPUT', details: { path: [setting] } });
  });

  it('that are named are changed, and no others', async () => {
    const { webhook } = await endpoint({ description: 'before', headers: { 'x-key': '1' } });
    const changed = await webhooks().update(LOCAL, webhook.id, { types: ['*'], aliases: ['production'] });
    expect(changed).toMatchObject({
      types: ['*'],
      aliases: ['production'],
      description: 'before',
      headerNames: ['x-key'],
    });
    expect(await webhooks().update(LOCAL, webhook.id, {})).toEqual(changed);
    await expect(webhooks().update(LOCAL, webhook.id, { template: '{{data.run.id}}' })).rejects.toThrow(
      /datasetVersion/,
    );
    await expect(webhooks().update(LOCAL, webhook.id, { datasetIds: ['none'] })).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await expect(webhooks().update(LOCAL, 'none', {})).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await webhooks().delete(LOCAL, webhook.id);
    await expect(webhooks().delete(LOCAL, webhook.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

it('forgets what ended long ago, and nothing else', async () => {
  receiver.sink.answer = status(500);
  const { webhook } = await endpoint();
  await succeeded();
  await tried(webhook.id, 1);
  receiver.sink.answer = status(200);
  await webhooks().test(LOCAL, webhook.id);
  await until(async () => (await deliveriesTo(webhook.id)).some(({ state }) => state === 'DELIVERED'));
  expect(await world.options.webhooks.prune(30)).toBe(0);
  await sql`update webhook_deliveries set ended_at = ended_at - interval '31 days', created_at = created_at - interval '31 days'`.execute(
    world.db,
  );
  expect(await world.options.webhooks.prune(30)).toBe(1);
  expect(await deliveriesTo(webhook.id)).toMatchObject([{ state: 'PENDING' }]);
});
