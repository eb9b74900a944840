/**
 * Carries out tasks, one at a time, that the local executor hands over. Knows the store, the models and the images;
 * never the database, the use cases or the API.
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { context, propagation, SpanStatusCode, trace } from '@opentelemetry/api';
import { createImageCodec, createImageReader, createTableWriter, createTextOutlines } from './adapters/images/index.ts';
import { serveOrders } from './adapters/processes/worker-channel.ts';
import { createModelRuntime } from './adapters/runtime/index.ts';
import { createDirectoryStore } from './adapters/storage/index.ts';
import { startTelemetry } from './adapters/telemetry/index.ts';
import { type JsonObject } from './base/json.ts';
import { readConfig } from './config.ts';
import { type AttemptOrder } from './engine/ports.ts';
import { createPublications, readManifest } from './pipeline/artifacts.ts';
import { type ModelRuntime, type ProviderName } from './pipeline/ports.ts';
import { openPrior, type Prior } from './pipeline/prior/model.ts';
import { type WorkContext } from './pipeline/stage.ts';
import { carryOut } from './pipeline/work.ts';

const config = readConfig();
const telemetry = startTelemetry({
  serviceName: 'pushforward-worker',
  version: config.version,
  otlpEndpoint: config.otlpEndpoint,
  logLevel: config.logLevel,
  pretty: false,
});
const store = createDirectoryStore({
  root: join(config.stateDir, 'store'),
  // A worker signs no URLs.
  signingSecret: randomUUID(),
  publicUrl: () => '',
});
const publications = createPublications(store);
const images = {
  reader: createImageReader(store),
  codec: createImageCodec(),
  tables: createTableWriter(),
  text: createTextOutlines(),
};

/** One runtime per provider and thread count, one prior per runtime and artifact: sessions are costly and are kept. */
const runtimes = new Map<string, Promise<ModelRuntime>>();
const priors = new Map<string, Promise<Prior>>();

function runtimeOf(execution: JsonObject): Promise<ModelRuntime> {
  const provider = String(execution['provider']).toLowerCase() as ProviderName;
  const threads = execution['threads'] as number;
  const key = `${provider}/${threads}`;
  const known = runtimes.get(key);
  if (known) return known;
  const made = createModelRuntime({ provider, threads });
  made.catch(() => runtimes.delete(key));
  runtimes.set(key, made);
  return made;
}

async function contextOf(
  { projectId, execution }: AttemptOrder,
  signal: AbortSignal,
  onProgress: (done: number) => void,
): Promise<WorkContext> {
  const runtime = await runtimeOf(execution);
  return {
    projectId,
    store,
    runtime,
    images,
    batch: execution['batch'] as number,
    signal,
    onProgress,
    prior(artifactId) {
      const key = `${projectId}/${artifactId}/${String(execution['provider'])}/${String(execution['threads'])}`;
      const known = priors.get(key);
      if (known) return known;
      const opened = readManifest(store, projectId, artifactId).then((manifest) =>
        openPrior({ store, projectId, manifest, runtime }),
      );
      opened.catch(() => priors.delete(key));
      priors.set(key, opened);
      return opened;
    },
  };
}

serveOrders(
  async (order, { signal, onProgress }) => {
    const parent = propagation.extract(context.active(), { traceparent: order.traceparent ?? '' });
    const tracer = trace.getTracer('pushforward');
    return tracer.startActiveSpan(`work ${order.task.stage}`, {}, parent, async (span) => {
      try {
        const manifest = await carryOut(order.task, await contextOf(order, signal, onProgress), publications);
        return { manifest, metrics: manifest.metrics };
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR, message: error instanceof Error ? error.message : String(error) });
        throw error;
      } finally {
        span.end();
      }
    });
  },
  { beforeExit: () => telemetry.shutdown() },
);
