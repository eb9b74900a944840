import {
  isSpanContextValid,
  metrics,
  ROOT_CONTEXT,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Attributes,
  type Context,
  type Span,
} from '@opentelemetry/api';
import { type Failure, type RunRecord, type TaskSpec } from './ports.ts';
import { type RunState } from './states.ts';

/**
 * A run is one trace. Its root is a span of the launch, so that it exists however often the service restarts; the span
 * `run` is written when the run ends. Spans of stages and attempts live in this process: a service that dies loses those
 * that were open, and the next opens the stage's anew.
 */
export interface Telemetry {
  /** Runs `work` in the launch's span, whose trace context becomes the run's. */
  launch<T>(work: (traceparent: string | null) => Promise<T>): Promise<T>;
  runMoved(state: RunState): void;
  runEnded(run: RunRecord, state: RunState, failure: Failure | null): void;
  stageEnded(run: RunRecord, stage: string, attributes: Attributes, failure?: Failure | null): void;
  cached(run: RunRecord, task: TaskSpec, taskMetrics: Record<string, number>): void;
  attempt(run: RunScope, task: TaskSpec, number: number): AttemptSpan;
  retried(stage: string, failure: Failure): void;
  /** Ends what is open; the next service opens it again. */
  close(): void;
}

export type RunScope = Pick<RunRecord, 'id' | 'projectId' | 'traceparent'>;

export interface AttemptSpan {
  traceparent: string | null;
  end(outcome: AttemptEnd): void;
}

export interface AttemptEnd {
  outcome: 'succeeded' | 'failed' | 'cancelled';
  metrics?: Record<string, number>;
  failure?: Failure;
  allocatedSeconds: number;
  costUsd: number;
}

export function createTelemetry(): Telemetry {
  const tracer = trace.getTracer('pushforward.engine');
  const meter = metrics.getMeter('pushforward.engine');
  const runs = meter.createCounter('pushforward.runs', { description: 'Runs that entered a state' });
  const durations = meter.createHistogram('pushforward.task.duration', {
    unit: 's',
    description: 'Seconds that an attempt held its resources',
  });
  const cost = meter.createCounter('pushforward.cost', { unit: '{USD}', description: 'Allocated seconds times price' });
  const retries = meter.createCounter('pushforward.task.retries', { description: 'Attempts that are tried again' });
  const stages = new Map<string, Span>();

  function stageContext(run: RunScope, stage: string): Context {
    const key = `${run.id}/${stage}`;
    const parent = contextOf(run.traceparent);
    const span =
      stages.get(key) ??
      tracer.startSpan(`stage ${stage}`, { attributes: { ...ofRun(run), ...ofStage(stage) } }, parent);
    stages.set(key, span);
    return trace.setSpan(parent, span);
  }

  return {
    launch: (work) =>
      tracer.startActiveSpan('launch', async (span) => {
        try {
          return await work(traceparentOf(span));
        } finally {
          span.end();
        }
      }),

    runMoved: (state) => runs.add(1, { state }),

    runEnded(run, state, failure) {
      const span = tracer.startSpan(
        'run',
        {
          startTime: run.createdAt,
          attributes: { ...ofRun(run), 'pushforward.run.state': state, ...ofCost(run.costUsd) },
        },
        contextOf(run.traceparent),
      );
      close(span, failure);
    },

    stageEnded(run, stage, attributes, failure) {
      const span = trace.getSpan(stageContext(run, stage))!;
      stages.delete(`${run.id}/${stage}`);
      close(span.setAttributes(attributes), failure);
    },

    cached(run, task, taskMetrics) {
      const at = new Date();
      tracer
        .startSpan(
          `task ${task.stage}`,
          {
            startTime: at,
            attributes: { ...ofTask(run, task), ...ofMetrics(taskMetrics), 'pushforward.cache': 'HIT', ...ofCost(0) },
          },
          stageContext(run, task.stage),
        )
        .end(at);
    },

    attempt(run, task, number) {
      const attributes = { ...ofTask(run, task), 'pushforward.cache': 'MISS', 'pushforward.attempt.number': number };
      const span = tracer.startSpan(`task ${task.stage}`, { attributes }, stageContext(run, task.stage));
      return {
        traceparent: traceparentOf(span),
        end(ended) {
          span.setAttributes({
            ...ofMetrics(ended.metrics ?? {}),
            ...ofCost(ended.costUsd),
            'pushforward.allocated.seconds': ended.allocatedSeconds,
            'pushforward.outcome': ended.outcome,
          });
          close(span, ended.failure);
          durations.record(ended.allocatedSeconds, { ...ofStage(task.stage), outcome: ended.outcome });
          cost.add(ended.costUsd, ofStage(task.stage));
        },
      };
    },

    retried: (stage, failure) => retries.add(1, { ...ofStage(stage), 'pushforward.failure.class': failure.class }),

    close() {
      for (const span of stages.values()) span.setAttribute('pushforward.interrupted', true).end();
      stages.clear();
    },
  };
}

function close(span: Span, failure: Failure | null | undefined): void {
  if (failure) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: failure.error.message });
    span.setAttributes({ 'pushforward.failure.class': failure.class, 'pushforward.failure.code': failure.error.code });
  }
  span.end();
}

const ofRun = (run: RunScope) => ({ 'pushforward.run.id': run.id, 'pushforward.project.id': run.projectId });
const ofStage = (stage: string) => ({ 'pushforward.stage': stage });
const ofCost = (costUsd: number) => ({ 'pushforward.cost.usd': costUsd });

function ofTask(run: RunScope, task: TaskSpec): Attributes {
  return {
    ...ofRun(run),
    ...ofStage(task.stage),
    'pushforward.task.index': task.index,
    'pushforward.task.title': task.title,
    'pushforward.artifact.id': task.artifactId,
    ...prefixed('pushforward.', task.labels),
  };
}

const ofMetrics = (values: Record<string, number>) => prefixed('pushforward.metric.', values);

function prefixed<T extends string | number>(prefix: string, values: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(values).map(([key, value]) => [prefix + key, value]));
}

/** W3C trace context, version 00; null while no SDK is registered. */
function traceparentOf(span: Span): string | null {
  const of = span.spanContext();
  return isSpanContextValid(of) ? `00-${of.traceId}-${of.spanId}-${of.traceFlags.toString(16).padStart(2, '0')}` : null;
}

function contextOf(traceparent: string | null): Context {
  const [, traceId, spanId, flags] = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(traceparent ?? '') ?? [];
  if (!traceId || !spanId || !flags) return ROOT_CONTEXT;
  const traceFlags = parseInt(flags, 16) & TraceFlags.SAMPLED;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}
