import { request as httpRequest } from 'node:http';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import WebSocket from 'ws';
import { startProbes } from '../../src/api/http/probes.ts';
import { type ProgressReports } from '../../src/api/http/progress.ts';
import { startApi } from '../../src/api/http/server.ts';
import { WELCOME } from '../../src/api/http/explorer.ts';
import { parseRange } from '../../src/api/http/objects.ts';
import { PushforwardError } from '../../src/base/errors.ts';
import { sha256 } from '../../src/base/json.ts';
import { silentLog } from '../../src/base/log.ts';
import { type Health } from '../../src/control/control.ts';
import { blobKey, putBlob } from '../../src/pipeline/artifacts.ts';
import { startTestHttp, type TestHttp } from './client.ts';

let api: TestHttp;
beforeAll(async () => (api = await startTestHttp()));
afterAll(() => api?.close());

const get = (path: string, headers: Record<string, string> = {}) =>
  fetch(`${api.url}${path}`, { headers, redirect: 'manual' });

/** fetch sets Host itself. */
const statusFor = (headers: Record<string, string>, port = Number(new URL(api.url).port)): Promise<number> =>
  new Promise((resolve, reject) => {
    httpRequest({ hostname: '127.0.0.1', port, path: '/healthz', headers }, (answer) =>
      resolve(answer.resume().statusCode!),
    )
      .on('error', reject)
      .end();
  });

describe('probes', () => {
  it('say that the process is up, that the database answers, and the metrics', async () => {
    expect((await get('/healthz')).status).toBe(200);
    expect((await get('/readyz')).status).toBe(200);
    expect(await (await get('/metrics')).text()).toBe('pushforward_up 1\n');
    expect((await get('/nothing')).status).toBe(404);
  });

  it('tell a database that is away from a process that is down', async () => {
    const away = vi.spyOn(api.catalog, 'ping').mockRejectedValue(new PushforwardError('DATABASE_UNAVAILABLE', 'away'));
    const unready = await get('/readyz');
    expect([unready.status, await unready.json()]).toEqual([503, { code: 'DATABASE_UNAVAILABLE', message: 'away' }]);
    expect((await get('/healthz')).status).toBe(200);
    const health = await api.query('{ health { ok database store } }');
    expect(health.data).toEqual({ health: { ok: false, database: false, store: true } });
    away.mockRestore();
    expect((await api.query('{ apiVersion health { ok } }')).data.health).toEqual({ ok: true });
  });
});

describe('probes for those who reach no loopback address', () => {
  const health = { database: null, store: null };
  const probes = (of: () => Promise<Health>, progress: ProgressReports | null = null) =>
    startProbes({
      ...{ port: 0, health: of, metricsText: () => 'pushforward_up 1\n', log: silentLog },
      progress: () => progress,
    });

  it('take the progress of attempts, once someone wants it', async () => {
    const told: unknown[][] = [];
    const taking = await probes(async () => health, { reportProgress: (...of) => void told.push(of) });
    const idle = await probes(async () => health);
    const tell = (port: number, itemsDone: unknown) =>
      fetch(`http://127.0.0.1:${port}/attempts/attempt_1/progress`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: 'Bearer secret' },
        body: JSON.stringify({ itemsDone }),
      });
    expect([(await tell(taking.port, 7)).status, (await tell(taking.port, -1)).status]).toEqual([204, 400]);
    expect((await tell(idle.port, 7)).status).toBe(404);
    expect(told).toEqual([['secret', 'attempt_1', 7]]);
    await Promise.all([taking.close(), idle.close()]);
  });

  it('answer under any name, and serve nothing else', async () => {
    const { port, close } = await probes(async () => health);
    const status = async (path: string, method = 'GET') =>
      (await fetch(`http://127.0.0.1:${port}${path}`, { method })).status;
    expect(await Promise.all(['/healthz', '/readyz', '/metrics'].map((path) => status(path)))).toEqual([200, 200, 200]);
    for (const path of ['/', '/graphql', '/graphiql', '/objects/x'])
      expect([path, await status(path)]).toEqual([path, 404]);
    expect(await status('/graphql', 'POST')).toBe(404);
    expect(await statusFor({ host: 'pushforward.team.svc' }, port)).toBe(200);
    await close();
    await expect(status('/healthz')).rejects.toThrow('fetch failed');
  });

  it('tell which of database and store is away, and a service that is not up yet', async () => {
    const answers: (() => Promise<Health>)[] = [
      async () => ({ ...health, store: { code: 'STORE_UNAVAILABLE', message: 'no bucket' } }),
      async () => ({ ...health, database: { code: 'DATABASE_UNAVAILABLE', message: 'no database' } }),
      async () => Promise.reject(new PushforwardError('NOT_READY', 'starting')),
    ];
    for (const [i, code] of ['STORE_UNAVAILABLE', 'DATABASE_UNAVAILABLE', 'NOT_READY'].entries()) {
      const { port, close } = await probes(answers[i]!);
      const answer = await fetch(`http://127.0.0.1:${port}/readyz`);
      expect([answer.status, await answer.json()]).toEqual([503, expect.objectContaining({ code })]);
      expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
      await close();
    }
  });
});

