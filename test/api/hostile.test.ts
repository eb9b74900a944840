/** Any process or page of this machine can send these bytes: the service answers, or hangs up, and lives. */
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import WebSocket from 'ws';
import { blobKey, putBlob } from '../../src/pipeline/artifacts.ts';
import { startTestHttp, type TestHttp } from './client.ts';

let api: TestHttp;
const uncaught: unknown[] = [];
const onUncaught = (error: unknown) => void uncaught.push(error);
beforeAll(async () => {
  api = await startTestHttp();
  // graphql-ws writes there what clients do wrong.
  vi.spyOn(console, 'error').mockImplementation(() => {});
  process.on('uncaughtException', onUncaught).on('unhandledRejection', onUncaught);
});
afterAll(async () => {
  await api?.close();
  vi.restoreAllMocks();
  process.off('uncaughtException', onUncaught).off('unhandledRejection', onUncaught);
});

beforeEach(() => void uncaught.splice(0));

const host = () => new URL(api.url).host;
const open = (): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(api.url).port), '127.0.0.1', () => resolve(socket));
    socket.once('error', reject);
  });

/** The first line of the answer to raw bytes; empty where the service hung up. */
async function answerTo(bytes: string): Promise<string> {
  const socket = await open();
  return await new Promise((resolve) => {
    let text = '';
    const done = () => (socket.destroy(), resolve(text.split('\r\n', 1)[0]!));
    socket.on('data', (part) => ((text += part.toString('latin1')), text.includes('\r\n') && done()));
    socket.on('close', done).on('error', done);
    socket.write(bytes, 'latin1');
  });
}

const request = (target: string, headers: Record<string, string> = {}, method = 'GET') =>
  `${method} ${target} HTTP/1.1\r\n${Object.entries({ Host: host(), ...headers })
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('')}\r\n`;
const UPGRADE = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

async function lives(): Promise<void> {
  expect((await fetch(`${api.url}/healthz`)).status).toBe(200);
  expect(uncaught).toEqual([]);
}

const TARGETS: [string, string][] = [
  '//',
  '///',
  '//graphql',
  '/%zz',
  '/objects/%zz',
  '/objects/%00',
  '/graphiql/static/%zz',
  '/graphiql/static/__proto__',
  '*',
  '?',
  '/?%',
  'http://',
  'http://[',
  'http://evil.example/graphql',
  'http://evil.example:99999/objects/x',
  'javascript:alert(1)',
  '/\\\\evil.example',
  `/${'a'.repeat(10_000)}`,
  `/${'a'.repeat(20_000)}`,
  '/\xff\xfe',
].map((target) => [target.length > 100 ? `${target.slice(0, 10)}... of ${target.length}` : target, target]);

describe('a hostile target', () => {
  it.each(TARGETS)('%s of a request is answered as a fault of the client', async (_name, target) => {
    for (const method of ['GET', 'HEAD', 'POST', 'OPTIONS', 'CONNECT', 'BREW']) {
      expect(await answerTo(request(target, {}, method))).toMatch(/^(HTTP\/1\.1 (3|4)\d\d .*)?$/);
    }
    await lives();
  });

  it.each(TARGETS)('%s of an upgrade is refused', async (_name, target) => {
    expect(await answerTo(request(target, UPGRADE))).toMatch(/^HTTP\/1\.1 4\d\d /);
    await lives();
  });
});

