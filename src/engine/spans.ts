import { ROOT_CONTEXT, SpanStatusCode, trace, TraceFlags, type Context } from '@opentelemetry/api';
import { type SpanRecord } from './ports.ts';

/** Makes spans of what was told of work, below the one that it was done for. */
export function writeSpans(parent: Context, spans: readonly SpanRecord[]): void {
  const tracer = trace.getTracer('pushforward.work');
  for (const { name, startMs, endMs, attributes, error } of spans) {
    const span = tracer.startSpan(name, { startTime: startMs, attributes }, parent);
    if (error !== null) span.setStatus({ code: SpanStatusCode.ERROR }).setAttribute('pushforward.failure.code', error);
    span.end(endMs);
  }
}

/** The context of what is below the span that a W3C traceparent names, and of nothing else. */
export function contextOf(traceparent: string | null): Context {
  const [, traceId, spanId, flags] = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(traceparent ?? '') ?? [];
  if (!traceId || !spanId || !flags) return ROOT_CONTEXT;
  const traceFlags = parseInt(flags, 16) & TraceFlags.SAMPLED;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}
