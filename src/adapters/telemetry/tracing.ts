import { context, metrics, propagation, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { CompositePropagator, W3CBaggagePropagator, W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-proto';
import { resourceFromAttributes, type Resource } from '@opentelemetry/resources';
import { type MeterProvider } from '@opentelemetry/sdk-metrics';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { type Log, silentLog } from '../../base/log.ts';
import { atMost } from './at-most.ts';
import { countingExporter } from './counting-exporter.ts';

export interface TracingOptions {
  serviceName: string;
  version: string;
  /** Base URL of an OTLP/HTTP receiver, spans go to `/v1/traces` below it; null: spans go nowhere. */
  otlpEndpoint: string | null;
  /** Count what is sent and lost. Default: nobody does. */
  meters?: MeterProvider;
  log?: Log;
}

export interface Tracing {
  /** Sends what is left, waiting a second at most. Never rejects. */
  shutdown(): Promise<void>;
}

/** How long a receiver may take for what it is sent, retries included, before that counts as lost. */
export const EXPORT_TIMEOUT_MS = 5000;
const SHUTDOWN_MS = 1000;

/**
 * Sets up the process's global tracer, context and W3C propagation. A receiver that is down slows nothing: spans wait in a
 * queue of 2048, and what is lost is counted in `pushforward_telemetry_lost_spans_total`.
 */
export function startTracing(options: TracingOptions): Tracing {
  const tracers = new TracerProvider({ resource: resourceOf(options), spanProcessors: spanProcessors(options) });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  propagation.setGlobalPropagator(
    new CompositePropagator({ propagators: [new W3CTraceContextPropagator(), new W3CBaggagePropagator()] }),
  );
  trace.setGlobalTracerProvider(tracers);
  return {
    async shutdown() {
      await atMost(SHUTDOWN_MS, tracers.shutdown());
      for (const api of [trace, context, propagation]) api.disable();
    },
  };
}

export function resourceOf({ serviceName, version }: { serviceName: string; version: string }): Resource {
  return resourceFromAttributes({ 'service.name': serviceName, 'service.version': version });
}

/** @param path of the signal below the base URL */
export function urlOf(otlpEndpoint: string, path: string): string {
  return `${otlpEndpoint.replace(/\/+$/, '')}${path}`;
}

function spanProcessors({ otlpEndpoint, meters, log = silentLog }: TracingOptions): BatchSpanProcessor[] {
  if (otlpEndpoint === null) return [];
  const url = urlOf(otlpEndpoint, '/v1/traces');
  const exporter = new OTLPTraceExporter({ url, timeoutMillis: EXPORT_TIMEOUT_MS });
  return [
    new BatchSpanProcessor({
      exporter: countingExporter(exporter, (meters ?? metrics).getMeter('pushforward.telemetry'), log.with({ url })),
      scheduledDelayMillis: 1000,
      exportTimeoutMillis: EXPORT_TIMEOUT_MS,
      // Counts what the full queue drops, as `otel_sdk_processor_span_processed_total` with an error type.
      ...(meters && { selfObsMeterProvider: meters }),
    }),
  ];
}
