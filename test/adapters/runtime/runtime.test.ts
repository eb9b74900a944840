import { afterAll, describe, expect, it } from 'vitest';
import { createModelRuntime } from '../../../src/adapters/runtime/index.ts';
import { plainProduct } from '../../../src/numerics/math/product.ts';
import { type ModelRuntime, type TensorData } from '../../../src/pipeline/ports.ts';
import { encodeGraph, noiseValues } from '../../support/onnx.ts';

const made: ModelRuntime[] = [];
async function cpu(threads = 1): Promise<ModelRuntime> {
  const runtime = await createModelRuntime({ provider: 'cpu', threads });
  made.push(runtime);
  return runtime;
}
afterAll(async () => {
  for (const runtime of made) await runtime.close();
});

const f32 = (data: Float32Array, shape: number[]): TensorData => ({ type: 'float32', data, shape });
const bytesOf = ({ data }: TensorData) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);

/** Two convolutions and a dense layer: (b, 3, 16, 16) to (b, 10). */
const network = encodeGraph({
  inputs: [{ name: 'x', shape: ['b', 3, 16, 16] }],
  outputs: [{ name: 'y', shape: ['b', 10] }],
  nodes: [
    { op: 'Conv', inputs: ['x', 'w1', 'b1'], output: 'h1', attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1] } },
    { op: 'Relu', inputs: ['h1'], output: 'h2' },
    {
      op: 'Conv',
      inputs: ['h2', 'w2'],
      output: 'h3',
      attributes: { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1] },
    },
    { op: 'Flatten', inputs: ['h3'], output: 'h4' },
    { op: 'MatMul', inputs: ['h4', 'w3'], output: 'y' },
  ],
  constants: [
    { name: 'w1', shape: [24, 3, 3, 3], values: noiseValues(24 * 27, 1) },
    { name: 'b1', shape: [24], values: noiseValues(24, 2) },
    { name: 'w2', shape: [32, 24, 3, 3], values: noiseValues(32 * 24 * 9, 3) },
    { name: 'w3', shape: [32 * 64, 10], values: noiseValues(32 * 64 * 10, 4) },
  ],
});

/** Takes and gives int64 beside float32. */
const mixed = encodeGraph({
  inputs: [
    { name: 'table', shape: ['n', 2] },
    { name: 'ids', type: 'int64', shape: ['b'] },
  ],
  outputs: [
    { name: 'rows', shape: ['b', 2] },
    { name: 'same', type: 'int64', shape: ['b'] },
  ],
  nodes: [
    { op: 'Gather', inputs: ['table', 'ids'], output: 'rows' },
    { op: 'Identity', inputs: ['ids'], output: 'same' },
  ],
});

