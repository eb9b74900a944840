/** CloudEvents from outside, as senders post them. */
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MOST_NESTED } from '../../src/control/triggers/nesting.ts';
import { MAX_EVENT_BYTES } from '../../src/control/triggers/receive.ts';
import { LOCAL } from '../control/world.ts';
import { came, make, notify, source, taken } from '../control/triggers/rules.ts';
import { startTestApi, type TestApi } from './client.ts';

let api: TestApi;
let id: string;
let secret: string;
let trigger: { id: string };
beforeAll(async () => {
  api = await startTestApi();
  const made = await api.control.createEventSource(LOCAL, 'labelling');
  ({ id } = made.eventSource);
  secret = made.secret;
  trigger = await make(api, {
    source: source('EVENT', { eventSourceId: id, eventTypes: ['labels.finished'] }),
    condition: 'event.data.images > 100 && event.subject == "letters"',
    action: notify,
  });
}, 60_000);
afterAll(() => api?.close());

const event = (of: object = {}) => ({
  ...{ specversion: '1.0', id: crypto.randomUUID(), source: '/labelling', type: 'labels.finished' },
  ...{ subject: 'letters', data: { images: 200 }, ...of },
});

/** JSON of so many lists within one another. */
const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);

interface Sent {
  with?: string;
  at?: Date;
  id?: string;
  /** Sent instead of what was signed. */
  instead?: string;
  to?: string;
}

async function send(body: string, of: Sent = {}) {
  const [messageId, at] = [of.id ?? crypto.randomUUID(), of.at ?? new Date()];
  const headers = {
    'content-type': 'application/cloudevents+json',
    'webhook-id': messageId,
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(of.with ?? secret).sign(messageId, at, body),
  };
  const response = await fetch(`${api.url}/api/v1/events/${of.to ?? id}`, {
    method: 'POST',
    headers,
    body: of.instead ?? body,
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const count = async () => {
  await taken(api);
  return (await came(api, trigger, 0)).length;
};

describe('an event', () => {
  it('that is signed is evaluated once, however often it is sent', async () => {
    const one = event();
    expect(await send(JSON.stringify(one))).toEqual({ status: 202, body: { id: one.id, duplicate: false } });
    expect(await send(JSON.stringify(one))).toEqual({ status: 200, body: { id: one.id, duplicate: true } });
    const same = { ...one, data: { images: 900 } };
    expect(await send(JSON.stringify(same))).toMatchObject({ status: 200 });
    expect(await came(api, trigger, 1)).toMatchObject([
      { verdict: 'FIRED', event: { type: 'labels.finished', facts: { source: '/labelling', data: { images: 200 } } } },
    ]);
    await send(JSON.stringify(event({ data: { images: 3 } })));
    await send(JSON.stringify(event({ data: 'many' })));
    await send(JSON.stringify(event({ type: 'labels.begun' })));
    expect((await came(api, trigger, 3)).slice(1)).toMatchObject([
      { verdict: 'NOT_MET', tree: { terms: [{ value: false }, { value: true }] } },
      { verdict: 'NOT_MET', tree: { terms: [{ value: null }, { value: true }] } },
    ]);
    expect(await count()).toBe(3);
  });

  it('that is forged, changed, old, from the future or to another source is refused, without telling why', async () => {
    const before = await count();
    const body = JSON.stringify(event());
    const minutes = (n: number) => new Date(Date.now() + n * 60_000);
    const other = (await api.control.createEventSource(LOCAL, 'other')).eventSource.id;
    const refused = [
      await send(body, { with: 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw' }),
      await send(body, { instead: body.replace('200', '300') }),
      await send(body, { at: minutes(-6) }),
      await send(body, { at: minutes(6) }),
      await send(body, { to: other }),
      await send(body, { to: 'evsrc_none' }),
    ];
    const [{ body: said }] = refused as [(typeof refused)[0]];
    expect(said).toMatchObject({ code: 'UNAUTHENTICATED' });
    for (const one of refused) expect(one).toEqual({ status: 401, body: said });
    const bare = await fetch(`${api.url}/api/v1/events/${id}`, { method: 'POST', body });
    expect(bare.status).toBe(401);
    expect(await count()).toBe(before);
    // four minutes are not too old
    expect(await send(body, { at: minutes(-4) })).toMatchObject({ status: 202 });
  });

  it.each([
    ['no json', 'expected a CloudEvent as JSON'],
    ['[]', 'expected one CloudEvent'],
    [JSON.stringify(event({ specversion: '0.3' })), 'expected specversion 1.0, got "0.3"'],
    [JSON.stringify(event({ id: '' })), 'expected id of the CloudEvent'],
    [JSON.stringify(event({ source: undefined })), 'expected source of the CloudEvent'],
    [JSON.stringify(event({ type: 7 })), 'expected type of the CloudEvent'],
    [JSON.stringify(event({ data_base64: 'AAAA' })), 'expected data as JSON'],
  ])('%s is refused with what is wrong', async (body, message) => {
    const { status, body: said } = await send(body);
    expect([status, said['code']]).toEqual([400, 'INVALID_INPUT']);
    expect(said['message']).toContain(message);
  });

  it('that nests as deep as it may is taken, and one that nests deeper refused', async () => {
    const before = await count();
    const having = (data: string) => JSON.stringify(event({ data: '?' })).replace('"?"', data);
    expect(await send(having(nested(MOST_NESTED - 1)))).toMatchObject({ status: 202 });
    expect(await count()).toBe(before + 1);
    for (const depth of [MOST_NESTED, 50_000]) {
      const { status, body } = await send(having(nested(depth)));
      expect([status, body['code']]).toEqual([400, 'INVALID_INPUT']);
      expect(body['message']).toContain(`nested at most ${MOST_NESTED} deep`);
    }
    expect(await count()).toBe(before + 1);
  });

  it('that is too large is refused before it is read', async () => {
    expect((await send(JSON.stringify(event({ data: 'x'.repeat(MAX_EVENT_BYTES) })))).status).toBe(413);
  });
});

it('takes two secrets while one takes the place of the other, and none once it is revoked', async () => {
  const { eventSource, secret: first } = await api.control.createEventSource(LOCAL, 'rotated');
  const post = (as: string) => send(JSON.stringify(event()), { with: as, to: eventSource.id });
  const second = await api.control.rotateEventSource(LOCAL, eventSource.id, 24);
  expect(second.eventSource.secrets).toMatchObject([{ expiresAt: null }, { expiresAt: expect.any(Date) as Date }]);
  expect([(await post(first)).status, (await post(second.secret)).status]).toEqual([202, 202]);
  const third = await api.control.rotateEventSource(LOCAL, eventSource.id, 0);
  expect([(await post(second.secret)).status, (await post(third.secret)).status]).toEqual([401, 202]);
  await api.control.revokeEventSource(LOCAL, eventSource.id);
  expect((await post(third.secret)).status).toBe(401);
  await expect(api.control.rotateEventSource(LOCAL, eventSource.id, 0)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
