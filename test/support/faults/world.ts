import { mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { createDirectoryStore } from '../../../src/adapters/storage/directory.ts';
import { type CrashPoint } from '../../../src/base/crash-points.ts';
import { type ObjectStore } from '../../../src/pipeline/ports.ts';
import { PushforwardError } from '../../../src/base/errors.ts';
import { importReady, registerPrior } from '../api-steps.ts';
import { gzipped, pictures, writeTar } from '../image-sources.ts';
import { writeTinyPrior } from '../tiny-prior.ts';
import { until } from '../until.ts';
import { type FaultyPostgres, query } from './postgres.ts';
import { supervise, type Supervised } from './supervised.ts';

/** Images and a prior that every world of a test file imports: the same ones, so that everything made of them is the same. */
export interface Sources {
  images: string;
  prior: string;
  remove(): Promise<void>;
}

/** Where a world's objects lie. */
export interface WorldStore {
  /** What a service is told of it. */
  env: Record<string, string>;
  /** The same objects, past every fault. */
  objects: ObjectStore;
  /** The folder that they lie in as files. */
  folder: string;
  /** Before the folder of the world is removed. */
  release?(): void;
}

export interface World {
  /** Of the store and of everything else. */
  folder: string;
  stateDir: string;
  store: WorldStore;
  databaseUrl: string;
  replicas: readonly Supervised[];
  /** Of the first replica, once it is up. */
  servicePid(): Promise<number>;
  /** Asks the first replica until it answers: it may be down, or go down meanwhile. */
  send<T>(operation: string, variables: Record<string, unknown>): Promise<T>;
  recipe: Record<string, unknown>;
  /** Launches the recipe. @returns the run's id */
  launch(idempotencyKey?: string): Promise<{ runId: string; reused: boolean }>;
  /** Waits until the run has ended. @returns its state */
  ended(runId: string, limitMs?: number): Promise<string>;
  /** Lets the next process that comes to a point die there. */
  arm(...points: CrashPoint[]): Promise<void>;
  /** Lets it stop there. */
  armStop(point: CrashPoint): Promise<void>;
  /** Points that nothing has come to yet. */
  armed(): Promise<string[]>;
  query: <Row extends Record<string, unknown>>(text: string, values?: unknown[]) => Promise<Row[]>;
  /** Ends the services, and takes everything away. @returns their exit codes */
  close(): Promise<(number | null)[]>;
}

export async function makeSources(): Promise<Sources> {
  const folder = await mkdtemp(join(tmpdir(), 'pushforward-faults-sources-'));
  const tar = await writeTar(join(folder, 'images.tar'), await pictures({ a: 12, b: 12 }));
  // Of an archive that cannot be read at random images are packed into the store, and read from there by ranges.
  const images = await gzipped(join(folder, 'images.tar.gz'), await readFile(tar));
  const prior = join(folder, 'prior');
  await writeTinyPrior(prior);
  return { images, prior, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Limits that make a service give up soon what is silent, and try on what failed. */
const IMPATIENT = {
  PUSHFORWARD_LEASE_MS: '3000',
  PUSHFORWARD_LEASE_RENEW_MS: '500',
  PUSHFORWARD_RELEASE_DEADLINE_MS: '15000',
  PUSHFORWARD_MAX_ATTEMPTS: '10',
  PUSHFORWARD_LOCAL_SLOTS: '2',
  LOG_LEVEL: 'debug',
};

export interface WorldOptions {
  postgres: FaultyPostgres;
  sources: Sources;
  /** Absent: a directory. */
  store?: (folder: string) => Promise<WorldStore>;
  /** Absent: 1. */
  replicas?: number;
  /** Over the usual settings. */
  env?: Record<string, string>;
  /** What is done once everything is imported, before a run is launched. */
  imported?: (world: World) => Promise<void>;
}

/** A service with dataset and prior imported and nothing launched. */
export async function openWorld(of: WorldOptions): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'pushforward-faults-'));
  const crashPoints = join(folder, 'crash-points');
  await mkdir(crashPoints);
  const stateDir = join(folder, 'state');
  const store = await (of.store ?? (async () => directoryStore(stateDir)))(folder);
  const databaseUrl = await of.postgres.database();
  const env = { ...IMPATIENT, DATABASE_URL: databaseUrl, PUSHFORWARD_CRASH_POINTS: crashPoints };
  const stateDirs = Array.from({ length: of.replicas ?? 1 }, (_, i) => (i === 0 ? stateDir : `${stateDir}-${i}`));
  // A directory store is that of every replica.
  for (const other of stateDirs.slice(1)) {
    await mkdir(other);
    await symlink(join(stateDir, 'store'), join(other, 'store'));
  }
  const replicas = stateDirs.map((dir) => supervise(dir, { ...env, ...store.env, ...of.env }));
  const service = () => replicas[0]!.service();
  const ask: World['query'] = (text, values) => query(of.postgres.direct(databaseUrl), text, values);
  const { client } = await service();
  const version = await importReady(client, { name: 'pictures', path: of.sources.images });
  const priorId = await registerPrior(client, of.sources.prior);
  const recipe = { datasetVersionId: version.id, priorId, imagesPerClass: 2 };
  const send: World['send'] = (operation, variables) =>
    until(
      async () => {
        const up = await service();
        return up.client.send(operation, variables).catch((error: unknown) => {
          if (isUnanswered(error)) return null;
          throw error;
        });
      },
      `${operation} to be answered`,
      90_000,
    ) as never;
  return {
    ...{ folder, stateDir, store, databaseUrl, replicas, recipe, query: ask },
    send,
    servicePid: async () => (await service()).pid,
    async launch(idempotencyKey = crypto.randomUUID()) {
      const input = { recipe, idempotencyKey };
      const { launchRun } = await send<{ launchRun: { reused: boolean; run: { id: string } } }>('LaunchRun', { input });
      return { runId: launchRun.run.id, reused: launchRun.reused };
    },
    ended: (runId, limitMs = 120_000) =>
      until(
        async () => {
          const rows = await ask<{ state: string }>(
            `select state from runs where id = $1 and state in ('SUCCEEDED', 'FAILED', 'CANCELLED')`,
            [runId],
          );
          return rows[0]?.state;
        },
        `run ${runId} to end`,
        limitMs,
      ),
    async armStop(point) {
      // Whoever comes there must not find it half written.
      const path = join(folder, point);
      await writeFile(path, 'SIGSTOP');
      await rename(path, join(crashPoints, point));
    },
    arm: async (...points) => {
      for (const point of points) await writeFile(join(crashPoints, point), '');
    },
    armed: () => readdir(crashPoints),
    async close() {
      const codes = await Promise.all(replicas.map((replica) => replica.stop()));
      store.release?.();
      await rm(folder, { recursive: true, force: true });
      return codes;
    },
  };
}