describe('models', () => {
  it('have a signature in which open dimensions are null', async () => {
    const model = await (await cpu()).load('mixed', async () => mixed);
    expect(model.inputs).toEqual([
      { name: 'table', type: 'float32', shape: [null, 2] },
      { name: 'ids', type: 'int64', shape: [null] },
    ]);
    expect(model.outputs.map((output) => output.name)).toEqual(['rows', 'same']);
  });

  it('take and give float32 and int64', async () => {
    const model = await (await cpu()).load('mixed', async () => mixed);
    const ids: TensorData = { type: 'int64', data: BigInt64Array.of(2n, 0n), shape: [2] };
    const answer = await model.run({ table: f32(Float32Array.of(1, 2, 3, 4, 5, 6), [3, 2]), ids });
    expect(answer['rows']).toEqual(f32(Float32Array.of(5, 6, 1, 2), [2, 2]));
    expect(answer['same']).toEqual(ids);
  });

  it('are read once per key, whoever asks and how often', async () => {
    const runtime = await cpu();
    let reads = 0;
    const read = async () => {
      reads++;
      return network;
    };
    const loaded = await Promise.all(Array.from({ length: 8 }, () => runtime.load('network', read)));
    expect(new Set(loaded).size).toBe(1);
    expect(reads).toBe(1);
  });

  it('can be asked for again after a failed read', async () => {
    const runtime = await cpu();
    await expect(runtime.load('k', () => Promise.reject(new Error('store down')))).rejects.toThrow('store down');
    expect((await runtime.load('k', async () => network)).outputs[0]?.shape).toEqual([null, 10]);
  });

  it('give the same bytes for any batch and thread count', async () => {
    const images = noiseValues(64 * 768, 5);
    const whole = await (await (await cpu(1)).load('n', async () => network)).run({ x: f32(images, [64, 3, 16, 16]) });
    for (const threads of [1, 2]) {
      const model = await (await cpu(threads)).load('n', async () => network);
      for (const batch of [1, 7, 64]) {
        const parts: Buffer[] = [];
        for (let at = 0; at < 64; at += batch) {
          const part = images.slice(at * 768, (at + batch) * 768);
          parts.push(bytesOf((await model.run({ x: f32(part, [part.length / 768, 3, 16, 16]) }))['y']!));
        }
        expect(Buffer.concat(parts).equals(bytesOf(whole['y']!)), `batch ${batch}, ${threads} threads`).toBe(true);
      }
    }
  });

  it.each([
    ['garbage', new TextEncoder().encode('not a model')],
    ['an operator set of the future', encodeGraph({ inputs: [], outputs: [], nodes: [], opset: 9999 })],
    [
      'an operator that does not exist',
      encodeGraph({
        inputs: [{ name: 'x', shape: [1] }],
        outputs: [{ name: 'y', shape: [1] }],
        nodes: [{ op: 'Nonsense', inputs: ['x'], output: 'y' }],
      }),
    ],
    ['nothing', new Uint8Array()],
  ])('cannot be loaded from %s', async (_, bytes) => {
    await expect((await cpu()).load('k', async () => bytes)).rejects.toMatchObject({
      code: 'PRIOR_INVALID',
      message: expect.stringContaining('export it again') as string,
    });
  });

  it.each([
    [{}, 'expected the inputs x, got none'],
    [{ y: f32(new Float32Array(1), [1]) }, 'expected the inputs x, got y'],
    [
      { x: f32(new Float32Array(3 * 8 * 8), [1, 3, 8, 8]) },
      'expected input x as float32 of shape (?, 3, 16, 16), got float32 of shape (1, 3, 8, 8)',
    ],
    [{ x: f32(new Float32Array(768), [768]) }, 'got float32 of shape (768)'],
    [
      { x: f32(new Float32Array(700), [1, 3, 16, 16]) },
      'expected 768 elements for input x of shape (1, 3, 16, 16), got 700',
    ],
    [{ x: { type: 'int32', data: new Int32Array(768), shape: [1, 3, 16, 16] } as TensorData }, 'got int32'],
  ])('refuse feeds that do not fit: %#', async (feeds: Record<string, TensorData>, message) => {
    const model = await (await cpu()).load('n', async () => network);
    await expect(model.run(feeds)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining(message) as string,
    });
  });

  it('that fail while they run are named', async () => {
    const model = await (await cpu()).load('mixed', async () => mixed);
    const ids: TensorData = { type: 'int64', data: BigInt64Array.of(9n), shape: [1] };
    await expect(model.run({ table: f32(new Float32Array(2), [1, 2]), ids })).rejects.toMatchObject({
      code: 'PRIOR_INVALID',
      message: expect.stringContaining('model mixed') as string,
    });
  });
});