describe('behind a proxy that authenticates', () => {
  it('takes the public name, as Host and as Origin, and no other', async () => {
    const proxied = await startApi({
      host: '127.0.0.1',
      port: 0,
      publicUrl: 'https://pushforward.example.org',
      control: api.control,
      log: silentLog,
      metricsText: () => '',
      objects: {} as never,
    });
    const port = Number(new URL(proxied.url).port);
    const status = (headers: Record<string, string>) => statusFor(headers, port);
    const origin = 'https://pushforward.example.org';
    expect(await status({ host: 'pushforward.example.org', origin })).toBe(200);
    expect(await status({ host: `127.0.0.1:${port}`, origin })).toBe(200);
    expect(await status({ host: 'evil.example' })).toBe(403);
    expect(await status({ host: 'pushforward.example.org.evil.example' })).toBe(403);
    expect(await status({ host: 'pushforward.example.org', origin: 'https://evil.example' })).toBe(403);
    expect(await status({ host: 'pushforward.example.org', origin: 'http://pushforward.example.org:8080' })).toBe(403);
    expect(await statusFor({ host: 'pushforward.example.org' })).toBe(403);
    const opens = (headers: Record<string, string>) =>
      new Promise<string>((resolve) => {
        const socket = new WebSocket(`${proxied.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
          headers,
        });
        socket.on('open', () => (socket.close(), resolve('open')));
        socket.on('error', (error) => resolve(error.message));
      });
    expect(await opens({ host: 'pushforward.example.org', origin })).toBe('open');
    expect(await opens({ origin: 'https://evil.example' })).toContain('403');
    await proxied.close();
  });
});

describe('GraphiQL', () => {
  it('comes wholly from here', async () => {
    const page = await get('/graphiql');
    const html = await page.text();
    expect(html).toContain(JSON.stringify(WELCOME));
    expect(html).not.toMatch(/https?:\/\/|\/\/unpkg|cdn/);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'");
    const files = [...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map((match) => match[1]!);
    const named = [...html.matchAll(/["'](\/graphiql\/static\/[\w.-]+\.(?:js|css))["']/g)].map((match) => match[1]!);
    const all = [...new Set([...files, ...named])];
    expect(all.length).toBeGreaterThan(1);
    for (const file of all) expect([file, (await get(file)).status]).toEqual([file, 200]);
  });

  it('is where a browser that opens /graphql ends', async () => {
    const answer = await get('/graphql', { accept: 'text/html,application/xhtml+xml,*/*;q=0.8' });
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/graphiql']);
    expect((await get('/')).headers.get('location')).toBe('/graphiql');
  });
});

describe('only this machine', () => {
  const options = { port: 0, log: silentLog, metricsText: () => '', objects: {} as never };

  it.each(['0.0.0.0', '::', '192.168.1.5', 'example.org', '127.0.0.1.example.org'])(
    'refuses to listen on %s',
    async (host) => {
      await expect(startApi({ ...options, host, control: api.control })).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: expect.stringMatching(/no identity provider is configured.*: unset HOST/),
      });
    },
  );

  it('listens on the loopback of IPv6 too', async () => {
    const other = await startApi({ ...options, host: '::1', control: api.control }).catch(() => null);
    if (!other) return;
    expect((await fetch(`${other.url}/healthz`)).status).toBe(200);
    await other.close();
  });

  it('refuses names that a page can point here', async () => {
    const { port } = new URL(api.url);
    expect(await statusFor({ host: `localhost:${port}` })).toBe(200);
    expect(await statusFor({ host: `[::1]:${port}` })).toBe(200);
    expect(await statusFor({ host: `evil.example:${port}` })).toBe(403);
    expect(await statusFor({ host: `127.0.0.1.evil.example:${port}` })).toBe(403);
  });

  it('refuses other origins, over HTTP and WebSocket', async () => {
    const own = new URL(api.url).origin;
    expect((await api.post({ query: '{ apiVersion }' }, { origin: own })).status).toBe(200);
    expect((await api.post({ query: '{ apiVersion }' }, { origin: 'https://evil.example' })).status).toBe(403);
    expect((await api.post({ query: '{ apiVersion }' }, { origin: 'null' })).status).toBe(403);
    expect((await api.post({ query: '{ apiVersion }' }, { origin: 'http://localhost:1' })).status).toBe(403);
    const opens = (headers: Record<string, string>, path = '/graphql') =>
      new Promise<string>((resolve) => {
        const socket = new WebSocket(`${api.url.replace('http', 'ws')}${path}`, 'graphql-transport-ws', { headers });
        socket.on('open', () => (socket.close(), resolve('open')));
        socket.on('error', (error) => resolve(error.message));
      });
    expect(await opens({ origin: own })).toBe('open');
    expect(await opens({})).toBe('open');
    expect(await opens({ origin: 'https://evil.example' })).toContain('403');
    expect(await opens({ host: 'evil.example' })).toContain('403');
    expect(await opens({}, '/other')).toContain('404');
  });

  it('refuses requests that a form can send', async () => {
    const form = await fetch(`${api.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'text/plain' },
      body: '{"query":"{apiVersion}"}',
    });
    expect(form.status).toBe(400);
    expect((await get('/graphql?query={apiVersion}')).status).toBe(400);
  });

  it('refuses bodies and documents that are too large', async () => {
    expect((await api.post({ query: `# ${'x'.repeat(1_100_000)}\n{ apiVersion }` })).status).toBe(413);
    expect((await api.query(`{ ${'apiVersion '.repeat(5000)} }`)).errors![0]!.message).toMatch(/tokens/);
    expect(
      (
        await fetch(`${api.url}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{',
        })
      ).status,
    ).toBe(400);
  });
});

describe('a signed download', () => {
  const bytes = new TextEncoder().encode('0123456789');
  const signed = async (mediaType: string, filename: string) => {
    const blob = await putBlob(api.store, 'default', bytes, mediaType);
    return await api.store.signedUrl(blobKey('default', blob.sha256), { expiresSeconds: 60, filename, mediaType });
  };

  it('gives the whole, a part, or nothing new', async () => {
    const url = await signed('application/octet-stream', 'points.bin');
    const whole = await fetch(url);
    expect([whole.status, await whole.text()]).toEqual([200, '0123456789']);
    const part = await fetch(url, { headers: { range: 'bytes=2-4' } });
    expect([part.status, await part.text(), part.headers.get('content-range')]).toEqual([206, '234', 'bytes 2-4/10']);
    expect((await fetch(url, { headers: { range: 'bytes=10-' } })).status).toBe(416);
    expect(
      (await fetch(url, { headers: { 'if-none-match': whole.headers.get('etag')!, 'cache-control': 'max-age=0' } }))
        .status,
    ).toBe(304);
    const head = await fetch(url, { method: 'HEAD' });
    expect([head.headers.get('content-length'), await head.text()]).toEqual(['10', '']);
  });

  it('shows a report as a page of no origin', async () => {
    const answer = await fetch(await signed('text/html', 'report.html'));
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(answer.headers.get('content-disposition')).toBe('inline; filename=report.html');
    expect(answer.headers.get('content-security-policy')).toMatch(/^sandbox allow-scripts; default-src 'none'/);
  });

  it.each([
    ['application/octet-stream', 'points.html', 'application/octet-stream'],
    ['text/plain', 'points.json', 'text/plain; charset=utf-8'],
    ['image/png', 'sheet', 'image/png'],
  ])('has the type that was signed (%s), whatever its name (%s) suggests', async (mediaType, filename, expected) => {
    expect((await fetch(await signed(mediaType, filename))).headers.get('content-type')).toBe(expected);
  });

  it('that was changed is refused', async () => {
    const url = new URL(await signed('text/plain', 'a.txt'));
    url.searchParams.set('filename', 'b.exe');
    expect((await fetch(url)).status).toBe(403);
    expect((await get('/objects/projects/default/blobs/abc')).status).toBe(403);
    expect((await get('/objects/../../etc/passwd')).status).toBe(404);
  });

  it('reads ranges as HTTP means them', () => {
    expect(parseRange('bytes=0-', 10)).toEqual({ offset: 0, bytes: 10 });
    expect(parseRange('bytes=-3', 10)).toEqual({ offset: 7, bytes: 3 });
    expect(parseRange('bytes=5-99', 10)).toEqual({ offset: 5, bytes: 5 });
    expect(parseRange('bytes=0-1,3-4', 10)).toBeNull();
    expect(parseRange('bytes=-0', 10)).toBe('unsatisfiable');
    expect(parseRange('bytes=0-0', 0)).toBe('unsatisfiable');
    expect(parseRange(undefined, 10)).toBeNull();
  });
});

describe('a part of an upload', () => {
  const body = new TextEncoder().encode('0123456789');
  const begun = async () => {
    const gathering = await api.store.incoming.begin('uploads/a');
    const part = { number: 1, bytes: body.length, sha256: sha256(body) };
    const { url } = await api.store.incoming.signPart('uploads/a', gathering, part, 60);
    const state = async () => (await api.store.incoming.complete('uploads/a', gathering, [part])).state;
    return { url, state };
  };

  it('is taken at its URL, by PUT alone', async () => {
    const { url, state } = await begun();
    expect((await fetch(url)).status).toBe(403);
    expect((await fetch(url, { method: 'POST', body })).status).toBe(404);
    expect((await fetch(url, { method: 'PUT', body })).status).toBe(200);
    expect(await state()).toBe('complete');
  });

  it('that says that it is too large is refused before it is sent', async () => {
    const { url, state } = await begun();
    const { hostname, port, pathname, search } = new URL(url);
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { 'content-length': 1e12 };
      const request = httpRequest({ method: 'PUT', hostname, port, path: pathname + search, headers }, (answer) => {
        resolve(answer.statusCode);
        request.destroy();
      });
      request.on('error', reject);
      request.flushHeaders();
    });
    expect([status, await state()]).toEqual([400, 'incomplete']);
  });

  it('is dropped with a sender that goes away', async () => {
    const { url, state } = await begun();
    api.errors.length = 0;
    const { hostname, port, pathname, search } = new URL(url);
    await new Promise((closed) => {
      const headers = { 'content-length': body.length };
      const request = httpRequest({ method: 'PUT', hostname, port, path: pathname + search, headers });
      request.on('error', () => {});
      request.on('close', closed);
      request.write(body.subarray(0, 5), () => request.destroy());
    });
    expect(await state()).toBe('incomplete');
    expect((await fetch(url, { method: 'PUT', body })).status).toBe(200);
    expect(api.errors).toEqual([]);
  });
});

it('closing completes subscriptions and lets go of the port', async () => {
  const other = await startApi({
    host: '127.0.0.1',
    port: 0,
    control: api.control,
    log: silentLog,
    metricsText: () => '',
    objects: {} as never,
  });
  const socket = new WebSocket(`${other.url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  await new Promise((opened) => socket.on('open', opened));
  const closed = new Promise<number>((resolve) => socket.on('close', resolve));
  await other.close();
  expect(await closed).toBe(1001);
  await expect(fetch(`${other.url}/healthz`)).rejects.toThrow();
});
