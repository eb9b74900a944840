/** schema/telemetry.yaml, held against what is emitted. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { type ReceivedMetric } from './otlp-receiver.ts';
import { ROOT } from './service-process.ts';

interface Described {
  meaning: string;
  stability: 'stable' | 'experimental';
}

interface DescribedAttribute extends Described {
  type: 'string' | 'int' | 'double' | 'boolean';
  unit?: string;
}

type Names = string | Names[];

interface DescribedSpan extends Described {
  /** `stage {stage}` stands for every name of two words whose first one is `stage`. */
  name: string;
  where: string;
  parent: string;
  attributes: Names[];
  links?: string[];
}

interface DescribedMetric extends Described {
  name: string;
  prometheus: string;
  instrument: 'counter' | 'updowncounter' | 'gauge' | 'histogram';
  unit?: string;
  attributes?: Record<string, string>;
}

interface TelemetrySchema {
  resource: Record<string, DescribedAttribute>;
  attributes: Record<string, DescribedAttribute>;
  spans: DescribedSpan[];
  metrics: DescribedMetric[];
}

/** A span as any exporter has it. */
export interface EmittedSpan {
  name: string;
  attributes: Record<string, unknown>;
  links: { attributes?: Record<string, unknown> }[];
}

export const telemetrySchema = parse(readFileSync(join(ROOT, 'schema/telemetry.yaml'), 'utf8')) as TelemetrySchema;

export const attributesOf = (span: DescribedSpan): string[] => [
  ...new Set((span.attributes as unknown[]).flat(Infinity) as string[]),
];

/** What spans have that is not described, or is of another type. */
export function undescribedInSpans(spans: readonly EmittedSpan[]): string[] {
  const found = new Set<string>();
  for (const span of spans) {
    const described = describedSpan(span.name);
    if (!described) found.add(span.name);
    const known = described ? attributesOf(described) : [];
    for (const [name, value] of Object.entries(span.attributes)) {
      if (!known.includes(name)) found.add(`${span.name}: ${name}`);
      else if (!isOfType(value, telemetrySchema.attributes[name]?.type)) found.add(`${name} = ${String(value)}`);
    }
    for (const { attributes = {} } of span.links) {
      for (const name of Object.keys(attributes)) {
        if (!described?.links?.includes(name)) found.add(`link of ${span.name}: ${name}`);
      }
    }
  }
  return [...found];
}

/** Every attribute of every described span, as `span: attribute`, that none of these has. */
export function missingInSpans(spans: readonly EmittedSpan[]): string[] {
  return telemetrySchema.spans.flatMap((described) => {
    const emitted = spans.filter(({ name }) => describedSpan(name) === described);
    const attributes = new Set(emitted.flatMap((span) => Object.keys(span.attributes)));
    const links = new Set(
      emitted.flatMap((span) => span.links.flatMap(({ attributes = {} }) => Object.keys(attributes))),
    );
    return [
      ...attributesOf(described).filter((name) => !attributes.has(name)),
      ...(described.links ?? []).filter((name) => !links.has(name)),
    ].map((name) => `${described.name}: ${name}`);
  });
}

/** What metrics are, or have, that is not described so. */
export function undescribedInMetrics(metrics: Iterable<ReceivedMetric>): string[] {
  return [...metrics].flatMap((metric) => {
    const described = telemetrySchema.metrics.find(({ name }) => name === metric.name);
    if (!described) return [metric.name];
    const { unit = '', instrument, meaning, attributes = {} } = described;
    const ours = !metric.name.startsWith('otel.');
    const labels = new Set(metric.points.flatMap((point) => Object.keys(point.attributes)));
    return [
      ...(unit === metric.unit ? [] : [`${metric.name} in ${metric.unit}`]),
      ...(metric.kind === KINDS[instrument] ? [] : [`${metric.name} as ${metric.kind}`]),
      ...(!ours || meaning === metric.description ? [] : [`${metric.name}: ${metric.description}`]),
      ...[...labels].filter((label) => !(label in attributes)).map((label) => `${metric.name}: ${label}`),
    ];
  });
}

const KINDS = { counter: 'sum', updowncounter: 'sum', gauge: 'gauge', histogram: 'histogram' };

/** Every described metric, and label of one, that is not among these. */
export function missingInMetrics(metrics: ReadonlyMap<string, ReceivedMetric>): string[] {
  return telemetrySchema.metrics.flatMap(({ name, attributes = {} }) => {
    const points = metrics.get(name)?.points;
    if (!points) return [name];
    const labels = new Set(points.flatMap((point) => Object.keys(point.attributes)));
    return Object.keys(attributes).flatMap((label) => (labels.has(label) ? [] : [`${name}: ${label}`]));
  });
}

/** Names of all that Prometheus sees: of a histogram its sum, count and buckets. */
export const prometheusNames = (): string[] =>
  telemetrySchema.metrics.flatMap(({ prometheus, instrument }) =>
    instrument === 'histogram' ? ['bucket', 'sum', 'count'].map((part) => `${prometheus}_${part}`) : [prometheus],
  );

function describedSpan(name: string): DescribedSpan | undefined {
  return telemetrySchema.spans.find((span) =>
    new RegExp(`^${span.name.replace(/\{\w+\}/g, '\\w+')}$`).test(name.replace(/^GET /, 'POST ')),
  );
}

function isOfType(value: unknown, type: DescribedAttribute['type'] | undefined): boolean {
  if (type === 'int') return Number.isInteger(value);
  return typeof value === (type === 'double' ? 'number' : type);
}

/** What no run in good order emits, and the test that makes it. */
export const EMITTED_ELSEWHERE: Record<string, string> = {
  'launch: pushforward.failure.code': 'engine/telemetry.test.ts',
  'stage {stage}: pushforward.interrupted': 'engine/telemetry.test.ts',
  'task {stage}: pushforward.link': 'engine/telemetry.test.ts',
  'batch {model}: pushforward.failure.code': 'pipeline/work-spans.test.ts',
  'store {operation}: pushforward.failure.code': 'pipeline/work-spans.test.ts',
};

/** The same of metrics. */
export const MEASURED_ELSEWHERE: Record<string, string> = {
  'pushforward.task.retries': 'engine/telemetry.test.ts',
  'pushforward.leases.lost': 'engine/telemetry.test.ts',
  'otel.sdk.processor.span.processed: error.type': 'what the SDK drops where its queue is full',
};
