import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { follow, importReady, launch, registerPrior, runOf } from '../support/api-steps.ts';
import { pictures, writeFolder } from '../support/image-sources.ts';
import { startServiceProcess, withTemporaryFolder } from '../support/service-process.ts';
import { writeTinyPrior } from '../support/tiny-prior.ts';

interface OtlpSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  attributes: { key: string; value: { stringValue?: string; doubleValue?: number; intValue?: number | string } }[];
}

/** Takes OTLP over HTTP as JSON, as a collector does. */
async function receiver() {
  const spans: OtlpSpan[] = [];
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts);
      const text = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body).toString();
      const { resourceSpans } = JSON.parse(text) as { resourceSpans: { scopeSpans: { spans: OtlpSpan[] }[] }[] };
      spans.push(...resourceSpans.flatMap((of) => of.scopeSpans.flatMap((scope) => scope.spans)));
      response.setHeader('content-type', 'application/json').end('{}');
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { spans, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close: () => server.close() };
}

it('a run is one trace: a span per stage and per task, with its W2 figures and its cost', () =>
  withTemporaryFolder(async (folder) => {
    const otlp = await receiver();
    const images = join(folder, 'images');
    await writeFolder(images, await pictures({ a: 12, b: 12 }));
    await writeTinyPrior(join(folder, 'prior'));
    const service = await startServiceProcess(join(folder, 'state'), { OTEL_EXPORTER_OTLP_ENDPOINT: otlp.url });
    const { client } = service;
    const version = await importReady(client, { name: 'tiny', path: images });
    const priorId = await registerPrior(client, join(folder, 'prior'));
    const { run } = await launch(client, { datasetVersionId: version.id, priorId, imagesPerClass: 2 });
    await follow(client, run.id);
    const { traceId, classFigures, costUsd } = await runOf(client, run.id);
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    expect(await service.end()).toBe(0);
    otlp.close();

    const spans = otlp.spans.filter((span) => span.traceId === traceId);
    const named = (name: string) => spans.filter((span) => span.name === name);
    const value = (span: OtlpSpan, key: string) => {
      const found = span.attributes.find((attribute) => attribute.key === key)?.value;
      return found?.stringValue ?? Number(found?.doubleValue ?? found?.intValue);
    };
    expect(named('run')).toHaveLength(1);
    expect(value(named('run')[0]!, 'pushforward.cost.usd')).toBeCloseTo(costUsd, 9);
    for (const stage of ['encode', 'quantize', 'decode', 'label', 'compare', 'report']) {
      const [span] = named(`stage ${stage}`);
      const tasks = named(`task ${stage}`);
      expect(tasks).toHaveLength(2);
      for (const task of tasks) expect(task.parentSpanId).toBe(span!.spanId);
    }
    for (const { className, w2Weighted, w2Uniform, w2Balanced, w2D4mMean } of classFigures) {
      const task = named('task quantize').find((span) => value(span, 'pushforward.class') === className)!;
      expect(value(task, 'pushforward.metric.w2Weighted')).toBeCloseTo(w2Weighted, 9);
      expect(value(task, 'pushforward.metric.w2Uniform')).toBeCloseTo(w2Uniform, 9);
      const compared = named('task compare').find((span) => value(span, 'pushforward.class') === className)!;
      expect(value(compared, 'pushforward.metric.w2Balanced')).toBeCloseTo(w2Balanced, 9);
      expect(value(compared, 'pushforward.metric.w2D4mMean')).toBeCloseTo(w2D4mMean, 9);
    }
    expect(metrics).toMatch(/pushforward_runs_total\{[^}]*state="SUCCEEDED"[^}]*\} 1/);
  }));
