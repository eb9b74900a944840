/** How the client waits, and what it says where no answer comes. */
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import { type AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { createApiClient } from '../../src/cli/client.ts';
import { until } from '../support/until.ts';

const DISPATCHER = Symbol.for('undici.globalDispatcher.1');
type Dispatcher = { constructor: new (options: object) => Dispatcher };
const globals = globalThis as unknown as Record<symbol, Dispatcher>;

let close = async () => {};
afterEach(() => close());

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  close = () =>
    new Promise((closed) => {
      server.close(() => closed());
      server.closeAllConnections();
    });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

it('waits for an answer for longer than fetch does', async () => {
  const asked: ServerResponse[] = [];
  const url = await serve((request, response) => void (request.url === '/graphql' && asked.push(response)));
  // Its own patience is five minutes.
  const usual = await fetch('data:,').then(() => globals[DISPATCHER]!);
  globals[DISPATCHER] = new usual.constructor({ headersTimeout: 100 });
  try {
    const answer = createApiClient(url).send('Runs', { first: 1 });
    await until(() => asked.length > 0);
    await expect(fetch(`${url}/never`)).rejects.toMatchObject({ cause: { code: 'UND_ERR_HEADERS_TIMEOUT' } });
    asked[0]!.end('{"data":{"runs":{"nodes":[]}}}');
    expect(await answer).toEqual({ runs: { nodes: [] } });
  } finally {
    globals[DISPATCHER] = usual;
  }
});

it('says that what was asked for may go on where the connection breaks', async () => {
  const url = await serve((request) => request.resume().on('end', () => request.socket.destroy()));
  await expect(createApiClient(url).send('Runs', { first: 1 })).rejects.toMatchObject({
    code: 'NOT_READY',
    message: `expected ${url} to answer, got socket hang up: what was asked for may go on there, look before you ask again`,
  });
});

it('says the same where a server on the way has waited long enough', async () => {
  const url = await serve((_, response) => response.writeHead(504).end('<html>'));
  await expect(createApiClient(url).send('Runs', { first: 1 })).rejects.toMatchObject({
    code: 'NOT_READY',
    message: expect.stringContaining('got HTTP 504, a timeout on the way: what was asked for may go on') as string,
  });
});

it('asks again where the service let go of a connection that was kept', async () => {
  let requests = 0;
  const url = await serve((request, response) => {
    requests += 1;
    // The second one comes on the connection of the first.
    if (requests === 2) request.socket.resetAndDestroy();
    else response.end('{"data":{"runs":{"nodes":[]}}}');
  });
  const client = createApiClient(url);
  for (let i = 0; i < 2; i++) expect(await client.send('Runs', { first: 1 })).toEqual({ runs: { nodes: [] } });
  expect(requests).toBe(3);
});
