import { PrometheusSerializer } from '@opentelemetry/exporter-prometheus';
import { AggregationType, InstrumentType, type ResourceMetrics, type ViewOptions } from '@opentelemetry/sdk-metrics';

/** Prometheus puts the unit into the name, as OpenTelemetry's compatibility rules ask; the serializer does not. */
const UNIT_SUFFIXES: Record<string, string> = { s: '_seconds', ms: '_milliseconds', By: '_bytes', '1': '_ratio' };

/** From a task of milliseconds to a run of a day; the SDK's own buckets are meant for milliseconds. */
const SECONDS_BUCKETS = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400,
];

export const SECONDS_VIEW: ViewOptions = {
  instrumentType: InstrumentType.HISTOGRAM,
  instrumentUnit: 's',
  aggregation: { type: AggregationType.EXPLICIT_BUCKET_HISTOGRAM, options: { boundaries: SECONDS_BUCKETS } },
};

/** @returns the text exposition format, version 0.0.4 */
export function prometheusText(collected: ResourceMetrics): string {
  const scopeMetrics = collected.scopeMetrics.map(({ scope, metrics }) => ({
    scope,
    metrics: metrics.map((metric) => ({ ...metric, descriptor: named(metric.descriptor) })),
  }));
  return new PrometheusSerializer().serialize({ ...collected, scopeMetrics });
}

function named<T extends { name: string; unit: string }>(descriptor: T): T {
  const suffix = UNIT_SUFFIXES[descriptor.unit] ?? '';
  return {
    ...descriptor,
    name: descriptor.name.endsWith(suffix) ? descriptor.name : descriptor.name + suffix,
    unit: '',
  };
}
