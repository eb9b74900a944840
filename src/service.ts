/** Wires the service: what implements which port. `main.ts` has the commands; nothing else knows this much. */
import { randomBytes, randomUUID } from 'node:crypto';
import { access, constants, link, mkdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createCatalog } from './adapters/database/catalog.ts';
import { observeDatabase } from './adapters/database/census.ts';
import { migrate, openDatabase, ping, requireMigrated } from './adapters/database/connection.ts';
import { startEmbeddedPostgres } from './adapters/database/embedded.ts';
import { createEventFeed } from './adapters/database/feed.ts';
import { createProgressRelay, type ProgressReport } from './adapters/database/progress-relay.ts';
import { createRetentionStore } from './adapters/database/retention.ts';
import { createRunStore } from './adapters/database/runs.ts';
import { createTriggerStore } from './adapters/database/triggers.ts';
import { createWebhookStore } from './adapters/database/webhooks.ts';
import {
  createEventVerifier,
  createOpenLineageFile,
  createOpenLineageHttp,
  createWebhookHttp,
} from './adapters/http/index.ts';
import { createSourceScanner } from './adapters/images/index.ts';
import { createModelRuntime } from './adapters/runtime/index.ts';
import { bundleFolder, createSourceLocator, openStore, tryStore, verifySignedUrl } from './adapters/storage/index.ts';
import { startTelemetry } from './adapters/telemetry/index.ts';
import { requireLoopbackHost } from './api/http/guard.ts';
import { startProbes } from './api/http/probes.ts';
import { type ProgressReports } from './api/http/progress.ts';
import { startApi } from './api/http/server.ts';
import { systemClock } from './base/clock.ts';
import { invalid, PushforwardError, toErrorRecord } from './base/errors.ts';
import { newId } from './base/ids.ts';
import { identify, isAlive, type ProcessIdentity } from './base/process-identity.ts';
import { s3Url } from './base/s3-url.ts';
import { type Config } from './config.ts';
import { createControl, type Health } from './control/control.ts';
import { type OpenLineageOptions } from './control/openlineage/consumer.ts';
import { type DatasetImporter, type PriorRegistrar } from './control/ports.ts';
import { runFigures } from './control/run-figures.ts';
import { createEngine } from './engine/index.ts';
import { writeSpans } from './engine/spans.ts';
import { openExecutors } from './executors.ts';
import { createPublications, storedObjects } from './pipeline/artifacts.ts';
import { importDataset } from './pipeline/dataset/import.ts';
import { observeStore } from './pipeline/observed-store.ts';
import { createPlanner } from './pipeline/planner.ts';
import { type LocateObjects, type ObjectStore } from './pipeline/ports.ts';
import { readBundle } from './pipeline/prior/bundle.ts';
import { publishPrior } from './pipeline/prior/register.ts';
import { describeBundle, validatePrior } from './pipeline/prior/validate.ts';
import { storeTelemetry } from './pipeline/store-telemetry.ts';
import { uploadPlace } from './pipeline/uploads.ts';

