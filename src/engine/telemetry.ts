import {
  context,
  isSpanContextValid,
  metrics,
  SpanStatusCode,
  trace,
  type Attributes,
  type Context,
  type Span,
} from '@opentelemetry/api';
import { toErrorRecord } from '../base/errors.ts';
import { type JsonObject } from '../base/json.ts';
import { type Log } from '../base/log.ts';
import {
  type Failure,
  type LaunchRequest,
  type Price,
  type RunFigures,
  type RunRecord,
  type SpanRecord,
  type TaskRecord,
  type TaskSpec,
} from './ports.ts';
import { contextOf, writeSpans } from './spans.ts';
import { type RunState } from './states.ts';

/**
 * A run is one trace. Its root is a span of the launch, so that it exists however often the service restarts; the span
 * `run` is written when the run ends. Spans of stages and attempts live in this process: a service that dies loses those
 * that were open, and the next opens the stage's anew. schema/telemetry.yaml describes every span, attribute and metric.
 */
export interface Telemetry {
  /** Runs `work` in the launch's span, whose trace context becomes the run's. */
  launch<T extends { run: RunRecord; created: boolean }>(
    request: LaunchRequest,
    work: (traceparent: string | null) => Promise<T>,
  ): Promise<T>;
  /** Runs `work` so that what it logs, and the store's calls, belong to the run's trace. */
  within<T>(run: RunScope, work: () => Promise<T>): Promise<T>;
  runMoved(state: RunState): void;
  runEnded(run: RunRecord, state: RunState, failure: Failure | null): void;
  stageEnded(run: RunRecord, stage: string, attributes: Attributes, failure?: Failure | null): void;
  cached(run: RunRecord, task: TaskSpec, taskMetrics: Record<string, number>): void;
  attempt(run: RunRecord, task: TaskRecord, of: AttemptFacts): AttemptSpan;
  retried(stage: string, failure: Failure): void;
  leaseLost(stage: string): void;
  /** Ends what is open; the next service opens it again. */
  close(): Promise<void>;
}

export type RunScope = Pick<RunRecord, 'id' | 'projectId' | 'traceparent'>;

export interface AttemptFacts {
  id: string;
  /** From 1. */
  number: number;
  halvings: number;
  executor: string;
  /** The recipe's section. */
  execution: JsonObject;
  price: Price;
  /** Trace context of the attempt before it. */
  before: string | null;
}

export interface AttemptSpan {
  traceparent: string | null;
  /** Runs `work` so that what it logs, and the store's calls, belong to this span. */
  within<T>(work: () => Promise<T>): Promise<T>;
  /** What its worker did. */
  record(spans: readonly SpanRecord[]): void;
  end(outcome: AttemptEnd): void;
}

export interface AttemptEnd {
  outcome: 'succeeded' | 'failed' | 'cancelled';
  metrics?: Record<string, number>;
  /** Of the manifest: provider, runtime, device. */
  produced?: JsonObject;
  failure?: Failure;
  allocatedSeconds: number;
  peakMemoryBytes?: number;
  costUsd: number;
}

export interface TelemetryNeeds {
  figures?: ((run: RunRecord) => Promise<RunFigures>) | undefined;
  log: Log;
}

