/** The use cases over a real database and a real store; what would compute is scripted. */
import { mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createCatalog } from '../../src/adapters/database/catalog.ts';
import { createEventFeed } from '../../src/adapters/database/feed.ts';
import { createRetentionStore } from '../../src/adapters/database/retention.ts';
import { createRunStore } from '../../src/adapters/database/runs.ts';
import { createTriggerStore } from '../../src/adapters/database/triggers.ts';
import { createWebhookStore } from '../../src/adapters/database/webhooks.ts';
import { createEventVerifier, createWebhookHttp } from '../../src/adapters/http/index.ts';
import { createDirectoryStore } from '../../src/adapters/storage/directory.ts';
import { systemClock } from '../../src/base/clock.ts';
import { PushforwardError } from '../../src/base/errors.ts';
import { newId } from '../../src/base/ids.ts';
import { sha256 } from '../../src/base/json.ts';
import { silentLog } from '../../src/base/log.ts';
import { createControl } from '../../src/control/control.ts';
import { type Principal } from '../../src/control/identity.ts';
import { type DatasetImporter, type EngineControl, type PriorRegistrar } from '../../src/control/ports.ts';
import { type ClassCount, type DatasetVersionView, type PriorView } from '../../src/control/views.ts';
import { type ArtifactManifest, type RunChange, type RunStore } from '../../src/engine/ports.ts';
import { artifactId, createPublications, putBlob, storedObjects } from '../../src/pipeline/artifacts.ts';
import { type PriorDescription } from '../../src/pipeline/prior/description.ts';
import { fakePlanner } from '../support/engine.ts';
import { startTestPostgres } from '../support/postgres.ts';

export const LOCAL: Principal = { projectId: 'default', actor: 'local' };
export const SECRET = 'a secret of the tests';
export const STAGES = ['encode', 'survey', 'quantize', 'decode', 'label', 'report'];

export type World = Awaited<ReturnType<typeof startWorld>>;

