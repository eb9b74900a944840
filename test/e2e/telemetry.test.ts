import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { follow, importReady, launch, launchDrift, registerPrior, runOf } from '../support/api-steps.ts';
import { pictures, writeFolder } from '../support/image-sources.ts';
import { skippedWithout } from '../support/needed.ts';
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from '../support/otlp-receiver.ts';
import { promtool, promtoolMissing, startPrometheus } from '../support/prometheus.ts';
import { startServiceProcess, withTemporaryFolder } from '../support/service-process.ts';
import {
  EMITTED_ELSEWHERE,
  MEASURED_ELSEWHERE,
  missingInMetrics,
  missingInSpans,
  prometheusNames,
  telemetrySchema,
  undescribedInMetrics,
  undescribedInSpans,
} from '../support/telemetry-schema.ts';
import { writeTinyPrior } from '../support/tiny-prior.ts';
import { until } from '../support/until.ts';
import { startWebhookSink } from '../support/webhook-sink.ts';

/** Runs that together have all that a span can tell: one of each quantizer, one that finds all published, one that measures drift, one that fails. */
async function sentByRuns(
  folder: string,
): Promise<{ otlp: OtlpReceiver; runs: Record<string, Run>; log: string; text: string }> {
  const otlp = await startOtlpReceiver();
  const images = join(folder, 'images');
  await writeFolder(images, await pictures({ a: 40, b: 40 }));
  await writeFolder(join(folder, 'broken'), await pictures({ a: 4 }));
  await writeTinyPrior(join(folder, 'prior'));
  const service = await startServiceProcess(join(folder, 'state'), {
    OTEL_EXPORTER_OTLP_ENDPOINT: otlp.url,
    PUSHFORWARD_OPENLINEAGE_FILE: join(folder, 'lineage.ndjson'),
    PUSHFORWARD_WEBHOOK_ALLOW: '127.0.0.0/8',
    LOG_LEVEL: 'debug',
  });
  const { client } = service;
  const sink = await startWebhookSink();
  await client.send('CreateWebhook', { input: { url: sink.url, types: ['datasetVersion.ready'] } });
  const priorId = await registerPrior(client, join(folder, 'prior'));
  await client.send('CreateTrigger', {
    name: 'any',
    definition: { source: { kind: 'DATASET_VERSION', dataset: 'tiny' }, action: { notify: {} } },
  });
  const version = await importReady(client, { name: 'tiny', path: images });
  const others = Object.entries(await pictures({ z: 80, a: 40, b: 40 })).filter(([path]) => !path.startsWith('z/'));
  await writeFolder(join(folder, 'others'), Object.fromEntries(others));
  const newer = await importReady(client, { name: 'tiny', path: join(folder, 'others') });
  const broken = await importReady(client, { name: 'broken', path: join(folder, 'broken') });
  const ended = async (recipe: { datasetVersionId: string; [field: string]: unknown }) => {
    const { run } = await launch(client, { priorId, imagesPerClass: 2, ...recipe });
    await follow(client, run.id);
    return await runOf(client, run.id);
  };
  const recipe = {
    datasetVersionId: version.id,
    survey: { mode: 'ON' },
    holdout: 0.5,
    execution: { batch: 2 },
  };
  const lloyd = await ended(recipe);
  const again = await ended(recipe);
  const clvq = await ended({ ...recipe, quantizer: { algorithm: 'CLVQ' } });
  const driftId = await launchDrift(client, { datasetVersionId: newer.id, against: lloyd.id });
  await follow(client, driftId);
  const drift = await runOf(client, driftId);
  expect(drift).toMatchObject({ state: 'SUCCEEDED', failure: null });
  await rm(join(folder, 'broken'), { recursive: true });
  const failed = await ended({ datasetVersionId: broken.id, imagesPerClass: 1 });
  await until(() => sink.received.length === 3);
  await sink.close();
  const text = await (await fetch(`${service.url}/metrics`)).text();
  expect(await service.end()).toBe(0);
  otlp.close();
  return { otlp, runs: { lloyd, again, clvq, drift, failed }, log: service.output(), text };
}

type Run = Awaited<ReturnType<typeof runOf>>;