describe('product', () => {
  const shapes = [
    { m: 1, k: 1, n: 1 },
    { m: 3, k: 5, n: 2 },
    { m: 700, k: 300, n: 17 },
    { m: 64, k: 4096, n: 3 },
  ];

  it.each(shapes.flatMap((shape) => [shape, { ...shape, transposeB: true }]))(
    'is that of plain arithmetic: %j',
    async (shape) => {
      const { m, k, n } = shape;
      const a = noiseValues(m * k, 6);
      const b = noiseValues(k * n, 7);
      const got = await (await cpu()).product(a, b, shape);
      const expected = await plainProduct(a, b, shape);
      const error = got.reduce((worst, value, index) => Math.max(worst, Math.abs(value - expected[index]!)), 0);
      // Rows and columns of values in [-1, 1] have norms of about sqrt(k / 3).
      expect(error).toBeLessThanOrEqual(k * 2 ** -24 * Math.max(1, k));
    },
  );

  it.each([
    [513, 33],
    [4096, 50],
    [4096, 1],
    [100, 2],
    [300, 1300],
    [2000, 260],
  ])('gives a row the same bytes whatever rows and threads it is computed with, k %i, n %i', async (k, n) => {
    const m = 520;
    const a = noiseValues(m * k, 8);
    const b = noiseValues(k * n, 9);
    const runtimes = [await cpu(1), await cpu(2), await cpu(5)];
    for (const transposeB of [false, true]) {
      const whole = await runtimes[0]!.product(a, b, { m, k, n, transposeB });
      for (const { product } of runtimes) {
        for (const [from, to] of [
          [0, m],
          [0, 1],
          [519, 520],
          [1, 4],
          [5, 16],
          [0, 34],
          [3, 303],
        ] as const) {
          const some = await product(a.subarray(from * k, to * k), b, { m: to - from, k, n, transposeB });
          const expected = whole.subarray(from * n, to * n);
          expect(
            some.every((value, index) => value === expected[index]),
            `rows ${from} to ${to}`,
          ).toBe(true);
        }
      }
    }
  });

  it('goes in blocks of rows, between which it can be cancelled', async () => {
    const [m, k, n] = [1400, 3000, 3000];
    const aborting = new AbortController();
    const working = (await cpu(2)).product(
      new Float32Array(m * k),
      new Float32Array(k * n),
      { m, k, n },
      aborting.signal,
    );
    setImmediate(() => aborting.abort());
    await expect(working).rejects.toMatchObject({ code: 'CANCELLED' });
  });

  it('holds its arguments to the shape', async () => {
    const { product } = await cpu();
    const refused = product(new Float32Array(5), new Float32Array(6), { m: 2, k: 3, n: 2 });
    await expect(refused).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(await product(new Float32Array(0), new Float32Array(6), { m: 0, k: 3, n: 2 })).toHaveLength(0);
  });
});

describe('providers', () => {
  it('say what was chosen', async () => {
    expect((await cpu(2)).describe()).toMatchObject({
      provider: 'cpu',
      threads: 2,
      runtime: expect.stringMatching(/^onnxruntime-node \d+\.\d+\.\d+$/) as string,
    });
    const auto = await createModelRuntime({ provider: 'auto', threads: 1 });
    made.push(auto);
    expect(['cpu', 'webgpu', 'cuda']).toContain(auto.describe().provider);
  });

  it.each([0, 1.5, -1])('do not take %d threads', async (threads) => {
    await expect(createModelRuntime({ provider: 'cpu', threads })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('that were asked for and are missing are an error with a remedy', async () => {
    const asked = await createModelRuntime({ provider: 'cuda', threads: 1 }).catch((error: unknown) => error);
    // On a machine with CUDA it simply works.
    if (asked instanceof Error) {
      expect(asked).toMatchObject({
        code: 'PROVIDER_UNAVAILABLE',
        message: expect.stringContaining("install onnxruntime-node's CUDA libraries") as string,
      });
    } else made.push(asked as ModelRuntime);
  });

  it('are gone once closed', async () => {
    const runtime = await createModelRuntime({ provider: 'cpu', threads: 1 });
    await runtime.load('n', async () => network);
    await runtime.close();
    await expect(runtime.load('n', async () => network)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});
