import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Webhook } from 'standardwebhooks';
import { createWebhookHttp } from '../../../src/adapters/http/index.ts';
import { half, hang, startWebhookSink, status, type WebhookSink } from '../../support/webhook-sink.ts';

const [FIRST, SECOND] = [7, 8].map((byte) => `whsec_${Buffer.alloc(32, byte).toString('base64')}`) as [string, string];
const never = new AbortController().signal;

let receiver: WebhookSink;
let sender: ReturnType<typeof createWebhookHttp>;
beforeEach(async () => {
  receiver = await startWebhookSink();
  sender = createWebhookHttp({ allow: ['127.0.0.0/8'], userAgent: 'Pushforward/1.2.3', timeoutMs: 300 });
});
afterEach(async () => {
  sender.close();
  await receiver.close();
});

const send = (more: object = {}, by = sender) =>
  by.send(
    {
      ...{ id: 'msg_1', url: `${receiver.url}/hook?a=1`, headers: { 'content-type': 'application/json' } },
      ...{ body: '{"a":"ä"}', secrets: [SECOND, FIRST], ...more },
    },
    never,
  );

describe('a request', () => {
  it('is signed with every valid secret, as the official library verifies it', async () => {
    const answer = await send({ headers: { authorization: 'Bearer secret' } });
    expect(answer.result).toMatchObject({ kind: 'answered', status: 200, body: 'said 200', retryAfterMs: null });
    const [{ path, headers, body }] = receiver.received as [WebhookSink['received'][number]];
    expect([path, headers['user-agent'], headers['authorization']]).toEqual([
      '/hook?a=1',
      'Pushforward/1.2.3',
      'Bearer secret',
    ]);
    for (const secret of [FIRST, SECOND]) expect(new Webhook(secret).verify(body, headers)).toEqual({ a: 'ä' });
    expect(() => new Webhook(FIRST).verify(`${body} `, headers)).toThrow();
    // what is kept in the log has no secret
    expect(Object.keys(answer.requestHeaders).sort()).toEqual([
      ...['user-agent', 'webhook-id', 'webhook-signature', 'webhook-timestamp'],
    ]);
  });

  it('goes over a connection that is there', async () => {
    for (let left = 5; left > 0; left--) expect((await send()).result).toMatchObject({ status: 200 });
    expect(receiver.sink.connections).toBe(1);
  });

  it('goes over a new one where the receiver closed that', async () => {
    receiver.sink.answer = (response) => {
      response.writeHead(200).end('ok', () => response.socket!.destroy());
    };
    for (let left = 5; left > 0; left--) expect((await send()).result).toMatchObject({ status: 200 });
  });

  it('goes to no address that is not allowed, whatever the name', async () => {
    const strict = createWebhookHttp({ allow: [], userAgent: 'x', timeoutMs: 300 });
    const reason = expect.stringMatching(/public address.*got 127\.0\.0\.1/) as string;
    for (const url of [receiver.url, receiver.url.replace('127.0.0.1', 'localhost').replace('http:', 'https:')]) {
      expect((await send({ url }, strict)).result).toMatchObject({ kind: 'failed', reason });
    }
    strict.close();
    expect(receiver.sink.connections).toBe(0);
  });

  it('goes to the address that a name had when it was looked at, though it leads elsewhere the next time', async () => {
    const answers = [['127.0.0.1'], ['169.254.169.254']];
    const rebinding = createWebhookHttp({
      ...{ allow: ['127.0.0.0/8'], userAgent: 'x', timeoutMs: 300 },
      resolve: async () => answers.shift()!.map((address) => ({ address, family: 4 })),
    });
    const url = receiver.url.replace('127.0.0.1', 'rebinding.example');
    expect((await send({ url }, rebinding)).result).toMatchObject({ status: 200 });
    expect(answers).toHaveLength(1);
    rebinding.close();
    expect((await send({ url }, rebinding)).result).toMatchObject({
      ...{ kind: 'failed', reason: expect.stringMatching(/got 169\.254\.169\.254/) as string },
    });
    expect(receiver.received).toHaveLength(1);
  });
});

describe('an answer', () => {
  it.each([
    ['that hangs', hang, 'no whole answer within 300 ms'],
    ['that never begins', () => {}, 'no whole answer within 300 ms'],
    ['that is cut', half, 'aborted'],
  ])('%s is none', async (_, answer, got) => {
    receiver.sink.answer = answer;
    const { result, ms } = await send();
    expect(result).toMatchObject({ kind: 'failed', reason: expect.stringContaining(got) as string });
    expect(ms).toBeGreaterThan(0);
  });

  it('of a receiver that is away is none', async () => {
    await receiver.close();
    expect((await send()).result).toMatchObject({
      ...{ kind: 'failed', reason: expect.stringContaining('ECONNREFUSED') as string },
    });
  });

  it('that leads elsewhere is not followed', async () => {
    receiver.sink.answer = status(301, { location: `${receiver.url}/elsewhere` });
    expect((await send()).result).toMatchObject({ kind: 'answered', status: 301 });
    expect(receiver.received).toHaveLength(1);
  });

  it('is read to 64 KiB, and says how long to wait', async () => {
    receiver.sink.answer = (response) => {
      response.writeHead(503, { 'retry-after': '120' }).end('x'.repeat(1_000_000));
    };
    const { result } = await send();
    expect(result).toMatchObject({ kind: 'answered', status: 503, retryAfterMs: 120_000 });
    expect((result as { body: string }).body).toHaveLength(65_536);
  });
});