function directoryStore(stateDir: string): WorldStore {
  const root = join(stateDir, 'store');
  const objects = createDirectoryStore({ root, signingSecret: 'of a test', publicUrl: () => '' });
  return { env: {}, objects, folder: root };
}

/** No answer, or from a service that starts or stops. */
function isUnanswered(error: unknown): boolean {
  if (!(error instanceof PushforwardError)) return false;
  return error.code === 'NOT_READY' || (error.cause as NodeJS.ErrnoException | undefined)?.syscall !== undefined;
}

/** Uses a world; where that fails, says what its services wrote and how its runs went. */
export async function withWorld(of: WorldOptions, use: (world: World) => Promise<void>): Promise<void> {
  const world = await openWorld(of);
  try {
    await of.imported?.(world);
    await use(world);
  } catch (error) {
    const events = await world.query('select at, run_id, type, payload from run_events order by at desc limit 60');
    const lines = events.reverse().map((event) => JSON.stringify(event).slice(0, 600));
    for (const replica of world.replicas) process.stderr.write(replica.output());
    process.stderr.write(`armed: ${(await world.armed()).join(', ')}\n${lines.join('\n')}\n`);
    await world.close();
    throw error;
  }
  expect(await world.close()).toEqual(world.replicas.map(() => 0));
}

/** Makes every file below a folder two days old. */
export async function makeOld(folder: string): Promise<void> {
  const old = new Date(Date.now() - 48 * 3600 * 1000);
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (entry.isFile()) await utimes(join(entry.parentPath, entry.name), old, old);
  }
}