describe('what runs send to a receiver', () => {
  let sent: Awaited<ReturnType<typeof sentByRuns>>;
  beforeAll(async () => {
    sent = await withTemporaryFolder(sentByRuns);
  });

  const spansOf = (run: Run) => sent.otlp.spans.filter((span) => span.traceId === run.traceId);
  const named = (run: Run, name: string) => spansOf(run).filter((span) => span.name === name);

  it('is what schema/telemetry.yaml describes', () => {
    expect(undescribedInSpans(sent.otlp.spans)).toEqual([]);
    expect(missingInSpans(sent.otlp.spans)).toEqual(Object.keys(EMITTED_ELSEWHERE));
    for (const resource of sent.otlp.resources) expect(telemetrySchema.resource).toMatchObject(mapped(resource));
  });

  it('and its metrics, which /metrics has too', () => {
    const { metrics } = sent.otlp;
    expect(undescribedInMetrics(metrics.values())).toEqual([]);
    expect(missingInMetrics(metrics)).toEqual(Object.keys(MEASURED_ELSEWHERE));
    const shown = new Set([...sent.text.matchAll(/^([a-z]\w*)[ {]/gm)].map(([, name]) => name!));
    shown.delete('target_info');
    const elsewhere = telemetrySchema.metrics.filter(({ name }) => name in MEASURED_ELSEWHERE);
    for (const { prometheus } of elsewhere) shown.add(prometheus);
    expect([...shown].sort()).toEqual(prometheusNames().sort());
  });

  it.skipIf(skippedWithout(promtoolMissing))('has names that Prometheus likes', async () => {
    expect(await promtool(['check', 'metrics'], sent.text)).toBe('');
    expect(await promtool(['check', 'metrics'], '# TYPE seconds counter\nseconds 1\n')).toMatch(/_total/);
  });

  it('is one trace for each run: launch, stages, tasks, and below those batches and calls of the store', () => {
    const { lloyd } = sent.runs as { lloyd: Run };
    const spans = spansOf(lloyd);
    const byId = new Map(spans.map((span) => [span.spanId, span]));
    const parentOf = (span: ReceivedSpan) => byId.get(span.parentSpanId);
    const [launched] = named(lloyd, 'launch');
    expect(parentOf(launched!)!.name).toBe('POST /graphql');
    expect(parentOf(named(lloyd, 'run')[0]!)).toBe(launched);
    for (const stage of ['encode', 'survey', 'quantize', 'decode', 'label', 'compare', 'report']) {
      const [span] = named(lloyd, `stage ${stage}`);
      expect(parentOf(span!)).toBe(launched);
      const tasks = named(lloyd, `task ${stage}`);
      expect(tasks).toHaveLength(2);
      for (const task of tasks) expect(parentOf(task)).toBe(span);
    }
    const batches = spans.filter(({ name }) => name.startsWith('batch '));
    const parents = new Set(batches.map((span) => `${parentOf(span)!.name}: ${span.name}`));
    expect([...parents].sort()).toEqual([
      'task compare: batch encode',
      'task decode: batch decode',
      'task decode: batch denoise',
      'task encode: batch encode',
      'task label: batch teach',
    ]);
    for (const span of batches) {
      expect(span.startMs).toBeGreaterThanOrEqual(parentOf(span)!.startMs - 5);
      expect(span.endMs).toBeLessThanOrEqual(parentOf(span)!.endMs + 5);
    }
    // 20 batches of 2 images: the first and the sixteenth are told.
    const encoded = batches.filter((span) => parentOf(span)!.name === 'task encode');
    expect(encoded.map(({ attributes }) => attributes['pushforward.sequence']).sort()).toEqual([1, 1, 16, 16]);
    expect(encoded.map(({ attributes }) => attributes['pushforward.batch.images'])).toEqual([2, 2, 2, 2]);
    const store = spans.filter(({ name }) => name.startsWith('store '));
    expect(store.some((span) => parentOf(span)!.name === 'task encode')).toBe(true);
  });

  it('has the figures that the API has', () => {
    const { lloyd, clvq } = sent.runs as { lloyd: Run; clvq: Run };
    for (const run of [lloyd, clvq]) {
      const [span] = named(run, 'run');
      expect(span!.attributes['pushforward.cost.usd']).toBeCloseTo(run.costUsd, 9);
      expect(span!.attributes['pushforward.dataset']).toBe('tiny');
      const mean = run.classFigures.reduce((sum, { w2Weighted }) => sum + w2Weighted, 0) / run.classFigures.length;
      expect(span!.attributes['pushforward.metric.w2Weighted']).toBeCloseTo(mean, 9);
    }
    for (const { className, w2Weighted, w2Uniform, w2Balanced, w2D4mMean } of lloyd.classFigures) {
      const of = (name: string) =>
        named(lloyd, name).find(({ attributes }) => attributes['pushforward.class'] === className)!.attributes;
      expect(of('task quantize')['pushforward.metric.w2Weighted']).toBeCloseTo(w2Weighted, 9);
      expect(of('task quantize')['pushforward.metric.w2Uniform']).toBeCloseTo(w2Uniform, 9);
      expect(of('task compare')['pushforward.metric.w2Balanced']).toBeCloseTo(w2Balanced, 9);
      expect(of('task compare')['pushforward.metric.w2D4mMean']).toBeCloseTo(w2D4mMean, 9);
      expect(of('task encode')).toMatchObject({
        'pushforward.provider': 'cpu',
        'pushforward.batch.limit': 2,
        'pushforward.cache': 'MISS',
      });
    }
  });

  it('tells what was found published, and why a run failed', () => {
    const { again, failed } = sent.runs as { again: Run; failed: Run };
    const tasks = spansOf(again).filter(({ name }) => name.startsWith('task '));
    expect(tasks.length).toBeGreaterThan(10);
    expect(new Set(tasks.map(({ attributes }) => attributes['pushforward.cache']))).toEqual(new Set(['HIT']));
    for (const name of ['run', 'stage encode', 'task encode']) {
      expect(named(failed, name)[0]).toMatchObject({
        status: 2,
        attributes: { 'pushforward.failure.class': 'userError', 'pushforward.failure.code': 'SOURCE_CHANGED' },
      });
    }
  });

  it('goes with a log that has the ids of trace and run', () => {
    const lines = sent.log.split('\n').filter((line) => line.startsWith('{'));
    const parsed = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    const ofRuns = parsed.filter(({ run }) => run !== undefined);
    expect(ofRuns.filter(({ message }) => message === 'a run was launched')).toHaveLength(5);
    expect(ofRuns.filter(({ message }) => message === 'a run ended').map(({ state }) => state)).toEqual([
      ...['SUCCEEDED', 'SUCCEEDED', 'SUCCEEDED', 'SUCCEEDED', 'FAILED'],
    ]);
    const traces = new Map(Object.values(sent.runs).map((run) => [run.id, run.traceId]));
    for (const { run, trace_id } of ofRuns) expect([run, trace_id]).toEqual([run, traces.get(String(run))]);
  });
});

it.skipIf(skippedWithout(promtoolMissing))('a Prometheus that scrapes the service has what is in the database', () =>
  withTemporaryFolder(async (folder) => {
    const service = await startServiceProcess(join(folder, 'state'));
    const prometheus = await startPrometheus(folder, new URL(service.url).host);
    try {
      const asked = () => prometheus.query('pushforward_runs_current{job="pushforward"}');
      await expect.poll(async () => (await asked())?.length, { timeout: 60_000 }).toBe(3);
      expect((await asked())!.map(({ metric, value }) => [metric['state'], value[1]]).sort()).toEqual([
        ['QUEUED', '0'],
        ['RUNNING', '0'],
        ['STOPPING', '0'],
      ]);
      const latency = 'histogram_quantile(0.95, sum by (le) (rate(pushforward_database_duration_seconds_bucket[1m])))';
      await expect
        .poll(async () => Number((await prometheus.query(latency))?.[0]?.value[1]) > 0, { timeout: 60_000 })
        .toBe(true);
      expect(await prometheus.rules()).toContain('PushforwardLeasesLost');
    } finally {
      await prometheus.end();
    }
    expect(await service.end()).toBe(0);
  }),
);

it('a receiver that is away costs a run nothing but its spans, which are counted', () =>
  withTemporaryFolder(async (folder) => {
    await writeFolder(join(folder, 'images'), await pictures({ a: 12 }));
    await writeTinyPrior(join(folder, 'prior'));
    const service = await startServiceProcess(join(folder, 'state'), {
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
    });
    const { client } = service;
    const version = await importReady(client, { name: 'tiny', path: join(folder, 'images') });
    const priorId = await registerPrior(client, join(folder, 'prior'));
    const { run } = await launch(client, { datasetVersionId: version.id, priorId, imagesPerClass: 2 });
    await follow(client, run.id);
    expect((await runOf(client, run.id)).state).toBe('SUCCEEDED');
    const lost = async () => {
      const text = await (await fetch(`${service.url}/metrics`)).text();
      return Number(/^pushforward_telemetry_lost_spans_total\S* (\d+)/m.exec(text)?.[1]);
    };
    await expect.poll(lost, { timeout: 30_000 }).toBeGreaterThan(20);
    expect(await service.end()).toBe(0);
  }));

/** As the schema describes what has a value. */
const mapped = (values: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { type: typeof value }]));
