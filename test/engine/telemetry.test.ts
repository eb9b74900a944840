import { metrics, SpanStatusCode, trace } from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRunStore } from '../../src/adapters/database/runs.ts';
import { ended, engineOver, fakePlanner, fakesOf, launch } from '../support/engine.ts';
import { EMITTED_ELSEWHERE, missingInSpans } from '../support/telemetry-schema.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres.ts';
import { until } from '../support/until.ts';

let postgres: TestPostgres;
const spans = new InMemorySpanExporter();
const tracers = new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter: spans })] });
const points = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter: points, exportIntervalMillis: 3_600_000 });
const meters = new MeterProvider({ readers: [reader] });

beforeAll(async () => {
  trace.setGlobalTracerProvider(tracers);
  metrics.setGlobalMeterProvider(meters);
  postgres = await startTestPostgres();
}, 60_000);
afterAll(async () => {
  await postgres.stop();
  await Promise.all([tracers.shutdown(), meters.shutdown()]);
  trace.disable();
  metrics.disable();
});

it('makes one trace of a run, its figures on the spans, and counts', async () => {
  const database = await postgres.database();
  const first = await engineOver(database);
  const { executor } = first.fakes;
  await first.engine.start();
  executor.hold = (order) => order.task.stage === 'report';
  const runId = await launch(first.engine, database.db);
  (await until(() => executor.held[0])).fail('INTERNAL');
  await until(() => executor.held[1]);
  // The rest of the trace comes from another process.
  await first.engine.stop();
  executor.hold = () => false;
  const second = await engineOver(database, first.fakes);
  await second.engine.start();
  expect(await ended(database.db, runId)).toBe('SUCCEEDED');
  const cached = await launch(second.engine, database.db);
  await ended(database.db, cached);
  await second.engine.stop();
  const key = { idempotencyKey: 'key' };
  await launch(second.engine, database.db, { ...key, fingerprint: 'one' });
  await expect(launch(second.engine, database.db, { ...key, fingerprint: 'two' })).rejects.toThrow(
    'another: use a new key',
  );

  const all = spans.getFinishedSpans();
  for (const missing of missingInSpans(all)) expect(EMITTED_ELSEWHERE[missing]).not.toBe('engine/telemetry.test.ts');
  const run = await database.db
    .selectFrom('runs')
    .select('traceparent')
    .where('id', '=', runId)
    .executeTakeFirstOrThrow();
  const [, traceId, rootId] = run.traceparent!.split('-');
  const ofRun = all.filter((span) => span.spanContext().traceId === traceId);
  expect(ofRun.find((span) => span.spanContext().spanId === rootId)!.name).toBe('launch');
  const named = (name: string) => ofRun.filter((span) => span.name === name);
  expect(named('run')[0]!.attributes).toMatchObject({
    'pushforward.run.state': 'SUCCEEDED',
    'pushforward.run.id': runId,
  });
  // The stage that the first service left open is continued by the second.
  expect(named('stage report').map((span) => span.attributes['pushforward.interrupted'])).toEqual([true, undefined]);
  const tasks = named('task report');
  expect(tasks.map((span) => [span.status.code, span.attributes['pushforward.outcome']])).toEqual([
    [SpanStatusCode.ERROR, 'failed'],
    [SpanStatusCode.UNSET, 'cancelled'],
    [SpanStatusCode.UNSET, 'succeeded'],
  ]);
  expect(tasks[2]!.attributes).toMatchObject({
    'pushforward.stage': 'report',
    'pushforward.task.index': 0,
    'pushforward.class': 'class 0',
    'pushforward.metric.index': 0,
    'pushforward.cost.usd': 0.1,
    'pushforward.allocated.seconds': 10,
    'pushforward.cache': 'MISS',
  });
  // An attempt is linked to the one before it, also where that was another service's.
  expect(tasks.map(({ links }) => links.map((link) => [link.context.spanId, link.attributes]))).toEqual([
    [],
    [[tasks[0]!.spanContext().spanId, { 'pushforward.link': 'retry_of' }]],
    [[tasks[1]!.spanContext().spanId, { 'pushforward.link': 'retry_of' }]],
  ]);
  const order = executor.starts.at(-1)!;
  expect(order.traceparent).toBe(`00-${traceId}-${tasks[2]!.spanContext().spanId}-01`);

  const hits = all.filter((span) => span.attributes['pushforward.cache'] === 'HIT');
  expect(hits).toHaveLength(5);
  expect(hits.every((span) => span.duration[0] === 0 && span.duration[1] === 0)).toBe(true);

  await reader.forceFlush();
  const exported = points
    .getMetrics()
    .at(-1)!
    .scopeMetrics.flatMap((scope) => scope.metrics);
  const valuesOf = (name: string) => exported.find((one) => one.descriptor.name === name)!.dataPoints;
  const succeeded = valuesOf('pushforward.runs').find((point) => point.attributes['state'] === 'SUCCEEDED');
  expect(succeeded!.value).toBe(2);
  expect(valuesOf('pushforward.task.retries')).toMatchObject([
    { value: 1, attributes: { 'pushforward.failure.class': 'internal' } },
  ]);
  const cost = valuesOf('pushforward.cost').reduce((sum, point) => sum + (point.value as number), 0);
  expect(cost).toBeCloseTo(0.7);
  expect(valuesOf('pushforward.task.duration').length).toBeGreaterThan(0);
});

