import { context, metrics, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { type Log } from '../../base/log.ts';
import { countingExporter } from './counting-exporter.ts';
import { createLog } from './log.ts';
import { prometheusText, SECONDS_VIEW } from './prometheus.ts';
import { observeProcess } from './process-metrics.ts';

export interface TelemetryOptions {
  serviceName: string;
  version: string;
  /** Base URL of an OTLP/HTTP receiver, spans go to `/v1/traces` below it; null: spans go nowhere. */
  otlpEndpoint: string | null;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** One-liners for a person instead of JSON lines. */
  pretty: boolean;
  /** Takes each log line with its line feed. Default: standard error, so that commands keep standard output. */
  write?: (line: string) => void;
}

export interface Telemetry {
  log: Log;
  /** Every meter of the process as Prometheus text, for GET /metrics. */
  metricsText(): Promise<string>;
  /** Sends what is left, waiting two seconds at most. Never rejects. */
  shutdown(): Promise<void>;
}

const SHUTDOWN_MS = 2000;
/** How long a receiver may take for a batch, retries included, before the batch counts as lost. */
const EXPORT_TIMEOUT_MS = 5000;

/**
 * Sets up logs, and the process's global tracer, meter, context and W3C propagation. Call it before meters are asked for:
 * a meter that was made earlier stays silent. A receiver that is down slows nothing: spans wait in a queue of 2048, and
 * what is lost is counted in `pushforward_telemetry_lost_spans_total`.
 */
export function startTelemetry(options: TelemetryOptions): Telemetry {
  const log = createLog(options);
  const resource = resourceFromAttributes({ 'service.name': options.serviceName, 'service.version': options.version });

  const reader = new PullReader();
  const meters = new MeterProvider({ resource, readers: [reader], views: [SECONDS_VIEW] });
  metrics.setGlobalMeterProvider(meters);
  observeProcess(meters.getMeter('pushforward.process'));

  const tracers = new TracerProvider({ resource, spanProcessors: spanProcessors(options, meters, log) });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(
    new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
  );
  trace.setGlobalTracerProvider(tracers);

  let stopped: Promise<void> | null = null;
  return {
    log,
    async metricsText() {
      const { resourceMetrics, errors } = await reader.collect();
      for (const error of errors) log.warn('a metric could not be read', { error });
      return prometheusText(resourceMetrics);
    },
    shutdown() {
      stopped ??= atMost(SHUTDOWN_MS, tracers.shutdown()).then(async () => {
        await atMost(SHUTDOWN_MS, meters.shutdown());
        for (const api of [trace, context, metrics, propagation]) api.disable();
      });
      return stopped;
    },
  };
}

function spanProcessors({ otlpEndpoint }: TelemetryOptions, meters: MeterProvider, log: Log): BatchSpanProcessor[] {
  if (otlpEndpoint === null) return [];
  const url = `${otlpEndpoint.replace(/\/+$/, '')}/v1/traces`;
  const exporter = new OTLPTraceExporter({ url, timeoutMillis: EXPORT_TIMEOUT_MS });
  return [
    new BatchSpanProcessor({
      exporter: countingExporter(exporter, meters.getMeter('pushforward.telemetry'), log.with({ url })),
      scheduledDelayMillis: 1000,
      exportTimeoutMillis: EXPORT_TIMEOUT_MS,
      // Counts what the full queue drops, as `otel_sdk_processor_span_processed_total` with an error type.
      selfObsMeterProvider: meters,
    }),
  ];
}

/** Reads when it is asked to. */
class PullReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}

/** Resolves when the work is done, failed, or took too long. */
async function atMost(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<void>((resolve) => (timer = setTimeout(resolve, ms)));
  await Promise.race([work.catch(() => undefined), limit]);
  clearTimeout(timer);
}
