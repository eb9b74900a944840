import { spawn } from 'node:child_process';
import { open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { PushforwardError } from '../../base/errors.ts';
import { identify, isAlive, signalProcess, type ProcessIdentity } from '../../base/process-identity.ts';
import { type Cluster } from './cluster.ts';

export interface Postmaster {
  process: ProcessIdentity;
  port: number;
}

type Answers = (port: number) => Promise<boolean>;

const START_MS = 60_000;
const ADOPT_MS = 5_000;
const STOP_MS = 20_000;
const POLL_MS = 25;

/** Notes this process as the one that stops the server in the end; false while another live process is. */
export async function claimCluster(cluster: Cluster): Promise<boolean> {
  const path = join(cluster.home, 'owner.json');
  const owner = await readFile(path, 'utf8')
    .then((text) => JSON.parse(text) as ProcessIdentity)
    .catch(() => null);
  if (owner && owner.pid !== process.pid && isAlive(owner)) return false;
  await writeFile(path, JSON.stringify(identify(process.pid)));
  return true;
}

/**
 * The server that an earlier service left behind, if it answers. One that does not is ended; a stale pid file, whose
 * process is gone or another's, is removed.
 */
export async function findPostmaster(cluster: Cluster, answers: Answers): Promise<Postmaster | null> {
  const found = await readPidFile(cluster);
  if (!found) return null;
  if (isAlive(found.process) && (await servesThisCluster(found.process.pid, cluster))) {
    if (found.port && (await until(() => answers(found.port), ADOPT_MS))) return found;
    await stopPostmaster(found.process);
  }
  await rm(pidFile(cluster), { force: true });
  return null;
}

export async function startPostmaster(
  cluster: Cluster,
  how: { freePort(): Promise<number>; answers: Answers; flags: string[] },
): Promise<Postmaster> {
  const logPath = join(cluster.home, 'postgres.log');
  for (let tries = 1; ; tries++) {
    const port = await how.freePort();
    const log = await open(logPath, 'w', 0o600);
    const { file, args, options } = cluster.runAs.command(cluster.postgres, [
      ...['-D', cluster.directory, '-p', String(port)],
      ...['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
      ...how.flags,
    ]);
    const child = spawn(file, args, {
      ...options,
      cwd: '/',
      // A session of its own, and a file for its log: signals for the service and its death do not concern the server.
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    await log.close();
    child.unref();
    const failed = new Promise<string>((resolve) => {
      child.once('error', (error) => resolve(error.message));
      child.once('exit', (code, signal) => resolve(`it ended with ${signal ?? `exit code ${code}`}`));
    });
    let failure: string | null = null;
    void failed.then((reason) => (failure = reason));
    const up = await until(async () => failure !== null || (await how.answers(port)), START_MS);
    if (up && failure === null) return { process: identify(child.pid!), port };
    if (child.pid && failure === null) await stopPostmaster(identify(child.pid));
    const said = (await readFile(logPath, 'utf8').catch(() => '')).trim().split('\n').slice(-5).join('\n');
    // Another process may have taken the port between looking and listening.
    if (tries < 3 && said.includes('could not bind')) continue;
    throw new PushforwardError(
      'NOT_READY',
      `expected PostgreSQL to start in ${cluster.directory}, got ${failure ?? `no answer for ${START_MS / 1000} s`}: see ${logPath}\n${said}`,
    );
  }
}

/** Fast shutdown: sessions are ended, everything is written. Then immediate shutdown, which recovers at the next start. */
export async function stopPostmaster(postmaster: ProcessIdentity): Promise<void> {
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGKILL'] as const) {
    signalProcess(postmaster, signal);
    if (await until(async () => !isAlive(postmaster), STOP_MS)) return;
  }
}

const pidFile = (cluster: Cluster) => join(cluster.directory, 'postmaster.pid');

/** Lines: process id, data directory, start time, port, socket directory, address, ... */
async function readPidFile(cluster: Cluster): Promise<Postmaster | null> {
  const text = await readFile(pidFile(cluster), 'utf8').catch(() => null);
  if (text === null) return null;
  const lines = text.split('\n');
  return { process: identify(Number(lines[0])), port: Number(lines[3] ?? 0) };
}

/** Guards against a process that was given the id of a dead server. Without /proc the id has to do. */
async function servesThisCluster(pid: number, cluster: Cluster): Promise<boolean> {
  const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => null);
  return commandLine === null || commandLine.split('\0').includes(cluster.directory);
}

async function until(condition: () => Promise<boolean>, limitMs: number): Promise<boolean> {
  const deadline = performance.now() + limitMs;
  for (;;) {
    if (await condition()) return true;
    if (performance.now() > deadline) return false;
    await delay(POLL_MS);
  }
}
