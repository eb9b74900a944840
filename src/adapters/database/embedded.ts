import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import pg from 'pg';
import { type Log } from '../../base/log.ts';
import { signalProcess } from '../../base/process-identity.ts';
import { openCluster, type Cluster } from './cluster.ts';
import { claimCluster, findPostmaster, startPostmaster, stopPostmaster } from './postmaster.ts';

export interface EmbeddedPostgresOptions {
  /** Holds the cluster, its password (readable by this user alone) and its log. Made if it is not there. */
  dataDir: string;
  log: Log;
  /** `PATH` of the programs it starts: of `id`, `useradd` and `unshare` for root. Default: where systems have them. */
  path?: string;
  /** False: a power cut may lose or damage data. For tests. */
  durable?: boolean;
}

export interface EmbeddedPostgres {
  url: string;
  /** True if the server had been left running by a service that died. */
  adopted: boolean;
  /** Clean shutdown; waits until the server is gone. A server that another live service started is left running. */
  stop(): Promise<void>;
}

/**
 * PostgreSQL without installation: initialised on first use, on a free port of the loopback address, with a password.
 *
 * The server is a process of its own session: a Ctrl-C that reaches the service does not reach it, and it outlives a
 * service that is killed. The next start adopts it if it answers and ends it otherwise. The package's own JavaScript is
 * not used beyond the paths of its binaries, since it takes over the signals of the process that imports it.
 *
 * @throws NOT_READY if the directory holds a cluster of another major version, or the server does not come up
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { dataDir, log, path = USUAL_PATH, durable = true } = options;
  await mkdir(dataDir, { recursive: true });
  const cluster = await openCluster(dataDir, { log, env: { PATH: path }, durable });
  const ours = await claimCluster(cluster);
  const adoptee = await findPostmaster(cluster, (port) => answers(cluster, port));
  if (adoptee) {
    log.info('adopted the running PostgreSQL', { pid: adoptee.process.pid, port: adoptee.port });
  }
  const postmaster =
    adoptee ??
    (await startPostmaster(cluster, {
      freePort,
      answers: (port) => answers(cluster, port),
      flags: durable ? [] : ['-c', 'fsync=off', '-c', 'synchronous_commit=off', '-c', 'full_page_writes=off'],
    }));
  await createDatabase(cluster, postmaster.port);

  const stopAtExit = () => signalProcess(postmaster.process, 'SIGINT');
  if (ours) process.once('exit', stopAtExit);
  return {
    url: urlOf(cluster, postmaster.port, DATABASE, SERVICE_ROLE),
    adopted: adoptee !== null,
    async stop() {
      process.off('exit', stopAtExit);
      if (ours) await stopPostmaster(postmaster.process);
    },
  };
}

const USUAL_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const DATABASE = 'pushforward';
/** Owns its databases and nothing else: what the service sends cannot read the server's files. */
const SERVICE_ROLE = 'service';

function urlOf(cluster: Cluster, port: number, database: string, role = cluster.user): string {
  return `postgres://${role}:${cluster.password}@127.0.0.1:${port}/${database}`;
}

/** Whether the server on this port is up, takes our password and serves this very cluster. */
async function answers(cluster: Cluster, port: number): Promise<boolean> {
  try {
    const found = await withClient(urlOf(cluster, port, 'postgres'), (client) =>
      client.query<{ dir: string }>(`select current_setting('data_directory') as dir`),
    );
    return found.rows[0]?.dir === cluster.directory;
  } catch {
    return false;
  }
}

async function createDatabase(cluster: Cluster, port: number): Promise<void> {
  await withClient(urlOf(cluster, port, 'postgres'), async (client) => {
    const role = await client.query('select from pg_roles where rolname = $1', [SERVICE_ROLE]);
    if (role.rowCount === 0) {
      const password = client.escapeLiteral(cluster.password);
      await client.query(`create role ${SERVICE_ROLE} login createdb password ${password}`);
    }
    const database = await client.query('select from pg_database where datname = $1', [DATABASE]);
    if (database.rowCount === 0) await client.query(`create database ${DATABASE} owner ${SERVICE_ROLE}`);
  });
}

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => {});
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => {});
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
