/** The proxy of the chart with the arguments that the chart gives it, before the compiled service: who gets in, and who does not. */
import { spawn } from 'node:child_process';
import { createSign, generateKeyPairSync } from 'node:crypto';
import { createServer, request, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { only, render } from '../support/deploy/chart.ts';
import { oauth2Proxy } from '../support/deploy/tools.ts';
import { freePort } from '../support/free-port.ts';
import { goMissing, sayIfGoMissing } from '../support/go.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';
import { until } from '../support/until.ts';

sayIfGoMissing('the tests of the proxy that authenticates');

const PUBLIC = 'https://pushforward.example.org';
const CLIENT = 'pushforward';
const keys = generateKeyPairSync('rsa', { modulusLength: 2048 });
const strangers = generateKeyPairSync('rsa', { modulusLength: 2048 });

describe.skipIf(goMissing)('the proxy of the chart', () => {
  let folder: string;
  let issuer: Server;
  let issuerUrl: string;
  let service: ServiceProcess;
  let url: string;
  let stop: () => Promise<unknown>;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pushforward-proxy-'));
    [issuer, issuerUrl] = await startIssuer();
    service = await startServiceProcess(folder, { PUSHFORWARD_PUBLIC_URL: PUBLIC });
    const port = await freePort();
    url = `http://127.0.0.1:${port}`;
    const { objects } = await render('gateway-gpu', { authProxy: { issuerUrl, emailDomains: ['example.org'] } });
    const { containers } = only(objects, 'Deployment').spec.template.spec;
    const container = containers.find(({ name }: { name: string }) => name === 'auth-proxy');
    const args = (container.args as string[]).map((arg) =>
      arg.replace('0.0.0.0:4180', `127.0.0.1:${port}`).replace('http://127.0.0.1:4000', service.url),
    );
    const secrets: Record<string, string> = {
      'client-id': CLIENT,
      'client-secret': 's',
      'cookie-secret': 'c'.repeat(32),
    };
    const env = Object.fromEntries(
      (container.env as { name: string; valueFrom: { secretKeyRef: { key: string } } }[]).map(({ name, valueFrom }) => [
        name,
        secrets[valueFrom.secretKeyRef.key],
      ]),
    );
    const proxy = spawn(await oauth2Proxy(), args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [proxy.stdout, proxy.stderr]) stream.on('data', (data: Buffer) => (output += data.toString()));
    const gone = new Promise((done) => proxy.once('exit', done));
    stop = () => (proxy.kill(), gone);
    for (const probe of [container.livenessProbe, container.readinessProbe]) {
      await until(async () => {
        if (proxy.exitCode !== null) throw new Error(`the proxy ended with ${proxy.exitCode}:\n${output}`);
        return (await fetch(`${url}${probe.httpGet.path}`).catch(() => null))?.ok ?? false;
      });
    }
  });

  afterAll(async () => {
    await stop();
    await service.end();
    issuer.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** As they arrive from the Ingress. fetch would set Host itself. */
  const ask = (headers: Record<string, string>): Promise<{ status: number; body: unknown }> =>
    new Promise((done, fail) => {
      const all = { host: new URL(PUBLIC).host, 'content-type': 'application/json', ...headers };
      request(`${url}/graphql`, { method: 'POST', headers: all }, async (answer) => {
        const text = (await answer.toArray()).join('');
        const body: unknown = /json/.test(answer.headers['content-type'] ?? '') ? JSON.parse(text) : text;
        done({ status: answer.statusCode!, body });
      })
        .on('error', fail)
        .end(JSON.stringify({ query: '{ health { ok } }' }));
    });
  const bearer = (claims: Record<string, unknown> = {}, key = keys.privateKey) => ({
    authorization: `Bearer ${token({ iss: issuerUrl, aud: CLIENT, email: 'a@example.org', email_verified: true, ...claims }, key)}`,
  });

  it('hands on what has a token of the issuer, also from the public page', async () => {
    const answered = { status: 200, body: { data: { health: { ok: true } } } };
    expect(await ask(bearer())).toMatchObject(answered);
    expect(await ask({ ...bearer(), origin: PUBLIC })).toMatchObject(answered);
  });

  it('refuses everything else', async () => {
    const now = Math.floor(Date.now() / 1000);
    const refused: Record<string, string>[] = [
      {},
      { authorization: 'Bearer nonsense' },
      bearer({}, strangers.privateKey),
      bearer({ aud: 'another' }),
      bearer({ iss: 'https://another.example.org' }),
      bearer({ exp: now - 3600 }),
      { 'x-forwarded-user': 'a@example.org', 'x-forwarded-email': 'a@example.org' },
    ];
    for (const headers of refused) expect((await ask(headers)).status).toBe(401);
    expect([401, 403]).toContain((await ask(bearer({ email: 'a@evil.example' }))).status);
    expect((await ask({ ...bearer(), origin: 'https://evil.example' })).status).toBe(403);
  });

  it('sends people to the issuer, and back to the public address', async () => {
    const answer = await fetch(`${url}/graphiql`, { redirect: 'manual' });
    const login = new URL(answer.headers.get('location')!);
    expect([answer.status, login.origin]).toEqual([302, issuerUrl]);
    expect(login.searchParams.get('redirect_uri')).toBe(`${PUBLIC}/oauth2/callback`);
    expect(login.searchParams.get('code_challenge_method')).toBe('S256');
  });

  it('lets signed links through to the service, which checks them', async () => {
    const answer = await fetch(`${url}/objects/projects/p/blobs/x?expires=1&signature=00`);
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([403, 'FORBIDDEN']);
  });
});

/** As much of OpenID Connect as the proxy asks for. */
async function startIssuer(): Promise<[Server, string]> {
  const server = createServer((request, response) => {
    const origin = `http://${request.headers.host}`;
    const answers: Record<string, unknown> = {
      '/.well-known/openid-configuration': {
        issuer: origin,
        authorization_endpoint: `${origin}/authorize`,
        token_endpoint: `${origin}/token`,
        jwks_uri: `${origin}/keys`,
        id_token_signing_alg_values_supported: ['RS256'],
        code_challenge_methods_supported: ['S256'],
      },
      '/keys': { keys: [{ ...keys.publicKey.export({ format: 'jwk' }), kid: 'one', alg: 'RS256', use: 'sig' }] },
    };
    const answer = answers[request.url ?? ''];
    response.writeHead(answer ? 200 : 404, { 'content-type': 'application/json' }).end(JSON.stringify(answer ?? {}));
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return [server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
}

function token(claims: Record<string, unknown>, key: typeof keys.privateKey): string {
  const now = Math.floor(Date.now() / 1000);
  const parts = [
    { alg: 'RS256', kid: 'one', typ: 'JWT' },
    { sub: 'a', iat: now, exp: now + 600, ...claims },
  ].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'));
  const signature = createSign('RSA-SHA256').update(parts.join('.')).sign(key).toString('base64url');
  return [...parts, signature].join('.');
}
