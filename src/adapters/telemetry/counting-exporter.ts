import { type Counter, type Meter } from '@opentelemetry/api';
import { type ExportResult, ExportResultCode } from '@opentelemetry/core';
import { type PushMetricExporter, type ResourceMetrics } from '@opentelemetry/sdk-metrics';
import { type SpanExporter } from '@opentelemetry/sdk-trace';
import { type Log } from '../../base/log.ts';

/** Counts the spans that were sent and lost, and says once when a receiver goes away and once when it is back. */
export function countingExporter(inner: SpanExporter, meter: Meter, log: Log): SpanExporter {
  const sent = meter.createCounter('pushforward.telemetry.sent_spans', { description: 'Spans that the receiver took' });
  const lost = meter.createCounter('pushforward.telemetry.lost_spans', {
    description: 'Spans that the receiver refused or was not there to take',
  });
  // Present from the start, so that an alert on it can be tried.
  lost.add(0);
  const seen = watch('spans', log);
  return {
    export: (spans, done) =>
      inner.export(spans, (result) => {
        (seen(result) ? lost : sent).add(spans.length);
        done(DEALT_WITH);
      }),
    shutdown: () => inner.shutdown(),
    forceFlush: () => inner.forceFlush?.() ?? Promise.resolve(),
  };
}

export interface CountingMetricExporter extends PushMetricExporter {
  /** The meter is of the provider that exports here, so it comes later. */
  countIn(meter: Meter): void;
}

/** The same for metrics, which are cumulative: a later export makes up for one that was lost. */
export function countingMetricExporter(inner: PushMetricExporter, log: Log): CountingMetricExporter {
  let lost: Counter | undefined;
  const seen = watch('metrics', log);
  return {
    countIn(meter) {
      lost = meter.createCounter('pushforward.telemetry.lost_metric_exports', {
        description: 'Exports of metrics that the receiver refused or was not there to take',
      });
      lost.add(0);
    },
    export: (collected: ResourceMetrics, done) =>
      inner.export(collected, (result) => {
        if (seen(result)) lost?.add(1);
        done(DEALT_WITH);
      }),
    shutdown: () => inner.shutdown(),
    forceFlush: () => inner.forceFlush(),
    selectAggregationTemporality: (kind) => inner.selectAggregationTemporality!(kind),
    selectAggregation: (kind) => inner.selectAggregation!(kind),
  };
}

/** The failure is counted and told: the SDK need not report it too. */
const DEALT_WITH: ExportResult = { code: ExportResultCode.SUCCESS };

/** Answers whether an export failed, and logs when that changes. */
function watch(what: string, log: Log): (result: ExportResult) => boolean {
  let failing = false;
  return ({ code, error }) => {
    const failed = code !== ExportResultCode.SUCCESS;
    if (failed && !failing) log.warn(`${what} cannot be sent, they are counted and dropped`, { error });
    if (!failed && failing) log.info(`${what} are taken again`);
    failing = failed;
    return failed;
  };
}
