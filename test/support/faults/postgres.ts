import { chmod, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { migrate, openDatabase } from '../../../src/adapters/database/connection.ts';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../../src/adapters/database/embedded.ts';
import { isDatabaseOutage } from '../../../src/adapters/database/outages.ts';
import { silentLog } from '../../../src/base/log.ts';
import { until } from '../until.ts';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts';

/** A PostgreSQL that keeps what it acknowledged, behind a proxy: its address outlives its restarts. */
export interface FaultyPostgres {
  proxy: TcpProxy;
  /** A migrated database of its own. @returns its URL, through the proxy */
  database(): Promise<string>;
  /** The same database, past the proxy. */
  direct(url: string): string;
  /** Stopped, sessions first, or killed in the middle of everything, and started again. */
  restart(how: 'stopped' | 'killed'): Promise<void>;
  stop(): Promise<void>;
}

export async function startFaultyPostgres(): Promise<FaultyPostgres> {
  const dataDir = await mkdtemp(join(tmpdir(), 'pushforward-faults-postgres-'));
  await chmod(dataDir, 0o755);
  const start = () => startEmbeddedPostgres({ dataDir, log: silentLog });
  let server: EmbeddedPostgres = await start();
  const template = openDatabase({ url: server.url, connections: 1 });
  await migrate(template);
  await template.destroy();
  const portOf = ({ url }: EmbeddedPostgres) => Number(new URL(url).port);
  const proxy = await startTcpProxy(portOf(server));
  const withPort = (url: string, port: number) => Object.assign(new URL(url), { port: String(port) }).href;
  let made = 0;
  return {
    proxy,
    async database() {
      const name = `faults_${++made}`;
      await query(server.url.replace(/[^/]+$/, 'postgres'), `create database ${name} template pushforward`);
      return withPort(server.url.replace(/[^/]+$/, name), proxy.port);
    },
    direct: (url) => withPort(url, portOf(server)),
    async restart(how) {
      if (how === 'stopped') await server.stop();
      else {
        const pid = await postmasterOf(dataDir);
        process.kill(pid, 'SIGQUIT');
        await until(() => !isThere(pid), 'PostgreSQL to be gone');
      }
      server = await start();
      proxy.lead(portOf(server));
    },
    async stop() {
      await proxy.stop();
      await server.stop();
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** One statement over a connection of its own; an outage is waited out. */
export async function query<Row extends pg.QueryResultRow>(
  url: string,
  text: string,
  values: unknown[] = [],
): Promise<Row[]> {
  return until(async () => {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => {});
    try {
      await client.connect();
      return (await client.query<Row>(text, values)).rows;
    } catch (error) {
      if (isDatabaseOutage(error)) return null;
      throw error;
    } finally {
      await client.end().catch(() => {});
    }
  }, 'PostgreSQL to answer');
}

async function postmasterOf(dataDir: string): Promise<number> {
  const files = await readdir(dataDir, { recursive: true });
  const file = files.find((name) => name.endsWith('postmaster.pid'))!;
  return Number((await readFile(join(dataDir, file), 'utf8')).split('\n')[0]);
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
