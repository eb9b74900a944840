import { metrics } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-proto';
import { MeterProvider, MetricReader, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { type Log } from '../../base/log.ts';
import { atMost } from './at-most.ts';
import { countingMetricExporter, type CountingMetricExporter } from './counting-exporter.ts';
import { createLog } from './log.ts';
import { prometheusText, SECONDS_VIEW } from './prometheus.ts';
import { observeProcess } from './process-metrics.ts';
import { EXPORT_TIMEOUT_MS, resourceOf, startTracing, urlOf } from './tracing.ts';

export interface TelemetryOptions {
  serviceName: string;
  version: string;
  /** Base URL of an OTLP/HTTP receiver; spans go to `/v1/traces` and metrics to `/v1/metrics` below it. Null: they go nowhere. */
  otlpEndpoint: string | null;
  logLevel: 'debug' | 'info' | 'warn' | 'error';
  /** One-liners for a person instead of JSON lines. */
  pretty: boolean;
  /** Between two times that metrics are sent; default 30 000. */
  metricsEveryMs?: number;
  /** Takes each log line with its line feed. Default: standard error, so that commands keep standard output. */
  write?: (line: string) => void;
}

export interface Telemetry {
  log: Log;
  /** Every meter of the process as Prometheus text, for GET /metrics. */
  metricsText(): Promise<string>;
  /** Sends what is left, waiting three seconds at most. Never rejects. */
  shutdown(): Promise<void>;
}

const SHUTDOWN_MS = 2000;

/**
 * Sets up logs, and the process's global tracer, meter, context and W3C propagation. Call it before meters are asked for:
 * a meter that was made earlier stays silent. Metrics are sent every half a minute, and are there for Prometheus whether or not they are sent.
 */
export function startTelemetry(options: TelemetryOptions): Telemetry {
  const log = createLog(options);
  const reader = new PullReader();
  const exporter = options.otlpEndpoint === null ? null : metricExporter(options.otlpEndpoint, log);
  const meters = new MeterProvider({
    resource: resourceOf(options),
    readers: exporter ? [reader, pushReader(exporter, options.metricsEveryMs ?? 30_000)] : [reader],
    views: [SECONDS_VIEW],
  });
  metrics.setGlobalMeterProvider(meters);
  exporter?.countIn(meters.getMeter('pushforward.telemetry'));
  observeProcess(meters.getMeter('pushforward.process'));
  const tracing = startTracing({ ...options, meters, log });

  let stopped: Promise<void> | null = null;
  return {
    log,
    async metricsText() {
      const { resourceMetrics, errors } = await reader.collect();
      for (const error of errors) log.warn('a metric could not be read', { error });
      return prometheusText(resourceMetrics);
    },
    shutdown() {
      stopped ??= tracing.shutdown().then(async () => {
        await atMost(SHUTDOWN_MS, meters.shutdown());
        metrics.disable();
      });
      return stopped;
    },
  };
}

function metricExporter(otlpEndpoint: string, log: Log): CountingMetricExporter {
  const url = urlOf(otlpEndpoint, '/v1/metrics');
  return countingMetricExporter(new OTLPMetricExporter({ url, timeoutMillis: EXPORT_TIMEOUT_MS }), log.with({ url }));
}

function pushReader(exporter: CountingMetricExporter, exportIntervalMillis: number): MetricReader {
  return new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis,
    exportTimeoutMillis: EXPORT_TIMEOUT_MS,
  });
}

/** Reads when it is asked to. */
class PullReader extends MetricReader {
  protected override async onForceFlush(): Promise<void> {}
  protected override async onShutdown(): Promise<void> {}
}
