import { describe, expect, it } from 'vitest';
import { createModelRuntime } from '../../../src/adapters/runtime/index.ts';
import { type ModelRuntime } from '../../../src/pipeline/ports.ts';
import { encodeGraph, noiseValues, type GraphConstant, type GraphNode } from '../../support/onnx.ts';

/**
 * The promise that a resumed run gives the same bytes for any batch and thread count rests on this: on the cpu provider
 * each layer of the kinds that priors consist of answers for an image with the same bytes in any company.
 */
interface Layer {
  name: string;
  input: number[];
  output: number[];
  nodes: GraphNode[];
  constants?: GraphConstant[];
}

const size = (shape: number[]): number => shape.reduce((product, length) => product * length, 1);
const weights = (name: string, shape: number[]): GraphConstant => ({
  name,
  shape,
  values: noiseValues(size(shape), 1, 0.3),
});

function dense(k: number, n: number): Layer[] {
  const matMul: GraphNode = { op: 'MatMul', inputs: ['x', 'w'], output: 'y' };
  const gemm: GraphNode = { op: 'Gemm', inputs: ['x', 'w'], output: 'y', attributes: { transB: 1 } };
  return [
    { name: `MatMul ${k} to ${n}`, input: [k], output: [n], nodes: [matMul], constants: [weights('w', [k, n])] },
    { name: `Gemm ${k} to ${n}`, input: [k], output: [n], nodes: [gemm], constants: [weights('w', [n, k])] },
    {
      name: `MatMul of 16 tokens ${k} to ${n}`,
      input: [16, k],
      output: [16, n],
      nodes: [matMul],
      constants: [weights('w', [k, n])],
    },
  ];
}

function convolution(from: number, to: number, extent: number, kernel: number, stride: number): Layer {
  const half = (kernel - 1) / 2;
  const attributes = { kernel_shape: [kernel, kernel], strides: [stride, stride], pads: [half, half, half, half] };
  return {
    name: `Conv ${from} to ${to}, ${extent}x${extent}, kernel ${kernel}, stride ${stride}`,
    input: [from, extent, extent],
    output: [to, Math.ceil(extent / stride), Math.ceil(extent / stride)],
    nodes: [{ op: 'Conv', inputs: ['x', 'w'], output: 'y', attributes }],
    constants: [weights('w', [to, from, kernel, kernel])],
  };
}

function transposed(from: number, to: number, extent: number): Layer {
  return {
    name: `ConvTranspose ${from} to ${to}, ${extent}x${extent}`,
    input: [from, extent, extent],
    output: [to, 2 * extent, 2 * extent],
    nodes: [
      { op: 'ConvTranspose', inputs: ['x', 'w'], output: 'y', attributes: { kernel_shape: [2, 2], strides: [2, 2] } },
    ],
    constants: [weights('w', [from, to, 2, 2])],
  };
}

function attention(heads: number, tokens: number, width: number): Layer {
  return {
    name: `attention of ${heads} heads, ${tokens} tokens, width ${width}`,
    input: [heads, tokens, width],
    output: [heads, tokens, width],
    nodes: [
      { op: 'Transpose', inputs: ['x'], output: 'keys', attributes: { perm: [0, 1, 3, 2] } },
      { op: 'MatMul', inputs: ['x', 'keys'], output: 'scores' },
      { op: 'Softmax', inputs: ['scores'], output: 'shares' },
      { op: 'MatMul', inputs: ['shares', 'x'], output: 'y' },
    ],
  };
}

const layers: Layer[] = [
  ...dense(2048, 10),
  ...dense(512, 512),
  ...dense(64, 2048),
  convolution(3, 64, 32, 3, 1),
  convolution(64, 128, 16, 3, 2),
  convolution(160, 160, 8, 3, 1),
  convolution(256, 512, 4, 3, 1),
  convolution(160, 8, 8, 1, 1),
  transposed(4, 160, 8),
  transposed(48, 3, 16),
  attention(6, 16, 64),
  attention(1, 64, 256),
  {
    name: 'LayerNormalization',
    input: [64, 384],
    output: [64, 384],
    nodes: [{ op: 'LayerNormalization', inputs: ['x', 'w'], output: 'y' }],
    constants: [weights('w', [384])],
  },
];

const IMAGES = 16;

describe('on the cpu provider an image has the same bytes for any batch and thread count', async () => {
  const runtimes = await Promise.all([1, 2, 5].map((threads) => createModelRuntime({ provider: 'cpu', threads })));

  it.each(layers)('$name', async (layer) => {
    const expected = await inBatches(runtimes[0]!, layer, IMAGES);
    for (const runtime of runtimes) {
      for (const batch of [1, 3, IMAGES]) {
        const received = await inBatches(runtime, layer, batch);
        expect(received.equals(expected), `batch ${batch}, ${runtime.describe().threads} threads`).toBe(true);
      }
    }
  });
});

async function inBatches(runtime: ModelRuntime, layer: Layer, batch: number): Promise<Buffer> {
  const model = await runtime.load(layer.name, async () =>
    encodeGraph({
      inputs: [{ name: 'x', shape: ['b', ...layer.input] }],
      outputs: [{ name: 'y', shape: ['b', ...layer.output] }],
      nodes: layer.nodes,
      ...(layer.constants && { constants: layer.constants }),
    }),
  );
  const each = size(layer.input);
  const images = noiseValues(IMAGES * each, 2);
  const parts: Buffer[] = [];
  for (let at = 0; at < IMAGES; at += batch) {
    const data = images.slice(at * each, (at + batch) * each);
    const y = (await model.run({ x: { type: 'float32', data, shape: [data.length / each, ...layer.input] } }))['y']!;
    parts.push(Buffer.from(y.data.buffer, y.data.byteOffset, y.data.byteLength));
  }
  return Buffer.concat(parts);
}