export interface Service {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Starts everything; what was started is stopped again, last first, at `close` or when a later part fails.
 * @throws ALREADY_EXISTS if a service runs on this state directory
 */
export async function startService(config: Config): Promise<Service> {
  const stops: (() => Promise<unknown>)[] = [];
  /** One part that cannot stop does not keep the others from it; the first reason is told. */
  const stop = async () => {
    const failures: unknown[] = [];
    for (const each of stops.reverse()) await each().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  };
  try {
    requireLoopbackHost(config.host);
    await makeStateDir(config.stateDir);
    stops.push(await takeStateDir(config.stateDir));
    // What imports left that were killed.
    await rm(temporaryDir(config.stateDir), { recursive: true, force: true });
    const telemetry = startTelemetry({
      serviceName: 'pushforward',
      version: config.version,
      otlpEndpoint: config.otlpEndpoint,
      logLevel: config.logLevel ?? 'info',
      pretty: process.stderr.isTTY,
    });
    const { log } = telemetry;
    stops.push(() => telemetry.shutdown());

    let health = notReady('starting');
    let progress: ProgressReports | null = null;
    if (config.probePort !== null) {
      const probes = await startProbes({
        port: config.probePort,
        health: () => health(),
        metricsText: () => telemetry.metricsText(),
        progress: () => progress,
        log,
      });
      stops.push(() => probes.close());
    }
    await tryStore(config.store);
    const databaseUrl = config.databaseUrl ?? (await embeddedDatabase());
    const db = openDatabase({
      url: databaseUrl,
      onError: (error) => log.warn('a database connection broke', { error }),
    });
    stops.push(() => db.destroy());
    await ping(db);
    await (config.migrate === 'auto' ? migrate(db) : requireMigrated(db));
    observeDatabase(db);

    const signingSecret = config.signingSecret ?? (await serviceSecret(config.stateDir));
    let url = '';
    const stored = openStore(config.store, {
      root: join(config.stateDir, 'store'),
      signingSecret,
      publicUrl: () => config.publicUrl ?? url,
    });
    const store = observeStore(stored, storeTelemetry(writeSpans));
    const objects = storedObjects(store);
    const publications = createPublications(store);
    const relay = createProgressRelay({ db, url: databaseUrl, clock: systemClock, log });
    const forward = (report: ProgressReport) =>
      void relay
        .send(report)
        .catch((error: unknown) => log.debug('progress was lost', { error: toErrorRecord(error) }));
    const executors = await openExecutors(config, { store, publications, secret: signingSecret, forward, log });
    progress = executors.progress ?? null;
    if (executors.progress) relay.listen(executors.progress.takeProgress);
    stops.push(() => relay.close());
    stops.push(() => Promise.all(executors.all.map((executor) => executor.close())));
    const catalog = createCatalog(db, objects);
    const planner = createPlanner(store);
    const engine = createEngine({
      runs: createRunStore({ db, url: databaseUrl, objects }),
      figures: (run) => runFigures(catalog, run),
      publications,
      planner,
      executors: executors.all,
      clock: systemClock,
      log,
      ownerId: newId('service'),
      lease: config.lease,
      maxAttempts: config.maxAttempts,
      releaseDeadlineMs: config.releaseDeadlineMs,
    });
    const sender = createWebhookHttp({ allow: config.webhookAllow, userAgent: `Pushforward/${config.version}` });
    stops.push(async () => sender.close());
    const control = createControl({
      catalog,
      engine,
      importer: datasetImporter(
        store,
        createSourceLocator({
          s3: config.s3,
          upload: (uri, projectId) => uploadPlace(store, uri, projectId),
        }),
        config.stateDir,
      ),
      registrar: priorRegistrar(store),
      store,
      retention: createRetentionStore({ db, url: databaseUrl, objects }),
      retentionEveryMs: config.retentionEveryMs,
      feed: createEventFeed({ db, url: databaseUrl }),
      webhooks: createWebhookStore({ db, url: databaseUrl }),
      sender,
      serviceUrl: () => config.publicUrl ?? url,
      triggers: createTriggerStore(db),
      eventVerifier: createEventVerifier(),
      openLineage: openLineageOf(config),
      clock: systemClock,
      log,
      importRoots: config.importRoots,
      realPath: (path) => realpath(path).catch(() => null),
      uploads: config.uploads,
      ownObjects: ownObjects(config),
      executorClasses: executors.classes,
      planner,
      price: (work) => executors.all[0].price(work),
    });
    await control.start();
    stops.push(() => control.close());
    await engine.start();
    stops.push(() => engine.stop());
    const api = await startApi({
      host: config.host,
      port: config.port,
      publicUrl: config.publicUrl,
      control,
      log,
      metricsText: () => telemetry.metricsText(),
      objects: {
        verify: (path) => verifySignedUrl(path, signingSecret, systemClock.now()),
        head: (key) => store.head(key),
        stream: (key, range) => store.stream(key, range),
        ...('receive' in stored && { receive: stored.receive }),
      },
    });
    stops.push(() => api.close());
    url = api.url;
    control.startDeliveries();
    await announce(config.stateDir, url);
    health = () => control.health();
    stops.push(async () => void (health = notReady('stopping')));
    log.info(`listening at ${url}/graphql`, { stateDir: config.stateDir });
    return { url, close: stop };

    async function embeddedDatabase(): Promise<string> {
      const postgres = await startEmbeddedPostgres({ dataDir: join(config.stateDir, 'postgres'), log });
      stops.push(() => postgres.stop());
      return postgres.url;
    }
  } catch (error) {
    await stop().catch(() => {});
    throw error;
  }
}

/** Runs the service until the signal aborts. */
export async function serve(config: Config, signal: AbortSignal): Promise<void> {
  const service = await startService(config);
  console.log(`Pushforward ${config.version} at ${service.url}
  GraphQL   ${service.url}/graphql
  Explorer  ${service.url}/graphiql
  State     ${config.stateDir}`);
  if (!signal.aborted) await new Promise((stop) => signal.addEventListener('abort', stop, { once: true }));
  console.log('Stopping; runs in flight go on at the next start.');
  await service.close();
}

/** @returns the names of the migrations that were applied. @throws INVALID_INPUT for the embedded database */
export async function migrateDatabase(config: Config): Promise<string[]> {
  if (config.databaseUrl === null) {
    throw invalid(
      'expected DATABASE_URL, got none: set it, or start the service, which migrates the embedded database',
    );
  }
  const db = openDatabase({ url: config.databaseUrl, connections: 1 });
  try {
    await ping(db);
    return await migrate(db);
  } finally {
    await db.destroy();
  }
}

/** Uses the service that runs on this state directory, or starts one on a free port for as long as `work` takes. */
export async function withService(config: Config, work: (url: string) => Promise<void>): Promise<void> {
  const running = await runningService(config.stateDir);
  if (running) return work(running.url);
  const service = await startService({ ...config, port: 0, logLevel: config.logLevel ?? 'error' });
  try {
    await work(service.url);
  } finally {
    await service.close();
  }
}

/** @throws PRIOR_INVALID */
export async function describeValidPrior(directory: string): Promise<string> {
  const bundle = await readBundle(bundleFolder(directory));
  const runtime = await createModelRuntime({ provider: 'cpu', threads: 1 });
  try {
    await validatePrior(bundle, runtime);
    return describeBundle(bundle);
  } finally {
    await runtime.close();
  }
}

function notReady(state: 'starting' | 'stopping'): () => Promise<Health> {
  return async () => {
    throw new PushforwardError('NOT_READY', `expected a service that is up, got one that is ${state}: ask again`);
  };
}

function openLineageOf({ openLineage, store, stateDir, version }: Config): OpenLineageOptions {
  const { namespace, http, filePath } = openLineage;
  return {
    ...{ namespace, version },
    sinks: [
      ...(http ? [createOpenLineageHttp(http)] : []),
      ...(filePath === null ? [] : [createOpenLineageFile(filePath)]),
    ],
    placeOf: (key) =>
      store.kind === 's3'
        ? s3Url({ bucket: store.bucket, key: [store.prefix, key].filter(Boolean).join('/') })
        : join(stateDir, 'store', 'objects', key),
  };
}

/** Keys, database and, where it is no bucket, the store lie in the folder of the state. */
function ownObjects({ store, stateDir }: Config): string[] {
  if (store.kind !== 's3') return [stateDir];
  return [stateDir, s3Url({ bucket: store.bucket, key: [store.prefix, 'projects'].filter(Boolean).join('/') })];
}

function datasetImporter(
  store: ObjectStore,
  locate: (projectId: string) => LocateObjects,
  stateDir: string,
): DatasetImporter {
  return {
    importDataset: ({ projectId, source, previous, onProgress, signal }) =>
      importDataset({
        scanner: createSourceScanner({}, locate(projectId)),
        store,
        projectId,
        path: source.path,
        classes: source.classes,
        split: source.split,
        previous,
        tempDir: temporaryDir(stateDir),
        onProgress,
        signal,
      }),
  };
}

function priorRegistrar(store: ObjectStore): PriorRegistrar {
  const publications = createPublications(store);
  return {
    async registerPrior({ projectId, path }) {
      const bundle = await readBundle(bundleFolder(path));
      const runtime = await createModelRuntime({ provider: 'cpu', threads: 1 });
      try {
        await validatePrior(bundle, runtime);
      } finally {
        await runtime.close();
      }
      const manifest = await publishPrior({ bundle, store, projectId, publications });
      const { name, version } = bundle.description;
      return { name, version, digest: manifest.id, description: bundle.description, manifest };
    },
  };
}

const temporaryDir = (stateDir: string): string => join(stateDir, 'temporary');

interface Announcement {
  process: ProcessIdentity;
  /** Null until the service listens. */
  url: string | null;
}

const announcementPath = (stateDir: string): string => join(stateDir, 'service.json');

async function makeStateDir(stateDir: string): Promise<void> {
  try {
    await mkdir(stateDir, { recursive: true });
    await access(stateDir, constants.W_OK);
  } catch (cause) {
    throw new PushforwardError(
      'STORE_UNAVAILABLE',
      `expected a state directory that this user can write, got ${(cause as Error).message}: set PUSHFORWARD_STATE_DIR to one`,
      {},
      { cause },
    );
  }
}

/** Takes the state directory for this process. Answers with what gives it back. */
async function takeStateDir(stateDir: string): Promise<() => Promise<void>> {
  const path = announcementPath(stateDir);
  for (;;) {
    if (await writeWhole(stateDir, { process: identify(process.pid), url: null }, link)) {
      return () => rm(path, { force: true });
    }
    const other = await readAnnouncement(stateDir);
    if (other && other.process.pid !== process.pid && isAlive(other.process)) {
      throw new PushforwardError(
        'ALREADY_EXISTS',
        `expected no service on ${stateDir}, got process ${other.process.pid} at ${other.url ?? 'an address that it has yet to announce'}: ` +
          'stop it, or set PUSHFORWARD_STATE_DIR to another directory',
      );
    }
    // Left by a service that was killed.
    await rm(path, { force: true });
  }
}

async function announce(stateDir: string, url: string): Promise<void> {
  await writeWhole(stateDir, { process: identify(process.pid), url }, rename);
}

/** Readers never see a part of it. False where `place` is to make the file and it is there already. */
async function writeWhole(stateDir: string, announcement: Announcement, place: typeof link): Promise<boolean> {
  const temporary = join(stateDir, `service.${randomUUID()}.json`);
  await writeFile(temporary, JSON.stringify(announcement));
  try {
    await place(temporary, announcementPath(stateDir));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    await rm(temporary, { force: true });
  }
}

async function runningService(stateDir: string): Promise<{ url: string } | null> {
  const announced = await readAnnouncement(stateDir);
  if (!announced?.url || !isAlive(announced.process)) return null;
  const { url } = announced;
  const healthy = await fetch(`${url}/healthz`).then(
    (answer) => answer.ok,
    () => false,
  );
  return healthy ? { url } : null;
}

async function readAnnouncement(stateDir: string): Promise<Announcement | null> {
  try {
    return JSON.parse(await readFile(announcementPath(stateDir), 'utf8')) as Announcement;
  } catch {
    return null;
  }
}

/** Signs download URLs; made once per state directory. */
async function serviceSecret(stateDir: string): Promise<string> {
  const path = join(stateDir, 'secret');
  await writeFile(path, randomBytes(32).toString('hex'), { flag: 'wx', mode: 0o600 }).catch(
    (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    },
  );
  return (await readFile(path, 'utf8')).trim();
}
