import { context, metrics, propagation, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { startTelemetry, type Telemetry, type TelemetryOptions } from '../../../src/adapters/telemetry/index.ts';
import { invalid } from '../../../src/base/errors.ts';
import { startOtlpReceiver } from '../../support/otlp-receiver.ts';

let running: Telemetry | null = null;
let lines: string[] = [];
const servers: Server[] = [];

function start(options: Partial<TelemetryOptions> = {}): Telemetry {
  lines = [];
  running = startTelemetry({
    serviceName: 'service',
    version: '1.2.3',
    otlpEndpoint: null,
    logLevel: 'info',
    pretty: false,
    write: (line) => lines.push(line),
    ...options,
  });
  return running;
}

afterEach(async () => {
  await running?.shutdown();
  running = null;
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** @returns its URL */
async function answering(status: number): Promise<string> {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(status).end());
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const parsed = (): Record<string, unknown>[] => lines.map((line) => JSON.parse(line) as Record<string, unknown>);

describe('logs', () => {
  it('are JSON lines with time, level, service, message and fields', () => {
    const { log } = start();
    log.debug('too fine');
    log.with({ runId: 'run_1' }).info('started', { stage: 'encode' });
    expect(parsed()).toEqual([
      {
        level: 'info',
        time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
        service: 'service',
        runId: 'run_1',
        stage: 'encode',
        message: 'started',
      },
    ]);
    expect(lines[0]).toMatch(/\n$/);
  });

  it('carry the trace and the span they were written in, over awaits', async () => {
    const { log } = start();
    await trace.getTracer('test').startActiveSpan('work', async (span) => {
      await new Promise((resolve) => setImmediate(resolve));
      log.info('inside');
      span.end();
      expect(parsed()[0]).toMatchObject({ trace_id: span.spanContext().traceId, span_id: span.spanContext().spanId });
    });
    log.info('outside');
    expect(parsed()[1]).not.toHaveProperty('trace_id');
  });

  it('say what an error is', () => {
    const { log } = start();
    log.error('failed', { error: invalid('expected a, got b: c') });
    log.error('failed', { error: new TypeError('not ours') });
    expect(parsed()[0]!['error']).toEqual({ code: 'INVALID_INPUT', message: 'expected a, got b: c', details: {} });
    expect(parsed()[1]!['error']).toMatchObject({
      name: 'TypeError',
      stack: expect.stringContaining('telemetry.test') as string,
    });
  });

  it('hold no secrets', () => {
    const { log } = start();
    log.info('call', { token: 'abc', headers: { authorization: 'Bearer abc' } });
    expect(lines.join()).not.toContain('abc');
  });

  it('are one-liners for a person, whatever the message holds', () => {
    const { log } = start({ pretty: true });
    log.warn('line\none\u001b[31m', { stage: 'encode', title: 'two words', items: 3 });
    log.error('failed', { error: new Error('broken') });
    expect(lines[0]).toMatch(/^\d\d:\d\d:\d\d\.\d{3} WARN {2}line one \[31m stage=encode title="two words" items=3\n$/);
    expect(lines[1]).toMatch(/^\S+ ERROR failed error=broken\nError: broken\n {4}at /);
  });
});

describe('traces', () => {
  it('arrive at the receiver with their parents and the resource', async () => {
    const receiver = await startOtlpReceiver();
    const telemetry = start({ otlpEndpoint: `${receiver.url}/` });
    const tracer = trace.getTracer('test');
    tracer.startActiveSpan('outer', (outer) => {
      tracer.startActiveSpan('inner', (inner) => inner.end());
      outer.end();
    });
    await telemetry.shutdown();
    await expect.poll(() => receiver.spans.length, { timeout: 20_000 }).toBe(2);
    receiver.close();
    expect(receiver.resources[0]).toMatchObject({ 'service.name': 'service', 'service.version': '1.2.3' });
    const spans = Object.fromEntries(receiver.spans.map((span) => [span.name, span]));
    expect(spans['inner']!.traceId).toBe(spans['outer']!.traceId);
    expect(spans['inner']!.parentSpanId).toBe(spans['outer']!.spanId);
  });

  it('go on from process to process by traceparent', () => {
    start();
    const carrier: Record<string, string> = {};
    const span = trace.getTracer('test').startSpan('here');
    propagation.inject(trace.setSpan(ROOT_CONTEXT, span), carrier);
    expect(carrier['traceparent']).toBe(`00-${span.spanContext().traceId}-${span.spanContext().spanId}-01`);
    const there = trace.getSpanContext(propagation.extract(ROOT_CONTEXT, carrier));
    expect(there).toMatchObject({ traceId: span.spanContext().traceId, isRemote: true });
  });

  it.each(['a port that nobody listens on', 'a receiver that refuses', 'a receiver that never answers'])(
    'are lost without harm to %s, and counted',
    async (kind) => {
      const silent = createServer(() => undefined);
      servers.push(silent);
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
      const urls: Record<string, string> = {
        'a port that nobody listens on': 'http://127.0.0.1:1',
        'a receiver that refuses': await answering(400),
        'a receiver that never answers': `http://127.0.0.1:${(silent.address() as AddressInfo).port}`,
      };
      const telemetry = start({ otlpEndpoint: urls[kind]! });
      for (let i = 0; i < 100; i++) trace.getTracer('test').startSpan('lost').end();
      if (kind !== 'a receiver that never answers') {
        const lost = async () =>
          /pushforward_telemetry_lost_spans_total\S* (\d+)/.exec(await telemetry.metricsText())?.[1];
        await expect.poll(lost, { timeout: 20_000 }).toBe('100');
        const warnings = parsed().filter(({ level, message }) => level === 'warn' && /^spans/.test(String(message)));
        expect(warnings).toHaveLength(1);
      }
      await telemetry.shutdown();
    },
  );
});

describe('metrics', () => {
  it('are sent too, and counted where they cannot be', async () => {
    const receiver = await startOtlpReceiver();
    const sending = start({ otlpEndpoint: receiver.url });
    metrics.getMeter('test').createCounter('pushforward.runs', { description: 'Runs' }).add(2, { state: 'SUCCEEDED' });
    await sending.shutdown();
    await expect
      .poll(() => receiver.metrics.get('pushforward.runs'), { timeout: 20_000 })
      .toMatchObject({ kind: 'sum', points: [{ attributes: { state: 'SUCCEEDED' }, value: 2 }] });
    receiver.close();
    expect(receiver.metrics.get('process.memory.usage')).toMatchObject({ kind: 'gauge', unit: 'By' });

    const url = await answering(400);
    const refused = start({ otlpEndpoint: url, metricsEveryMs: 5_010 });
    const lost = async () => Number(/lost_metric_exports_total\S* (\d+)/.exec(await refused.metricsText())?.[1]) > 0;
    await expect.poll(lost, { timeout: 20_000 }).toBe(true);
    expect(parsed().filter((line) => line['url'] === `${url}/v1/metrics`)).toMatchObject([{ level: 'warn' }]);
  });

  it('are Prometheus text', async () => {
    const telemetry = start();
    const meter = metrics.getMeter('test');
    meter.createCounter('pushforward.runs', { description: 'Runs' }).add(2, { state: 'succeeded' });
    meter.createHistogram('pushforward.task.duration', { unit: 's' }).record(0.5);
    const text = await telemetry.metricsText();
    expect(text).toContain('# HELP pushforward_runs_total Runs');
    expect(text).toContain('# TYPE pushforward_runs_total counter');
    expect(text).toMatch(/^pushforward_runs_total\{state="succeeded".*\} 2$/m);
    expect(text).toMatch(/^pushforward_task_duration_seconds_count.* 1$/m);
    expect(text).toMatch(/^pushforward_task_duration_seconds_bucket\{.*le="86400"\} 1$/m);
    expect(text).toMatch(/^process_memory_usage_bytes.* \d+$/m);
    expect(text).toMatch(/^process_cpu_time_seconds_total\{.*user.*\} /m);
    expect(text).toMatch(/^target_info\{.*service_name="service".*\} 1$/m);
  });

  it('start anew after a shutdown, which may be asked for twice', async () => {
    const first = start();
    metrics.getMeter('test').createCounter('once').add(1);
    await Promise.all([first.shutdown(), first.shutdown()]);
    const second = start();
    expect(await second.metricsText()).not.toContain('once_total');
    expect(context.active()).toBe(ROOT_CONTEXT);
  });
});
