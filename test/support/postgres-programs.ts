import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { access, chown, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

const run = promisify(execFile);
const NEEDED = ['initdb', 'postgres', 'pg_dump', 'pg_restore'];

/** What a machine without them lacks. */
export const PROGRAMS_MISSING = 'the programs of PostgreSQL, server and client (Debian: apt install postgresql)';

/**
 * The folder of PostgreSQL's own programs: pg_dump refuses servers that are newer than itself, such as the one that we
 * embed, so tests of a backup run a server of the same folder. On Debian as root they are installed where they are missing.
 */
export async function postgresPrograms(): Promise<string | null> {
  return (await find()) ?? ((await install()) ? await find() : null);
}

async function find(): Promise<string | null> {
  const debian = '/usr/lib/postgresql';
  const versions = await readdir(debian).catch((): string[] => []);
  const newest = versions.sort((a, b) => Number(b) - Number(a)).map((version) => join(debian, version, 'bin'));
  for (const folder of [...newest, ...(process.env['PATH'] ?? '').split(':')]) {
    const found = await Promise.allSettled(NEEDED.map((name) => access(join(folder, name))));
    if (found.every(({ status }) => status === 'fulfilled')) return folder;
  }
  return null;
}

async function install(): Promise<boolean> {
  if (process.getuid?.() !== 0) return false;
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  try {
    await run('apt-get', ['update', '-q'], { env });
    await run('apt-get', ['install', '-q', '-y', '--no-install-recommends', 'postgresql'], { env });
    return true;
  } catch {
    return false;
  }
}

/** A server of these programs with an empty cluster. */
export async function startPostgresOf(programs: string): Promise<{ url: string; stop(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'pushforward-server-'));
  const as = await unprivileged();
  if (as) await chown(folder, as.uid, as.gid);
  const data = join(folder, 'data');
  await run(join(programs, 'initdb'), ['-D', data, '-U', 'owner', '-A', 'trust', '-E', 'UTF8', '--no-sync'], {
    ...as,
    cwd: folder,
  });
  const port = await freePort();
  const flags = ['-c', 'fsync=off', '-c', 'listen_addresses=127.0.0.1', '-c', `unix_socket_directories=${folder}`];
  const server = spawn(join(programs, 'postgres'), ['-D', data, '-p', String(port), ...flags], {
    ...as,
    cwd: folder,
    stdio: 'ignore',
  });
  const gone = once(server, 'exit');
  const url = `postgres://owner@127.0.0.1:${port}/postgres`;
  await until(() => sqlOver(url, 'select 1').catch(() => null), 'PostgreSQL to answer');
  return {
    url,
    async stop() {
      server.kill('SIGINT');
      await gone;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Any number of statements over a connection of their own; the rows of the last. */
export async function sqlOver<Row extends pg.QueryResultRow>(url: string, statements: string): Promise<Row[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    // Several statements have several results.
    const results: unknown = await client.query(statements);
    return (Array.isArray(results) ? (results.at(-1) as pg.QueryResult<Row>) : (results as pg.QueryResult<Row>)).rows;
  } finally {
    await client.end();
  }
}

/** PostgreSQL refuses to run as root. */
async function unprivileged(): Promise<{ uid: number; gid: number } | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const id = async (flag: string) => Number((await run('id', [flag, 'postgres'])).stdout);
  return { uid: await id('-u'), gid: await id('-g') };
}