export function createTelemetry({ figures, log }: TelemetryNeeds): Telemetry {
  const tracer = trace.getTracer('pushforward.engine');
  const instruments = createInstruments();
  const stages = new Map<string, Span>();
  /** Spans that wait for their figures. */
  const ending = new Set<Promise<void>>();

  function stageContext(run: RunScope & Partial<Pick<RunRecord, 'recipeDigest'>>, stage: string): Context {
    const key = `${run.id}/${stage}`;
    const parent = contextOf(run.traceparent);
    const span =
      stages.get(key) ??
      tracer.startSpan(`stage ${stage}`, { attributes: { ...ofRun(run), ...ofStage(stage) } }, parent);
    stages.set(key, span);
    return trace.setSpan(parent, span);
  }

  async function endRun(span: Span, run: RunRecord, state: RunState, failure: Failure | null): Promise<void> {
    const endTime = new Date();
    try {
      const of = state === 'SUCCEEDED' ? await figures?.(run) : undefined;
      if (of) {
        span.setAttributes({ 'pushforward.dataset': of.dataset, ...ofMetrics(of.figures) });
        instruments.figures(run.projectId, of);
      }
    } catch (error) {
      log.warn('the figures of a run could not be read for its trace', { run: run.id, error: toErrorRecord(error) });
    }
    close(span, failure, endTime);
  }

  return {
    launch: (request, work) =>
      tracer.startActiveSpan('launch', async (span) => {
        try {
          const launched = await work(traceparentOf(span));
          const { run, created } = launched;
          span.setAttributes({ ...ofRun(run), 'pushforward.launch.created': created });
          if (created) log.info('a run was launched', { run: run.id });
          return launched;
        } catch (error) {
          const { code, message } = toErrorRecord(error);
          span.setAttributes({ 'pushforward.project.id': request.projectId, 'pushforward.failure.code': code });
          span.setStatus({ code: SpanStatusCode.ERROR, message });
          throw error;
        } finally {
          span.end();
        }
      }),

    within: (run, work) => context.with(contextOf(run.traceparent), work),

    runMoved: (state) => instruments.runs.add(1, { state }),

    runEnded(run, state, failure) {
      const attributes = { ...ofRun(run), 'pushforward.run.state': state, ...ofCost(run.costUsd) };
      const told = { run: run.id, state, costUsd: run.costUsd, ...(failure && { failure: failure.error.code }) };
      context.with(contextOf(run.traceparent), () => log.info('a run ended', told));
      const span = tracer.startSpan('run', { startTime: run.createdAt, attributes }, contextOf(run.traceparent));
      const end = endRun(span, run, state, failure).finally(() => ending.delete(end));
      ending.add(end);
    },

    stageEnded(run, stage, attributes, failure) {
      const span = trace.getSpan(stageContext(run, stage))!;
      stages.delete(`${run.id}/${stage}`);
      const seconds = Number(attributes['pushforward.stage.seconds']);
      // A stage that did not fail and has no tasks was cancelled.
      const outcome = failure ? 'failed' : 'pushforward.tasks.total' in attributes ? 'succeeded' : 'cancelled';
      instruments.stages.record(seconds, { ...ofStage(stage), outcome });
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
      instruments.tasks.add(1, { ...ofStage(task.stage), outcome: 'succeeded', cache: 'HIT' });
    },

    attempt(run, { spec, cache }, of) {
      const before = trace.getSpanContext(contextOf(of.before));
      const batch = of.execution['batch'];
      const span = tracer.startSpan(
        `task ${spec.stage}`,
        {
          attributes: {
            ...ofTask(run, spec),
            'pushforward.cache': cache,
            'pushforward.attempt.id': of.id,
            'pushforward.attempt.number': of.number,
            'pushforward.executor': of.executor,
            'pushforward.price.usd_per_hour': of.price.usdPerHour,
            'pushforward.price.list': of.price.list,
            ...(typeof batch === 'number' && {
              'pushforward.batch.limit': Math.max(1, Math.floor(batch / 2 ** of.halvings)),
            }),
          },
          links: before ? [{ context: before, attributes: { 'pushforward.link': 'retry_of' } }] : [],
        },
        stageContext(run, spec.stage),
      );
      const own = trace.setSpan(contextOf(run.traceparent), span);
      return {
        traceparent: traceparentOf(span),
        within: (work) => context.with(own, work),
        record: (spans) => writeSpans(own, spans),
        end(ended) {
          const { outcome, allocatedSeconds: seconds, peakMemoryBytes = 0, costUsd } = ended;
          const provider = ended.produced?.['provider'];
          span.setAttributes({
            ...ofMetrics(ended.metrics ?? {}),
            ...ofCost(costUsd),
            'pushforward.allocated.seconds': seconds,
            'pushforward.outcome': outcome,
            ...(typeof provider === 'string' && { 'pushforward.provider': provider }),
            ...(peakMemoryBytes > 0 && { 'pushforward.peak_memory.bytes': peakMemoryBytes }),
            ...(outcome === 'succeeded' && seconds > 0 && { 'pushforward.images_per_second': spec.items / seconds }),
          });
          close(span, ended.failure);
          instruments.durations.record(seconds, { ...ofStage(spec.stage), outcome });
          instruments.tasks.add(1, { ...ofStage(spec.stage), outcome, cache });
          instruments.cost.add(costUsd, ofStage(spec.stage));
          if (peakMemoryBytes > 0) instruments.memory.record(peakMemoryBytes, ofStage(spec.stage));
        },
      };
    },

    retried: (stage, failure) =>
      instruments.retries.add(1, { ...ofStage(stage), 'pushforward.failure.class': failure.class }),

    leaseLost: (stage) => instruments.leases.add(1, ofStage(stage)),

    async close() {
      for (const span of stages.values()) span.setAttribute('pushforward.interrupted', true).end();
      stages.clear();
      await Promise.all(ending);
    },
  };
}

