/** The started API and the ways to ask it: what a client would send. */
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { createDirectoryStore, type DirectoryStore } from '../../src/adapters/storage/directory.ts';
import { verifySignedUrl } from '../../src/adapters/storage/signed-url.ts';
import { startApi } from '../../src/api/http/server.ts';
import { systemClock } from '../../src/base/clock.ts';
import { type Log, silentLog } from '../../src/base/log.ts';
import { type Control, type ControlOptions, createControl } from '../../src/control/control.ts';
import { type Catalog } from '../../src/control/ports.ts';
import { SECRET, startWorld } from '../control/world.ts';
import { engineOver } from '../support/engine.ts';

export type TestApi = Awaited<ReturnType<typeof startTestApi>>;
export type TestHttp = Awaited<ReturnType<typeof startTestHttp>>;

/** A response as tests take it apart. */
export type Answer = { data?: any; errors?: { message: string; extensions?: any }[] }; // eslint-disable-line @typescript-eslint/no-explicit-any

/** Everything but what computes. */
export async function startTestApi() {
  const world = await startWorld();
  const http = await serve(world);
  return {
    ...world,
    ...http,
    async close() {
      await http.close();
      await world.close();
    },
  };
}

/** The same with the real engine; attempts of its executor succeed at once. */
export async function startEngineApi() {
  const world = await startWorld();
  const { engine, fakes } = await engineOver(world);
  const control = createControl({ ...world.options, engine });
  await engine.start();
  const http = await serve({ ...world, control });
  return {
    ...world,
    ...http,
    control,
    executor: fakes.executor,
    async close() {
      await http.close();
      await control.close();
      await engine.stop();
      await world.close();
    },
  };
}

/** What needs no rows: no database behind it. */
export async function startTestHttp() {
  const folder = await mkdtemp(join(tmpdir(), 'pushforward-http-'));
  const at = { url: 'http://127.0.0.1:1' };
  const store = createDirectoryStore({ root: folder, signingSecret: SECRET, publicUrl: () => at.url });
  const catalog = { ping: async () => {}, project: () => ({}) } as unknown as Catalog;
  const openLineage = { sinks: [] };
  const control = createControl({
    catalog,
    store,
    openLineage,
    clock: systemClock,
    log: silentLog,
  } as unknown as ControlOptions);
  const http = await serve({ control, store, at });
  return {
    ...http,
    catalog,
    control,
    store,
    async close() {
      await http.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function serve(of: { control: Control; store: DirectoryStore; at: { url: string } }) {
  const errors: Record<string, unknown>[] = [];
  const log: Log = { ...silentLog, error: (message, fields) => void errors.push({ message, ...fields }) };
  const api = await startApi({
    host: '127.0.0.1',
    port: 0,
    control: of.control,
    log,
    metricsText: () => 'pushforward_up 1\n',
    objects: {
      verify: (url) => verifySignedUrl(url, SECRET, new Date()),
      head: (key) => of.store.head(key),
      stream: (key, range) => of.store.stream(key, range),
      receive: of.store.receive,
    },
  });
  of.at.url = api.url;

  const post = (body: unknown, headers: Record<string, string> = {}) =>
    fetch(`${api.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
  const query = async (text: string, variables: Record<string, unknown> = {}): Promise<Answer> =>
    (await (await post({ query: text, variables })).json()) as Answer;

  return {
    url: api.url,
    errors,
    post,
    query,
    /** A file of schema/operations. */
    operation: (name: string, variables: Record<string, unknown> = {}) => query(operationText(name), variables),
    async *subscribe(name: string, variables: Record<string, unknown>): AsyncGenerator<Answer> {
      const client = createClient({
        url: `${api.url.replace('http', 'ws')}/graphql`,
        webSocketImpl: WebSocket,
        retryAttempts: 0,
      });
      try {
        for await (const answer of client.iterate({ query: operationText(name), variables })) yield answer as Answer;
      } finally {
        await client.dispose();
      }
    },
    close: () => api.close(),
  };
}

/** The text of a file of schema/operations. */
export function operationText(name: string): string {
  return readFileSync(new URL(`../../schema/operations/${name}.graphql`, import.meta.url), 'utf8');
}
