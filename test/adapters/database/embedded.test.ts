import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { openDatabase } from '../../../src/adapters/database/connection.ts';
import { startEmbeddedPostgres } from '../../../src/adapters/database/embedded.ts';
import { silentLog } from '../../../src/base/log.ts';
import { identify, isAlive } from '../../../src/base/process-identity.ts';
import { until } from '../../support/until.ts';

const servicePath = fileURLToPath(new URL('../../support/embedded-service.ts', import.meta.url));
let dataDir: string;

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'pushforward-embedded-'));
  await chmod(dataDir, 0o755);
});
afterAll(() => rm(dataDir, { recursive: true, force: true }));

const postmaster = async () =>
  identify(Number((await readFile(join(dataDir, 'cluster', 'postmaster.pid'), 'utf8')).split('\n')[0]));

const projects = async (url: string) => {
  const db = openDatabase({ url });
  const rows = await db.selectFrom('projects').select('id').execute();
  await db.destroy();
  return rows.map((row) => row.id);
};

it('survives its service: the next adopts it, with what was acknowledged', async () => {
  const service = spawn(process.execPath, ['--import', 'tsx', servicePath, dataDir], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface({ input: service.stdout }), 'line')) as [string];
  const first = JSON.parse(line) as { url: string; adopted: boolean };
  expect(first.adopted).toBe(false);
  const server = await postmaster();

  // While its service lives, another uses it and leaves it running.
  const guest = await startEmbeddedPostgres({ dataDir, log: silentLog });
  expect([guest.adopted, guest.url]).toEqual([true, first.url]);
  await guest.stop();
  expect(isAlive(server)).toBe(true);

  service.kill('SIGKILL');
  await once(service, 'exit');
  expect(isAlive(server)).toBe(true);
  const adopted = await startEmbeddedPostgres({ dataDir, log: silentLog });
  expect(adopted.adopted).toBe(true);
  expect(await postmaster()).toEqual(server);
  expect(await projects(adopted.url)).toEqual(['acknowledged']);
  await adopted.stop();
  await until(() => !isAlive(server), 'the server to end');
});

it('starts over a server that was killed, and over one that does not answer', async () => {
  const first = await startEmbeddedPostgres({ dataDir, log: silentLog });
  const killed = await postmaster();
  process.kill(killed.pid, 'SIGKILL');
  await until(() => !isAlive(killed));
  const second = await startEmbeddedPostgres({ dataDir, log: silentLog });
  expect(second.adopted).toBe(false);
  expect(await projects(second.url)).toEqual(['acknowledged']);

  // Its port file says another: as good as no answer.
  const path = join(dataDir, 'cluster', 'postmaster.pid');
  const lines = (await readFile(path, 'utf8')).split('\n');
  lines[3] = '1';
  await writeFile(path, lines.join('\n'));
  const deaf = await postmaster();
  const third = await startEmbeddedPostgres({ dataDir, log: silentLog });
  expect(third.adopted).toBe(false);
  expect(isAlive(deaf)).toBe(false);
  expect(await projects(third.url)).toEqual(['acknowledged']);
  await Promise.all([first.stop(), second.stop(), third.stop()]);
});

it('starts over a pid file whose process id was given to another', async () => {
  const path = join(dataDir, 'cluster', 'postmaster.pid');
  await writeFile(path, `${process.pid}\n${join(dataDir, 'cluster')}\n0\n1\n\n127.0.0.1\n`);
  const server = await startEmbeddedPostgres({ dataDir, log: silentLog });
  expect(server.adopted).toBe(false);
  await server.stop();
});

it('starts without an environment, and shows the server none', async () => {
  vi.stubEnv('PATH', '/nowhere');
  vi.stubEnv('A_SECRET', 'of the service');
  const server = await startEmbeddedPostgres({ dataDir, log: silentLog }).finally(() => vi.unstubAllEnvs());
  const environ = await readFile(`/proc/${(await postmaster()).pid}/environ`, 'utf8').catch(() => '');
  expect(environ).not.toContain('A_SECRET');
  expect(environ).not.toContain('/nowhere');
  await server.stop();
});

it('keeps its password to its user and takes no connection without it', async () => {
  expect((await stat(join(dataDir, 'password'))).mode & 0o777).toBe(0o600);
  const server = await startEmbeddedPostgres({ dataDir, log: silentLog });
  expect(new URL(server.url).hostname).toBe('127.0.0.1');
  await expect(projects(server.url.replace(/:[^:@]+@/, ':wrong@'))).rejects.toThrow('password authentication failed');
  await server.stop();
});

it('refuses the cluster of another major version by name', async () => {
  const path = join(dataDir, 'cluster', 'PG_VERSION');
  const version = await readFile(path, 'utf8');
  await writeFile(path, '9\n');
  await expect(startEmbeddedPostgres({ dataDir, log: silentLog })).rejects.toThrow(
    /expected a PostgreSQL \d+ cluster .* got one of PostgreSQL 9/,
  );
  await writeFile(path, version);
});
