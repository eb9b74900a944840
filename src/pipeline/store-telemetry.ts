import { context, metrics, trace, type Context, type Span } from '@opentelemetry/api';
import { type SpanRecord } from '../engine/ports.ts';
import { type StoreCall } from './observed-store.ts';
import { createSampler, sequenceOf, spanOfStoreCall } from './work-spans.ts';

/** Times every call of the service's store. A span tells of it where it belongs to a trace, sampled as those of workers are. */
export function storeTelemetry(writeSpans: (parent: Context, spans: SpanRecord[]) => void): (call: StoreCall) => void {
  const durations = metrics.getMeter('pushforward.store').createHistogram('pushforward.store.duration', {
    unit: 's',
    description: 'Seconds of a call of the object store',
  });
  const samplers = new WeakMap<Span, ReturnType<typeof createSampler>>();
  return (call) => {
    const { operation, startMs, endMs, error } = call;
    durations.record((endMs - startMs) / 1000, { operation, outcome: error === null ? 'ok' : 'error' });
    const parent = trace.getActiveSpan();
    if (!parent) return;
    const sampled = samplers.get(parent) ?? createSampler();
    samplers.set(parent, sampled);
    const span = spanOfStoreCall(call);
    const sequence = sampled(span.name, error !== null);
    if (sequence === null) return;
    writeSpans(context.active(), [{ ...span, attributes: { ...span.attributes, ...sequenceOf(sequence) } }]);
  };
}