export async function startWorld() {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'pushforward-control-')));
  const postgres = await startTestPostgres();
  const { db, url } = await postgres.database();
  const at = { url: 'http://127.0.0.1:1' };
  const store = createDirectoryStore({ root: join(folder, 'store'), signingSecret: SECRET, publicUrl: () => at.url });
  const objects = storedObjects(store);
  const catalog = createCatalog(db, objects);
  const runs = createRunStore({ db, url, objects });
  const engine = scriptedEngine(runs);
  const importer = scriptedImporter();
  const registrar = scriptedRegistrar();
  const options = {
    catalog,
    engine,
    importer,
    registrar,
    store,
    retention: createRetentionStore({ db, url, objects }),
    retentionEveryMs: 3_600_000,
    feed: createEventFeed({ db, url }),
    webhooks: createWebhookStore({ db, url }),
    sender: createWebhookHttp({ allow: ['127.0.0.0/8'], userAgent: 'Pushforward/0.0.0' }),
    serviceUrl: () => at.url,
    triggers: createTriggerStore(db),
    eventVerifier: createEventVerifier(),
    openLineage: { sinks: [], namespace: 'pushforward', version: '0.0.0', placeOf: (key: string) => join(folder, key) },
    clock: systemClock,
    log: silentLog,
    importRoots: null,
    ownObjects: [],
    executorClasses: ['cpu', 'gpu'],
    planner: fakePlanner(),
    price: () => ({ usdPerHour: 3.6, list: 'test' }),
    realPath: (path: string) => realpath(path).catch(() => null),
    uploads: { maxBytes: 1024 ** 4, keepMs: 3_600_000 },
  };
  const control = createControl(options);
  await control.start();
  return {
    folder,
    db,
    url,
    objects,
    catalog,
    runs,
    store,
    publications: createPublications(store),
    at,
    engine,
    importer,
    registrar,
    options,
    control,
    async close() {
      await control.close();
      await postgres.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The engine's writes without its work: a run moves when the test says so. */
export function scriptedEngine(runs: RunStore) {
  const listeners = new Set<(runId: string) => void>();
  const control: EngineControl = {
    async launch(order) {
      const stages = STAGES;
      const { run, created } = await runs.insertRun({ ...order, id: newId('run'), traceparent: null, stages });
      if (!created && run.fingerprint !== order.fingerprint) throw new PushforwardError('IDEMPOTENCY_CONFLICT', 'used');
      return { run, created };
    },
    async cancel(projectId, runId) {
      const run = await runs.findRun(projectId, runId);
      if (run?.state === 'QUEUED' || run?.state === 'RUNNING') await end(runId, run.state, 'CANCELLED');
    },
    events: {
      subscribe(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
  };
  const change = async (runId: string, work: (change: RunChange) => Promise<void>) => {
    await runs.change(runId, work);
    for (const listener of listeners) listener(runId);
  };
  const append = (runId: string, ...types: string[]) =>
    change(runId, (tx) => tx.appendEvents(types.map((type) => ({ type, payload: { about: type } }))));
  const end = (runId: string, from: 'QUEUED' | 'RUNNING', to: 'CANCELLED' | 'FAILED') =>
    change(runId, async (tx) => {
      await tx.updateRun(from, { state: 'STOPPING', cancelRequested: true });
      await tx.updateRun('STOPPING', { state: to, ended: true });
      await tx.appendEvents([{ type: `run.${to.toLowerCase()}`, payload: {} }]);
    });
  return { ...control, change, append, end, listeners };
}

/** What the scripted importer makes of classes. As in the pipeline: the digest is of the images, the manifest also says where they lie. */
export function importedFrom(path: string, classes: ClassCount[], split: string | null) {
  const digest = sha256(JSON.stringify(classes));
  const images = classes.reduce((sum, one) => sum + one.images, 0);
  const told = {
    digest,
    images,
    classes: classes.map((one) => ({ ...one })),
    bytes: 100 * images,
    chunks: classes.length,
    duplicates: { withinClass: 1, acrossClasses: 0 },
    ignored: { count: 1, examples: ['stray.heic'] },
    format: 'folder',
    split,
    splits: split === null ? [] : [split],
  };
  return { digest, images, newImages: null, classes, manifest: manifestOf('datasetVersion', { ...told, path }) };
}

/** What an import finds at a path, or does there. */
type Content = ClassCount[] | Error | ((signal: AbortSignal) => Promise<ClassCount[]>);

/** Imports what the test says lies at a path; `gate` holds an import until the test lets it go. */
function scriptedImporter() {
  const contents = new Map<string, Content>();
  const previous: (string | null)[] = [];
  const gate = { hold: null as Promise<void> | null };
  const importer: DatasetImporter = {
    async importDataset({ source, previous: before, onProgress, signal }) {
      previous.push(before?.id ?? null);
      onProgress({ images: 1, bytes: 100 });
      if (gate.hold) await Promise.race([gate.hold, new Promise((stop) => signal.addEventListener('abort', stop))]);
      signal.throwIfAborted();
      const there = contents.get(source.path) ?? [{ name: 'cat', images: 100 }];
      if (there instanceof Error) throw there;
      const content = typeof there === 'function' ? await there(signal) : there;
      const classes = source.classes ? content.filter((one) => source.classes!.includes(one.name)) : content;
      return importedFrom(source.path, classes, source.split);
    },
  };
  return { ...importer, contents, previous, gate };
}

export const PRIOR: PriorDescription = {
  name: 'tiny',
  version: '1.0.0',
  license: 'Apache-2.0',
  image: { channels: 3, height: 32, width: 32 },
  latent: { channels: 4, height: 8, width: 8 },
  classes: null,
  scalingFactor: 1,
  shiftFactor: 0,
  denoiser: null,
  teacher: null,
  files: {},
};

function scriptedRegistrar() {
  const scripted = { describe: (_path: string): PriorDescription => PRIOR };
  const registrar: PriorRegistrar = {
    async registerPrior({ path }) {
      const description = scripted.describe(path);
      const digest = sha256(JSON.stringify(description));
      const { name, version } = description;
      return { name, version, digest, description, manifest: manifestOf('prior', { digest }) };
    },
  };
  return { ...registrar, scripted };
}

export function manifestOf(
  kind: string,
  content: ArtifactManifest['content'],
  inputs: string[] = [],
): ArtifactManifest {
  const identity = { stage: kind, stageVersion: 1, options: content, inputs };
  return {
    formatVersion: 1,
    id: artifactId(identity),
    kind,
    ...identity,
    blobs: {},
    content,
    metrics: {},
    produced: {},
  };
}

/** A version that is READY, imported from a path of its own. */
export async function readyVersion(
  { control, importer, folder }: World,
  name: string,
  classes: ClassCount[],
  principal = LOCAL,
): Promise<DatasetVersionView> {
  importer.contents.set(folder, classes);
  const { version } = await control.importDataset(principal, { name, path: folder, idempotencyKey: newId('key') });
  await control.importsIdle();
  const [found] = await control.read(principal).datasetVersionsById([version.id]);
  return found!.version;
}

export async function anyPrior(
  { control, registrar, folder }: World,
  description = PRIOR,
  principal = LOCAL,
): Promise<PriorView> {
  registrar.scripted.describe = () => description;
  return (await control.registerPrior(principal, { path: folder })).prior;
}

/** Carries a run's quantize stage out: its classes, with figures, an artifact and a blob each. */
export async function quantized(
  world: World,
  runId: string,
  classes: readonly string[],
  principal = LOCAL,
): Promise<ArtifactManifest[]> {
  const manifests: ArtifactManifest[] = [];
  for (const [index, name] of classes.entries()) {
    const bytes = new TextEncoder().encode(`points of ${name}`);
    const blob = await putBlob(world.store, principal.projectId, bytes, 'application/octet-stream');
    const metrics = {
      n: 100,
      trainN: 90,
      heldoutN: 10,
      k: 5,
      distortion: 4 + index,
      w2Weighted: 2 + index,
      w2Uniform: 4 + index,
      reduction: 0.5,
      ess: 4.5,
    };
    manifests.push({
      ...manifestOf('codebook', { name, index }),
      stage: 'quantize',
      blobs: { 'codebook.safetensors': blob },
      metrics,
    });
  }
  await carriedOut(world, runId, classes, manifests);
  return manifests;
}

/** Carries a run's survey out: a curve of two points for each of its classes. */
export async function surveyed(world: World, runId: string, classes: readonly string[]): Promise<ArtifactManifest[]> {
  const manifests = classes.map((name, index): ArtifactManifest => {
    const point = { heldoutDistortion: null, spread: 0.01 };
    const curve = [
      { ...point, k: 1, distortion: 9 + index, w2: Math.sqrt(9 + index) },
      { ...point, k: 5, distortion: 4 + index, w2: Math.sqrt(4 + index) },
    ];
    const manifest = manifestOf('distortionCurve', { name, index });
    const metrics = { n: 100, trainN: 90, heldoutN: 10, surveyedN: 90, quantizationRate: -0.25 };
    return { ...manifest, stage: 'survey', content: { curve }, metrics };
  });
  await carriedOut(world, runId, classes, manifests);
  return manifests;
}

/** Carries a run's report out: a synthetic dataset of this name. */
export async function reported(world: World, runId: string, name: string): Promise<ArtifactManifest> {
  const manifest = { ...manifestOf('syntheticDataset', { name }), stage: 'report' };
  await carriedOut(world, runId, [name], [manifest]);
  return manifest;
}

/** Ends a stage that was carried out, with the artifact that lists those of its tasks. */
export async function endedStage(
  { engine }: World,
  runId: string,
  stage: string,
  manifests: readonly ArtifactManifest[],
): Promise<ArtifactManifest> {
  const ids = manifests.map(({ id }) => id);
  const manifest = { ...manifestOf('stage', { tasks: ids }, ids), stage };
  await engine.change(runId, async (tx) => {
    await tx.recordArtifacts([{ manifest, title: stage, taskId: null, made: { usage: null, costUsd: 0 } }]);
    await tx.updateStage(stage, 'RUNNING', { state: 'SUCCEEDED', artifactId: manifest.id, ended: true });
  });
  return manifest;
}

/** Moves the stage of these artifacts as the engine does: a task with one attempt for each. */
export async function carriedOut(
  { engine }: World,
  runId: string,
  classes: readonly string[],
  manifests: readonly ArtifactManifest[],
): Promise<void> {
  const { stage } = manifests[0]!;
  await engine.change(runId, async (tx) => {
    if (tx.run.state === 'QUEUED') await tx.updateRun('QUEUED', { state: 'RUNNING', started: true });
    await tx.updateStage(stage, 'PENDING', { state: 'RUNNING', started: true });
    const tasks = manifests.map((manifest, index) => ({
      id: newId('task'),
      spec: {
        artifactId: manifest.id,
        stage,
        stageVersion: 1,
        index,
        title: classes[index]!,
        labels: { class: classes[index]! },
        items: 90,
        options: manifest.options,
        locators: {},
        inputs: [],
      },
      state: 'PENDING' as const,
      cache: 'MISS' as const,
      cacheReason: null,
      metrics: null,
    }));
    await tx.insertTasks(tasks);
    for (const [index, task] of tasks.entries()) {
      const attempt = {
        id: newId('att'),
        taskId: task.id,
        number: 1,
        epoch: 1,
        executor: 'local',
        price: { usdPerHour: 3.6, list: 'test' },
        owner: 'test',
        leaseMs: 60_000,
      };
      await tx.insertAttempt(attempt);
      await tx.updateTask(task.id, 'PENDING', 0, { state: 'RUNNING', epoch: 1, started: true });
      const usage = { allocatedSeconds: 2, peakMemoryBytes: 3e9, bytesRead: 10, bytesWritten: 20 };
      await tx.updateAttempt(attempt.id, 'RUNNING', { state: 'SUCCEEDED', usage, costUsd: 0.001, ended: true });
      await tx.updateTask(task.id, 'RUNNING', 1, {
        state: 'SUCCEEDED',
        cache: 'MISS',
        metrics: manifests[index]!.metrics,
        itemsDone: 90,
        ended: true,
      });
    }
    await tx.recordArtifacts(
      manifests.map((manifest, index) => ({
        manifest,
        title: classes[index]!,
        taskId: tasks[index]!.id,
        made: { usage: null, costUsd: 0.001 },
      })),
    );
    await tx.recountStage(stage);
    await tx.appendEvents([{ type: 'stage.started', payload: { stage } }]);
  });
}
