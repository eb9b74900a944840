/** The run's trace is the caller's: from the header of the launch down to every task. */
import { context, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { W3CTraceContextPropagator } from '@opentelemetry/core';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { newId } from '../../src/base/ids.ts';
import { anyPrior, readyVersion } from '../control/world.ts';
import { ended } from '../support/engine.ts';
import { until } from '../support/until.ts';
import { type Answer, operationText, startEngineApi } from './client.ts';

const spans = new InMemorySpanExporter();
const tracers = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] });

let api: Awaited<ReturnType<typeof startEngineApi>>;
let recipe: Record<string, unknown>;
beforeAll(async () => {
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  trace.setGlobalTracerProvider(tracers);
  api = await startEngineApi();
  const version = await readyVersion(api, 'letters', [{ name: 'A', images: 10 }]);
  recipe = { datasetVersionId: version.id, priorId: (await anyPrior(api)).id, imagesPerClass: 2 };
}, 60_000);
afterAll(async () => {
  await api?.close();
  await tracers.shutdown();
  for (const each of [trace, context, propagation]) each.disable();
});

async function launch(headers: Record<string, string>): Promise<string> {
  const variables = { input: { recipe, idempotencyKey: newId('key') } };
  const answer = await api.post({ query: operationText('LaunchRun'), variables }, headers);
  return ((await answer.json()) as Answer).data.launchRun.run.id as string;
}

const traceIdOf = async (id: string): Promise<string> =>
  (await api.operation('Run', { id })).data.run.traceId as string;

it('a launch with a traceparent is a child of it, and so is the whole run', async () => {
  const [traceId, callerId] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
  const runId = await launch({ traceparent: `00-${traceId}-${callerId}-01` });
  expect(await ended(api.db, runId)).toBe('SUCCEEDED');
  expect(await traceIdOf(runId)).toBe(traceId);

  const ofTrace = () => spans.getFinishedSpans().filter((span) => span.spanContext().traceId === traceId);
  await until(() => ofTrace().some((span) => span.name === 'run'), 'the span of the run');
  const named = (name: string) => ofTrace().filter((span) => span.name === name);
  const [request] = named('POST /graphql');
  const [launched] = named('launch');
  expect(request!.parentSpanContext?.spanId).toBe(callerId);
  expect(launched!.parentSpanContext?.spanId).toBe(request!.spanContext().spanId);
  expect(named('run')[0]!.parentSpanContext?.spanId).toBe(launched!.spanContext().spanId);
  expect(named('task encode').length).toBeGreaterThan(0);
});

it.each<Record<string, string>>([
  {},
  { traceparent: 'nonsense' },
  { traceparent: `00-${'0'.repeat(32)}-${'0'.repeat(16)}-01` },
])('a launch without one (%o) has a trace of its own', async (headers) => {
  const [one, two] = [await launch(headers), await launch(headers)];
  const ids = await Promise.all([one, two].map(traceIdOf));
  for (const id of ids) expect(id).toMatch(/^(?!0{32})[0-9a-f]{32}$/);
  expect(ids[0]).not.toBe(ids[1]);
});
