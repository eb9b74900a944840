/**
 * Carries out tasks: those that the local executor hands over, one at a time, or the one of the pod that this runs in.
 * Knows the store, the models and the images; never the database, the use cases or the API.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import {
  createArchiveWriter,
  createImageCodec,
  createImageReader,
  createTableWriter,
  createTextOutlines,
} from './adapters/images/index.ts';
import { servePodTask } from './adapters/kubernetes/pod-worker.ts';
import { serveOrders } from './adapters/processes/worker-channel.ts';
import { createModelRuntime } from './adapters/runtime/index.ts';
import { createSourceLocator, openStore } from './adapters/storage/index.ts';
import { armCrashPoints, crashPoint } from './base/crash-points.ts';
import { type JsonObject } from './base/json.ts';
import { readConfig } from './config.ts';
import { type AttemptOrder, type SpanRecord, type TaskResult } from './engine/ports.ts';
import { contextOf, writeSpans } from './engine/spans.ts';
import { createPublications, readManifest } from './pipeline/artifacts.ts';
import { countBytes } from './pipeline/counted-store.ts';
import { observeStore } from './pipeline/observed-store.ts';
import { type ModelRuntime, type ProviderName } from './pipeline/ports.ts';
import { openPrior, type Prior } from './pipeline/prior/model.ts';
import { uploadPlace } from './pipeline/uploads.ts';
import { carryOut } from './pipeline/work.ts';
import { createWorkSpans } from './pipeline/work-spans.ts';

const config = readConfig();
armCrashPoints(config.crashPointsDir);
const objects = openStore(config.store, {
  root: join(config.stateDir, 'store'),
  // A worker signs no URLs.
  signingSecret: randomUUID(),
  publicUrl: () => '',
});
const locate = createSourceLocator({
  s3: config.s3,
  upload: (uri, projectId) => uploadPlace(objects, uri, projectId),
});
const codec = createImageCodec();
const tables = createTableWriter();
const archives = createArchiveWriter();
const text = createTextOutlines();

/** Sessions are costly and are kept: one runtime per provider and thread count, one prior per runtime and artifact. */
const runtimes = new Map<string, Promise<ModelRuntime>>();
const priors = new Map<string, Promise<Prior>>();

if (config.podTask) process.exit(await servePod(config.podTask));
serveOrders(carryOutOrder);

/** A child's spans go to its service. A pod sends its own, which takes the SDK: loaded here alone, since children come and go. */
async function servePod(task: NonNullable<typeof config.podTask>): Promise<number> {
  if (config.otlpEndpoint === null) return await servePodTask(task, objects, carryOutOrder);
  const { startTracing } = await import('./adapters/telemetry/index.ts');
  const tracing = startTracing({
    ...{ serviceName: 'pushforward-worker', version: config.version, otlpEndpoint: config.otlpEndpoint },
  });
  const code = await servePodTask(task, objects, (order, context) =>
    carryOutOrder(order, { ...context, onSpans: (spans) => writeSpans(contextOf(order.traceparent), spans) }),
  );
  await tracing.shutdown();
  return code;
}

interface WorkerContext {
  signal: AbortSignal;
  onProgress(itemsDone: number): void;
  onSpans?(spans: readonly SpanRecord[]): void;
}

async function carryOutOrder(
  { projectId, task, execution, halvings }: AttemptOrder,
  { signal, onProgress, onSpans }: WorkerContext,
): Promise<TaskResult> {
  crashPoint('order.taken');
  const spans = config.otlpEndpoint !== null && onSpans ? createWorkSpans(onSpans) : null;
  const { store: counted, bytes } = countBytes(objects);
  const store = spans ? observeStore(counted, spans.storeCall) : counted;
  const key = `${String(execution['provider'])}/${String(execution['threads'])}`;
  const runtime = await kept(runtimes, key, () => openRuntime(execution));
  // What it reads later is of no one order's trace.
  const open = (artifactId: string) =>
    kept(priors, `${projectId}/${artifactId}/${key}`, async () =>
      openPrior({ store: counted, projectId, manifest: await readManifest(counted, projectId, artifactId), runtime }),
    );
  const manifest = await carryOut(
    task,
    {
      projectId,
      store,
      runtime,
      images: { reader: createImageReader(store, locate), codec, tables, archives, text },
      batch: Math.max(1, Math.floor((execution['batch'] as number) / 2 ** halvings)),
      signal,
      onProgress,
      prior: async (artifactId) => (spans ? spans.observe(await open(artifactId)) : open(artifactId)),
    },
    createPublications(store),
  ).finally(() => spans?.end());
  // The executor sees the seconds and the memory.
  return { manifest, metrics: manifest.metrics, usage: { allocatedSeconds: 0, peakMemoryBytes: 0, ...bytes() } };
}

function openRuntime(execution: JsonObject): Promise<ModelRuntime> {
  const provider = String(execution['provider']).toLowerCase() as ProviderName;
  return createModelRuntime({ provider, threads: execution['threads'] as number });
}

function kept<T>(of: Map<string, Promise<T>>, key: string, make: () => Promise<T>): Promise<T> {
  const known = of.get(key);
  if (known) return known;
  const made = make();
  made.catch(() => of.delete(key));
  of.set(key, made);
  return made;
}