it('tells W2 by project and dataset, since projects may name theirs alike', async () => {
  const database = await postgres.database();
  const { engine } = await engineOver(database, fakesOf(), {
    figures: async ({ projectId }) => ({
      dataset: 'letters',
      figures: { w2Weighted: projectId === 'project_1' ? 1 : 2 },
    }),
  });
  await engine.start();
  for (const projectId of ['project_1', 'project_2'])
    expect(await ended(database.db, await launch(engine, database.db, { projectId }))).toBe('SUCCEEDED');
  await engine.stop();
  await reader.forceFlush();
  const exported = points
    .getMetrics()
    .at(-1)!
    .scopeMetrics.flatMap((scope) => scope.metrics);
  const gauge = exported.find(({ descriptor }) => descriptor.name === 'pushforward.w2')!;
  const labels = { dataset: 'letters', quantizer: 'weighted' };
  expect(gauge.dataPoints).toMatchObject([
    { value: 1, attributes: { project: 'project_1', ...labels } },
    { value: 2, attributes: { project: 'project_2', ...labels } },
  ]);
});

it('tells nothing of moves that did not come about', async () => {
  const database = await postgres.database();
  const fakes = fakesOf();
  const first = await engineOver(database, fakes);
  await first.engine.start();
  await ended(database.db, await launch(first.engine, database.db));
  await first.engine.stop();

  // Cancelled between what the engine sees and what it does: once while it plans, once when all is done.
  for (const when of ['plan', 'succeed']) {
    let runId = '';
    const runs = createRunStore(database);
    const { snapshot } = runs;
    const planner = fakePlanner();
    const { plan } = planner;
    if (when === 'plan') {
      planner.plan = async (request) => {
        await engine.cancel('project_1', request.runId);
        return plan(request);
      };
    } else {
      runs.snapshot = async (id) => {
        const seen = await snapshot(id);
        if (seen?.run.state === 'RUNNING' && seen.stages.every((stage) => stage.state === 'SUCCEEDED')) {
          await engine.cancel('project_1', id);
        }
        return seen;
      };
    }
    const { engine } = await engineOver(database, fakes, { runs, planner });
    await engine.start();
    runId = await launch(engine, database.db);
    expect(await ended(database.db, runId)).toBe('CANCELLED');
    await engine.stop();
    const told = spans.getFinishedSpans().filter((span) => span.attributes['pushforward.run.id'] === runId);
    expect(told.filter((span) => span.name === 'run').map((span) => span.attributes['pushforward.run.state'])).toEqual([
      'CANCELLED',
    ]);
    const cached = told.filter((span) => span.attributes['pushforward.cache'] === 'HIT');
    expect(cached).toHaveLength(when === 'plan' ? 0 : 5);
  }
});

it('counts attempts that were lost, and links to them', async () => {
  const database = await postgres.database();
  const first = await engineOver(database);
  const { executor } = first.fakes;
  executor.hold = (order) => order.task.stage === 'report';
  await first.engine.start();
  const runId = await launch(first.engine, database.db);
  const lost = await until(() => executor.held[0]);
  first.kill();
  executor.hold = () => false;
  const second = await engineOver(database, first.fakes);
  await second.engine.start();
  expect(await ended(database.db, runId)).toBe('SUCCEEDED');
  await second.engine.stop();

  const [again] = spans
    .getFinishedSpans()
    .filter(({ name, attributes }) => name === 'task report' && attributes['pushforward.run.id'] === runId);
  expect(again!.links.map((link) => link.context.spanId)).toEqual([lost.order.traceparent!.split('-')[2]]);
  await reader.forceFlush();
  const exported = points.getMetrics().at(-1)!;
  const counted = exported.scopeMetrics
    .flatMap((scope) => scope.metrics)
    .find(({ descriptor }) => descriptor.name === 'pushforward.leases.lost');
  expect(counted!.dataPoints).toMatchObject([{ value: 1, attributes: { 'pushforward.stage': 'report' } }]);
});
