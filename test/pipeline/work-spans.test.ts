import { trace } from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import { describe, expect, it } from 'vitest';
import { invalid } from '../../src/base/errors.ts';
import { type SpanRecord } from '../../src/engine/ports.ts';
import { contextOf, writeSpans } from '../../src/engine/spans.ts';
import { observeStore, type StoreCall } from '../../src/pipeline/observed-store.ts';
import { type Prior } from '../../src/pipeline/prior/model.ts';
import { createWorkSpans } from '../../src/pipeline/work-spans.ts';
import { createMemoryStore } from '../support/memory-store.ts';
import { EMITTED_ELSEWHERE, missingInSpans, undescribedInSpans } from '../support/telemetry-schema.ts';
import { TINY_DESCRIPTION } from '../support/tiny-prior.ts';

const PIXELS = 8 * 8 * 3;
const D = 2 * 4 * 4;

/** @param fails whether the nth call of a model does */
function worldOf(fails: (call: number) => boolean = () => false) {
  const told: SpanRecord[] = [];
  const spans = createWorkSpans((more) => told.push(...more));
  let calls = 0;
  const call = async () => {
    if (fails(++calls)) throw invalid('expected a, got b: c');
    return new Float32Array();
  };
  const models = { encode: call, denoise: call, teach: call, decode: async () => new Uint8Array(await call()) };
  const prior = spans.observe({ description: { ...TINY_DESCRIPTION, files: {} }, ...models } as Prior);
  return { spans, prior, told };
}

describe('the spans of work', () => {
  it('tell the first of each kind and then every sixteenth, and count all', async () => {
    const { spans, prior, told } = worldOf();
    for (let i = 0; i < 40; i++) await prior.encode(new Uint8Array(3 * PIXELS));
    await prior.denoise(new Float32Array(2 * D), 1, []);
    spans.end();
    const sequences = (name: string) =>
      told.filter((span) => span.name === name).map(({ attributes }) => attributes['pushforward.sequence']);
    expect(sequences('batch encode')).toEqual([1, 16, 32]);
    expect(sequences('batch denoise')).toEqual([1]);
    expect(told.map(({ attributes }) => attributes['pushforward.batch.images'])).toEqual([3, 3, 3, 2]);
    for (const { startMs, endMs } of told) expect(endMs).toBeGreaterThanOrEqual(startMs);
  });

  it('tell every one that failed, with its code', async () => {
    const { spans, prior, told } = worldOf((call) => call % 2 === 0);
    for (let i = 0; i < 6; i++) await prior.teach(new Uint8Array(PIXELS)).catch(() => undefined);
    spans.end();
    const failed = told.filter(({ error }) => error !== null);
    expect(failed.map(({ error, attributes }) => [error, attributes['pushforward.sequence']])).toEqual([
      ['INVALID_INPUT', 2],
      ['INVALID_INPUT', 4],
      ['INVALID_INPUT', 6],
    ]);
  });

  it('become spans below that of their attempt, with all that is described of them', async () => {
    const exporter = new InMemorySpanExporter();
    trace.setGlobalTracerProvider(new TracerProvider({ spanProcessors: [new SimpleSpanProcessor({ exporter })] }));
    const { spans, prior, told } = worldOf(() => true);
    await prior.encode(new Uint8Array(PIXELS)).catch(() => undefined);
    spans.storeCall({ operation: 'get', startMs: 1e12, endMs: 1e12 + 5, bytes: 7, error: 'NOT_FOUND' });
    spans.end();
    const [traceId, spanId] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
    writeSpans(contextOf(`00-${traceId}-${spanId}-01`), told);
    trace.disable();
    const made = exporter.getFinishedSpans();
    for (const span of made) {
      expect(span.spanContext().traceId).toBe(traceId);
      expect(span.parentSpanContext?.spanId).toBe(spanId);
    }
    expect(made[1]).toMatchObject({ startTime: [1e9, 0], duration: [0, 5e6] });
    expect(undescribedInSpans(made)).toEqual([]);
    for (const missing of missingInSpans(made))
      expect(EMITTED_ELSEWHERE[missing]).not.toBe('pipeline/work-spans.test.ts');
  });

  it('come in time, so that a worker that dies takes few with it', async () => {
    const { prior, told } = worldOf(() => true);
    for (let i = 0; i < 40; i++) await prior.decode(new Float32Array(D)).catch(() => undefined);
    expect(told).toHaveLength(32);
  });
});

describe('an observed store', () => {
  it('is the same store, and tells of every call with its bytes', async () => {
    const calls: StoreCall[] = [];
    const store = observeStore(createMemoryStore(), (call) => calls.push(call));
    await store.put('a/b', new Uint8Array(10));
    expect(await store.get('a/b')).toHaveLength(10);
    for await (const piece of store.stream('a/b')) expect(piece).toHaveLength(10);
    expect((await store.head('a/b'))!.bytes).toBe(10);
    expect(await keysOf(store.list('a/'))).toEqual(['a/b']);
    expect(await keysOf(store.listFolder(''))).toEqual(['a/']);
    await store.delete('a/b');
    await expect(store.get('a/b')).rejects.toThrow('got none');
    await expect(all(store.stream('a/b'))).rejects.toThrow('got none');
    expect(calls.map(({ operation, bytes, error }) => [operation, bytes, error])).toEqual([
      ['put', 10, null],
      ['get', 10, null],
      ['stream', 10, null],
      ['head', 0, null],
      ['list', 0, null],
      ['listFolder', 0, null],
      ['delete', 0, null],
      ['get', 0, 'NOT_FOUND'],
      ['stream', 0, 'NOT_FOUND'],
    ]);
  });
});

async function all<T>(of: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of of) items.push(item);
  return items;
}

const keysOf = async (of: AsyncIterable<{ key: string }>) => (await all(of)).map(({ key }) => key);
