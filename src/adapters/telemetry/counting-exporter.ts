import { type Meter } from '@opentelemetry/api';
import { ExportResultCode } from '@opentelemetry/core';
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
  let failing = false;
  return {
    export(spans, done) {
      inner.export(spans, (result) => {
        const failed = result.code !== ExportResultCode.SUCCESS;
        (failed ? lost : sent).add(spans.length);
        if (failed && !failing) log.warn('spans cannot be sent, they are counted and dropped', { error: result.error });
        if (!failed && failing) log.info('spans are taken again');
        failing = failed;
        // The failure is dealt with: the SDK need not report it too.
        done({ code: ExportResultCode.SUCCESS });
      });
    },
    shutdown: () => inner.shutdown(),
    forceFlush: () => inner.forceFlush?.() ?? Promise.resolve(),
  };
}