/** Datasets that have a figure of their own, of all projects; those that come later share `other`. */
const MOST_DATASETS = 100;
const OTHERS = { project: 'other', dataset: 'other' };

/** Figures of a run that are metrics too, by their label. */
const DISTANCES = { w2Weighted: 'weighted', w2Uniform: 'uniform', w2Balanced: 'balanced', w2D4mMean: 'd4m' };

/** From a small worker to a large GPU machine. */
const MEMORY_BUCKETS = [0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64, 128].map((gigabytes) => gigabytes * 2 ** 30);

function createInstruments() {
  const meter = metrics.getMeter('pushforward.engine');
  const w2 = meter.createGauge('pushforward.w2', {
    description: 'Wasserstein-2 distance of the newest run of a dataset, mean over classes, in latent units',
  });
  const known = new Set<string>();
  return {
    runs: meter.createCounter('pushforward.runs', { description: 'Runs that entered a state' }),
    stages: meter.createHistogram('pushforward.stage.duration', {
      unit: 's',
      description: 'Seconds from the start of a stage to its end',
    }),
    tasks: meter.createCounter('pushforward.tasks', {
      description: 'Attempts that ended, and tasks that were found published',
    }),
    durations: meter.createHistogram('pushforward.task.duration', {
      unit: 's',
      description: 'Seconds that an attempt held its resources',
    }),
    memory: meter.createHistogram('pushforward.task.memory', {
      unit: 'By',
      description: 'Peak memory of the worker of an attempt',
      advice: { explicitBucketBoundaries: MEMORY_BUCKETS },
    }),
    cost: meter.createCounter('pushforward.cost', { unit: '{USD}', description: 'Allocated seconds times price' }),
    retries: meter.createCounter('pushforward.task.retries', { description: 'Attempts that are tried again' }),
    leases: meter.createCounter('pushforward.leases.lost', {
      description: 'Attempts that were lost: their service died, or no evidence of them came',
    }),
    figures(project: string, { dataset, figures }: RunFigures) {
      const key = JSON.stringify([project, dataset]);
      if (known.size < MOST_DATASETS) known.add(key);
      const named = known.has(key) ? { project, dataset } : OTHERS;
      for (const [name, quantizer] of Object.entries(DISTANCES)) {
        if (figures[name] !== undefined) w2.record(figures[name], { ...named, quantizer });
      }
    },
  };
}

function close(span: Span, failure: Failure | null | undefined, at?: Date): void {
  if (failure) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: failure.error.message });
    span.setAttributes({ 'pushforward.failure.class': failure.class, 'pushforward.failure.code': failure.error.code });
  }
  span.end(at);
}

const ofRun = (run: RunScope & Partial<Pick<RunRecord, 'recipeDigest'>>) => ({
  'pushforward.run.id': run.id,
  'pushforward.project.id': run.projectId,
  ...(run.recipeDigest !== undefined && { 'pushforward.recipe.digest': run.recipeDigest }),
});
const ofStage = (stage: string) => ({ 'pushforward.stage': stage });
const ofCost = (costUsd: number) => ({ 'pushforward.cost.usd': costUsd });

function ofTask(run: RunRecord, task: TaskSpec): Attributes {
  return {
    ...ofRun(run),
    ...ofStage(task.stage),
    'pushforward.task.index': task.index,
    'pushforward.task.title': task.title,
    'pushforward.task.items': task.items,
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
