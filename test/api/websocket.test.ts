/** The graphql-transport-ws protocol over a real socket: how it ends for those who break it, and what keeps it open. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import WebSocket from 'ws';
import { PushforwardError } from '../../src/base/errors.ts';
import { startTestHttp, type TestHttp } from './client.ts';

let api: TestHttp;
beforeAll(async () => (api = await startTestHttp()));
afterAll(() => api?.close());

const INIT = { type: 'connection_init' };
const SUBSCRIBE = { type: 'subscribe', id: '1', payload: { query: 'subscription { runEvents(runId: "x") { type } }' } };

/** A socket that sends messages once it is open; what it is told, and the code it is closed with. */
function opened(messages: (object | string)[], protocol = 'graphql-transport-ws') {
  const socket = new WebSocket(`${api.url.replace('http', 'ws')}/graphql`, protocol);
  const told: unknown[] = [];
  socket.on('message', (text) => void told.push(JSON.parse(String(text))));
  socket.on('open', () => {
    for (const message of messages) socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  });
  // A protocol that is not taken is an error of the handshake to this client; the code is in the frame that follows.
  const closed = new Promise<number>((resolve) => socket.on('close', resolve).on('error', () => {}));
  return { socket, told, closed };
}

describe('a socket is closed with', () => {
  it.each([
    [4400, 'what is no JSON', ['{']],
    [4400, 'a message of no known type', [{ type: 'other' }]],
    [4401, 'an operation before connection_init', [SUBSCRIBE]],
    [4408, 'no connection_init within three seconds', []],
    [4429, 'connection_init twice', [INIT, INIT]],
  ])('%i for %s', async (code, _what, messages) => {
    expect(await opened(messages).closed).toBe(code);
  });

  it('4403 for someone who is not let in', async () => {
    const refused = vi
      .spyOn(api.control, 'authenticate')
      .mockRejectedValue(new PushforwardError('UNAUTHENTICATED', 'expected a token, got none: log in'));
    expect(await opened([INIT]).closed).toBe(4403);
    refused.mockRestore();
  });

  it('4409 for an id that is in use', async () => {
    // Held where the operation asks who it is.
    const { socket, told, closed } = opened([INIT]);
    await vi.waitFor(() => expect(told).toEqual([{ type: 'connection_ack' }]));
    const asked = vi.spyOn(api.control, 'authenticate').mockReturnValue(new Promise(() => {}));
    for (let i = 0; i < 2; i++) socket.send(JSON.stringify(SUBSCRIBE));
    expect(await closed).toBe(4409);
    asked.mockRestore();
  });

  it('4406 for another protocol', async () => {
    const codes: number[] = [];
    const socket = new WebSocket(`${api.url.replace('http', 'ws')}/graphql`);
    const closed = new Promise<void>((resolve) => socket.on('close', (code) => (codes.push(code), resolve())));
    socket.on('error', () => {});
    await closed;
    expect(codes).toEqual([4406]);
  });
});

it('ping is answered by pong with its payload, before and after connection_init', async () => {
  const ping = { type: 'ping', payload: { at: 1 } };
  const { socket, told } = opened([ping, INIT, { type: 'pong' }, { type: 'ping' }]);
  await vi.waitFor(() => expect(told).toHaveLength(3));
  const expected = [{ type: 'pong', payload: { at: 1 } }, { type: 'connection_ack' }, { type: 'pong' }];
  expect(told).toEqual(expect.arrayContaining(expected));
  socket.close();
});