describe('a connection', () => {
  it.each([
    ['no request', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
    ['a version that is none', 'GET / HTTP/9.9\r\n\r\n'],
    ['no Host', 'GET / HTTP/1.1\r\n\r\n'],
    ['two lengths', 'POST /graphql HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
    ['headers that are too large', `GET / HTTP/1.1\r\nX: ${'x'.repeat(50_000)}\r\n\r\n`],
  ])('with %s is refused', async (_what, bytes) => {
    expect(await answerTo(bytes)).toMatch(/^HTTP\/1\.1 4\d\d /);
    await lives();
  });

  it('can be reset within a body and within a download', async () => {
    const blob = await putBlob(api.store, 'default', new Uint8Array(8 << 20), 'application/octet-stream');
    const signed = await api.store.signedUrl(blobKey('default', blob.sha256), {
      expiresSeconds: 60,
      filename: 'points.bin',
      mediaType: 'application/octet-stream',
    });
    const { pathname, search } = new URL(signed);
    const body = request('/graphql', { 'Content-Type': 'application/json', 'Content-Length': '1000' }, 'POST');
    for (const bytes of [`${body}{"query":`, request(`${pathname}${search}`)]) {
      for (let i = 0; i < 20; i++) {
        const socket = await open();
        socket.on('error', () => {});
        socket.write(bytes);
        // Not read on: the service is in the middle of it.
        await new Promise((turn) => setTimeout(turn, i % 5));
        socket.resetAndDestroy();
      }
    }
    await lives();
  });
});

describe('an upgrade', () => {
  it('of another origin is refused before its target is looked at', async () => {
    for (const target of ['/graphql', '//', '/other']) {
      const foreign = request(target, { ...UPGRADE, Origin: 'https://evil.example' });
      expect(await answerTo(foreign)).toBe('HTTP/1.1 403 Forbidden');
    }
    await lives();
  });

  it('with a query is taken', async () => {
    expect(await answerTo(request('/graphql?x=//', UPGRADE))).toBe('HTTP/1.1 101 Switching Protocols');
  });

  it.each([
    ['that is refused', () => request('/other', UPGRADE)],
    ['of another origin', () => request('/graphql', { ...UPGRADE, Origin: 'https://evil.example' })],
    ['that is malformed', () => request('/graphql', { ...UPGRADE, 'Sec-WebSocket-Key': 'short' })],
    ['that is taken', () => request('/graphql', UPGRADE)],
  ])('%s can be reset at any time', async (_what, bytes) => {
    for (let i = 0; i < 40; i++) {
      const socket = await open();
      socket.on('error', () => {});
      socket.write(bytes());
      // Before, while and after the answer is written.
      if (i % 4 > 0) await new Promise((turn) => (i % 4 === 1 ? setImmediate(turn) : setTimeout(turn, i % 4)));
      socket.resetAndDestroy();
    }
    await lives();
  });

  it('that is refused is over, also for a client that keeps its half open', async () => {
    const socket = connect({ port: Number(new URL(api.url).port), host: '127.0.0.1', allowHalfOpen: true });
    const closed = new Promise((resolve) => socket.on('error', resolve).on('close', resolve));
    socket.resume().write(request('/other', UPGRADE));
    const more = setInterval(() => socket.write('more'), 10);
    await closed;
    clearInterval(more);
    await lives();
  });
});

describe('an open socket', () => {
  const MESSAGES: [string, (string | Buffer)[]][] = [
    ['what is no JSON', ['{']],
    ['bytes', [Buffer.from([0xff, 0xfe])]],
    ['a message of the other side', ['{"type":"next","id":"1","payload":{}}']],
    [
      'a subscription before it is acknowledged',
      ['{"type":"subscribe","id":"1","payload":{"query":"{ apiVersion }"}}'],
    ],
    ['too long a message', ['x'.repeat(100_000)]],
    [
      'one id twice, of many bytes',
      [
        '{"type":"connection_init"}',
        ...Array<string>(2).fill(
          JSON.stringify({
            type: 'subscribe',
            id: 'é'.repeat(200),
            payload: { query: 'subscription { runEvents(runId: "x") { type } }' },
          }),
        ),
      ],
    ],
    [
      'variables that are none',
      [
        '{"type":"connection_init"}',
        '{"type":"subscribe","id":"1","payload":{"query":"{ apiVersion }","variables":[1]}}',
      ],
    ],
    [
      'an operation that is not there',
      [
        '{"type":"connection_init"}',
        '{"type":"subscribe","id":"__proto__","payload":{"query":"{ apiVersion }","operationName":"Other"}}',
      ],
    ],
  ];

  it.each(MESSAGES)('may be sent %s', async (_what, messages) => {
    const socket = new WebSocket(`${api.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    const ended = new Promise((resolve) => socket.on('close', resolve).on('error', () => {}));
    const answered = new Promise<void>((resolve) =>
      socket.on('message', (text) => /"type":"(error|next)"/.test(String(text)) && resolve()),
    );
    await new Promise((resolve) => socket.on('open', resolve));
    for (const message of messages) socket.send(message);
    await Promise.race([ended, answered]);
    socket.terminate();
    await ended;
    await lives();
  });

  it('may be sent a broken frame, and reset', async () => {
    for (const frame of [Buffer.from([0xff, 0xff, 0xff]), Buffer.from([0x81, 0x05, 1, 2])]) {
      const socket = await open();
      const closed = new Promise((resolve) => socket.on('close', resolve).on('error', () => {}));
      socket.once('data', () => {
        socket.write(frame);
        setTimeout(() => socket.resetAndDestroy(), 20);
      });
      socket.write(request('/graphql', { ...UPGRADE, 'Sec-WebSocket-Protocol': 'graphql-transport-ws' }));
      await closed;
    }
    await lives();
  });
});
