/** The start-up gate, the command that opens it, and the probes, on the compiled service over a Postgres of its own. */
import { execFile } from 'node:child_process';
import { request } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres.ts';
import { ROOT, startServiceProcess, withTemporaryFolder } from '../support/service-process.ts';
import { until } from '../support/until.ts';

let postgres: TestPostgres;
beforeAll(async () => void (postgres = await startTestPostgres()));
afterAll(() => postgres?.stop());

const migrate = (env: Record<string, string>) =>
  promisify(execFile)(process.execPath, [join(ROOT, 'dist/main.js'), 'migrate'], { env: { ...process.env, ...env } });

it('refuses a database that is not migrated until `pushforward migrate` was run', () =>
  withTemporaryFolder(async (folder) => {
    const { db, url } = await postgres.database();
    await sql`drop schema public cascade; create schema public`.execute(db);
    const env = { DATABASE_URL: url, PUSHFORWARD_MIGRATE: 'off' };
    const tables = () =>
      sql<{ n: number }>`select count(*) as n from pg_tables where schemaname = 'public'`
        .execute(db)
        .then(({ rows }) => rows[0]!.n);

    const refused = startServiceProcess(join(folder, 'state'), env);
    await expect(refused).rejects.toThrow(/ended with 1:[^]*lacks 001-first.*run `pushforward migrate`/);
    expect(await tables()).toBe(0);

    expect((await migrate({ DATABASE_URL: url })).stdout).toMatch(/^Applied 001-first, 002-uploads/);
    expect((await migrate({ DATABASE_URL: url })).stdout).toBe('The database is up to date.\n');
    const service = await startServiceProcess(join(folder, 'state'), env);
    expect(await service.end()).toBe(0);

    await sql`insert into kysely_migration (name, timestamp) values ('999-later', '2030-01-01')`.execute(db);
    const older = startServiceProcess(join(folder, 'state'), env);
    await expect(older).rejects.toThrow(/a newer release migrated \(999-later\): start that release/);
    await expect(migrate({ DATABASE_URL: url })).rejects.toThrow(/a newer release migrated/);
    await expect(migrate({ DATABASE_URL: '' })).rejects.toThrow(/expected DATABASE_URL, got none/);
  }));

it('is ready once it is up, tells when it is not, and lets a request finish when it is told to stop', () =>
  withTemporaryFolder(async (folder) => {
    const { url } = await postgres.database();
    const port = await freePort();
    const service = await startServiceProcess(folder, { DATABASE_URL: url, PUSHFORWARD_PROBE_PORT: String(port) });
    const probe = (path: string) => fetch(`http://127.0.0.1:${port}${path}`);
    expect((await probe('/readyz')).status).toBe(200);
    expect(await (await probe('/metrics')).text()).toContain('process_uptime_seconds');

    const body = JSON.stringify({ query: '{ apiVersion }' });
    const begun = request(`${service.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': body.length, expect: '100-continue' },
    });
    const answer = new Promise<number>((done, fail) =>
      begun.once('response', (got) => done(got.resume().statusCode!)).once('error', fail),
    );
    begun.flushHeaders();
    await new Promise((taken) => begun.once('continue', taken));
    const ended = service.end('SIGTERM');
    await until(async () => (await probe('/readyz')).status === 503);
    expect((await (await probe('/readyz')).json()) as object).toMatchObject({ code: 'NOT_READY' });
    expect((await probe('/healthz')).status).toBe(200);
    begun.end(body);
    expect([await answer, await ended]).toEqual([200, 0]);
    await expect(probe('/healthz')).rejects.toThrow('fetch failed');
    expect(service.output()).toContain('Stopping; runs in flight go on at the next start.');
  }));
