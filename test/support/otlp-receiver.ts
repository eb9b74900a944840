/** An OTLP/HTTP receiver that decodes with the code that is generated from the official protobufs. */
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { type AddressInfo } from 'node:net';
import { gunzipSync } from 'node:zlib';

/** The last release of the package that brings code from the protobufs; its main module does not export it. */
const { opentelemetry } = createRequire(import.meta.url)('opentelemetry-proto/build/src/generated/root.js') as {
  opentelemetry: { proto: { collector: { trace: { v1: Requests }; metrics: { v1: Requests } } } };
};
const { trace, metrics } = opentelemetry.proto.collector;

interface Message {
  decode(body: Uint8Array): unknown;
  toObject(message: unknown, options: object): unknown;
}
type Requests = Record<'ExportTraceServiceRequest' | 'ExportMetricsServiceRequest', Message>;

export type Value = string | number | boolean | undefined;

export interface ReceivedSpan {
  service: string;
  scope: string;
  traceId: string;
  spanId: string;
  parentSpanId: string;
  name: string;
  startMs: number;
  endMs: number;
  attributes: Record<string, Value>;
  links: { traceId: string; spanId: string; attributes: Record<string, Value> }[];
  /** 2 is an error. */
  status: number;
}

export interface ReceivedMetric {
  name: string;
  unit: string;
  description: string;
  kind: 'sum' | 'gauge' | 'histogram';
  points: { attributes: Record<string, Value>; value: number }[];
}

export interface OtlpReceiver {
  url: string;
  spans: ReceivedSpan[];
  /** The newest of each. */
  metrics: Map<string, ReceivedMetric>;
  /** Attributes of every resource. */
  resources: Record<string, Value>[];
  close(): void;
}

export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const received: Pick<OtlpReceiver, 'spans' | 'metrics' | 'resources'> = {
    spans: [],
    metrics: new Map(),
    resources: [],
  };
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      try {
        if (request.headers['content-type'] !== 'application/x-protobuf') throw new Error('expected protobuf');
        const body = Buffer.concat(parts);
        const bytes = request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body;
        if (request.url === '/v1/traces') takeSpans(bytes, received);
        else if (request.url === '/v1/metrics') takeMetrics(bytes, received);
        else throw new Error(`expected /v1/traces or /v1/metrics, got ${request.url}`);
        response.setHeader('content-type', 'application/x-protobuf').end();
      } catch (error) {
        response.writeHead(400).end(String(error));
      }
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    ...received,
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

type KeyValues = { key: string; value: Record<string, unknown> }[];

interface Resource {
  resource: { attributes: KeyValues };
}

interface TraceRequest {
  resourceSpans: (Resource & { scopeSpans: { scope: { name: string }; spans: RawSpan[] }[] })[];
}

interface RawSpan extends Record<'name' | 'traceId' | 'spanId' | 'parentSpanId', string> {
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  attributes: KeyValues;
  links: { traceId: string; spanId: string; attributes: KeyValues }[];
  status: { code: number } | null;
}

type RawPoint = { attributes: KeyValues; asDouble?: number; asInt?: number; count?: number };

interface MetricsRequest {
  resourceMetrics: (Resource & {
    scopeMetrics: {
      metrics: ({ name: string; unit: string; description: string } & {
        [kind in ReceivedMetric['kind']]?: { dataPoints: RawPoint[] };
      })[];
    }[];
  })[];
}

function decode<T>(message: Message, bytes: Uint8Array): T {
  // Bytes as base64, and 64-bit times as text, so that none loses digits.
  return message.toObject(message.decode(bytes), { longs: String, bytes: String, defaults: true, oneofs: true }) as T;
}

function takeSpans(bytes: Uint8Array, { spans, resources }: Pick<OtlpReceiver, 'spans' | 'resources'>): void {
  const { resourceSpans } = decode<TraceRequest>(trace.v1.ExportTraceServiceRequest, bytes);
  for (const { resource, scopeSpans } of resourceSpans) {
    const attributes = valuesOf(resource.attributes);
    resources.push(attributes);
    for (const { scope, spans: of } of scopeSpans) {
      spans.push(...of.map((span) => spanOf(span, String(attributes['service.name']), scope.name)));
    }
  }
}

function spanOf(raw: RawSpan, service: string, scope: string): ReceivedSpan {
  return {
    ...{ service, scope, name: raw.name },
    ...{ traceId: hex(raw.traceId), spanId: hex(raw.spanId), parentSpanId: hex(raw.parentSpanId) },
    startMs: Number(raw.startTimeUnixNano) / 1e6,
    endMs: Number(raw.endTimeUnixNano) / 1e6,
    attributes: valuesOf(raw.attributes),
    links: raw.links.map((link) => ({
      traceId: hex(link.traceId),
      spanId: hex(link.spanId),
      attributes: valuesOf(link.attributes),
    })),
    status: raw.status?.code ?? 0,
  };
}

function takeMetrics(
  bytes: Uint8Array,
  { metrics: known, resources }: Pick<OtlpReceiver, 'metrics' | 'resources'>,
): void {
  const { resourceMetrics } = decode<MetricsRequest>(metrics.v1.ExportMetricsServiceRequest, bytes);
  for (const { resource, scopeMetrics } of resourceMetrics) {
    resources.push(valuesOf(resource.attributes));
    for (const { name, unit, description, ...data } of scopeMetrics.flatMap((scope) => scope.metrics)) {
      const kind = (['sum', 'gauge', 'histogram'] as const).find((one) => data[one])!;
      const points = data[kind]!.dataPoints.map((point) => ({
        attributes: valuesOf(point.attributes),
        value: Number(point.asDouble ?? point.asInt ?? point.count),
      }));
      known.set(name, { name, unit, description, kind, points });
    }
  }
}

const hex = (base64: string): string => Buffer.from(base64, 'base64').toString('hex');

function valuesOf(attributes: KeyValues): Record<string, Value> {
  return Object.fromEntries(
    attributes.map(({ key, value: { stringValue, intValue, doubleValue, boolValue } }) => {
      const number = intValue ?? doubleValue;
      const value = stringValue ?? (number === undefined ? boolValue : Number(number));
      return [key, value as Value];
    }),
  );
}
