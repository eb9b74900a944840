import fc from 'fast-check';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { blockLength } from '../../../src/adapters/runtime/blocks.ts';
import { graphFile } from '../../../src/adapters/runtime/graph-file.ts';
import { createBuilder } from '../../../src/numerics/graph/builder.ts';
import { sizeOf, type Graph } from '../../../src/numerics/graph/graph.ts';
import { lower } from '../../../src/numerics/graph/lowering.ts';
import { interpret } from './interpreter.ts';
import { normals } from './support.ts';

const block = await blockLength({});

async function inRuntime(graph: Graph, feeds: Record<string, Float64Array>): Promise<Record<string, Float32Array>> {
  const session = await InferenceSession.create(graphFile(graph), { logSeverityLevel: 4 });
  const tensors = graph.inputs.map(({ name, shape }) => [
    name,
    new Tensor('float32', Float32Array.from(feeds[name]!), [...shape]),
  ]);
  const found = await session.run(Object.fromEntries(tensors) as Record<string, Tensor>);
  await session.release();
  return Object.fromEntries(graph.outputs.map(({ name }) => [name, found[name]!.data as Float32Array]));
}

interface Layer {
  n: number;
  channels: number;
  outputs: number;
  group: number;
  size: [number, number];
  kernel: [number, number];
  strides: [number, number];
  dilations: [number, number];
  pads: [number, number, number, number];
}

/** A convolution with its bias, the transposed one, and the gradient by weights. */
function layerGraph({ n, channels, outputs, group, size, ...window }: Layer): Graph {
  const g = createBuilder();
  const attributes = {
    kernel_shape: window.kernel,
    strides: window.strides,
    dilations: window.dilations,
    pads: window.pads,
    group,
  };
  const x = g.input('x', [n, channels, ...size]);
  const w = g.input('w', [outputs, channels / group, ...window.kernel]);
  const b = g.input('b', [outputs]);
  const y = g.node('Conv', [x, w, b], attributes)[0]!;
  const missed = ([0, 1] as const).map((axis) => {
    const { kernel, strides, dilations, pads } = window;
    const room = size[axis] + pads[axis] + pads[axis + 2]! - dilations[axis] * (kernel[axis] - 1) - 1;
    return room % strides[axis];
  });
  const back = g.node('ConvTranspose', [g.input('dy', y.shape), w], { ...attributes, output_padding: missed })[0]!;
  const by = g.node('ConvWeightGradient', [x, y], attributes)[0]!;
  return g.graph({ y, back, by });
}

async function holds(layer: Layer, of: number | null): Promise<string[]> {
  const graph = layerGraph(layer);
  const feeds = Object.fromEntries(graph.inputs.map(({ name, shape }, i) => [name, normals(sizeOf(shape), i)]));
  const exact = interpret(graph, feeds);
  const lowered = lower(graph, { block: of });
  const found = await inRuntime(lowered, feeds);
  for (const { name } of graph.outputs) {
    const scale = Math.sqrt(exact[name]!.reduce((sum, value) => sum + value ** 2, 0) / exact[name]!.length);
    const worst = exact[name]!.reduce((most, value, i) => Math.max(most, Math.abs(value - found[name]![i]!)), 0);
    expect(worst, `${name} of ${JSON.stringify(layer)}`).toBeLessThan(1e-4 * (scale + 1e-3));
  }
  return lowered.nodes.map(({ op }) => op);
}

const shapes = fc
  .record({
    n: fc.integer({ min: 1, max: 3 }),
    group: fc.integer({ min: 1, max: 2 }),
    kernel: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    strides: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
    dilations: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
    pads: fc.tuple(fc.nat({ max: 1 }), fc.nat({ max: 1 }), fc.nat({ max: 1 }), fc.nat({ max: 1 })),
    more: fc.tuple(fc.nat({ max: 4 }), fc.nat({ max: 4 })),
  })
  .map(({ more, ...window }) => {
    const size = [0, 1].map((i) => {
      const reach = window.dilations[i]! * (window.kernel[i]! - 1) + 1;
      return Math.max(1, reach - window.pads[i]! - window.pads[i + 2]!) + more[i]!;
    }) as [number, number];
    return { ...window, size };
  });

describe('a lowered graph gives in ONNX Runtime what the graph means', () => {
  it('in operators that every runtime has', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, async (shape) => {
        const ops = await holds({ ...shape, channels: 2 * shape.group, outputs: 3 * shape.group }, null);
        expect(ops.filter((op) => op === 'ConvWeightGradient' || op.startsWith('nchwc'))).toEqual([]);
      }),
      { numRuns: 15 },
    );
  });

  it.skipIf(block === null)('in blocks, however the window moves', async () => {
    await fc.assert(
      fc.asyncProperty(shapes, async (shape) => {
        await holds({ ...shape, group: 1, n: block! * shape.n, channels: 2 * shape.n, outputs: block! }, block);
      }),
      { numRuns: 15 },
    );
  });

  const small = {
    kernel: [3, 3],
    strides: [1, 1],
    dilations: [1, 1],
    pads: [1, 1, 1, 1],
    group: 1,
  } satisfies Partial<Layer>;
  it.skipIf(block === null).each<[string, Layer]>([
    ['a 3x3 convolution', { ...small, n: block!, channels: block!, outputs: 2 * block!, size: [8, 8] }],
    ['one of stride 2', { ...small, n: block!, channels: block!, outputs: block!, size: [17, 16], strides: [2, 2] }],
    [
      'a dilated one',
      { ...small, n: block!, channels: block!, outputs: block!, size: [9, 12], dilations: [2, 2], pads: [2, 2, 2, 2] },
    ],
    ['one whose samples fill no block', { ...small, n: block! - 2, channels: block!, outputs: block!, size: [9, 9] }],
  ])('in blocks: %s', async (_, layer) => {
    const ops = await holds(layer, block);
    // Forward, by weights as many as rows of the kernel, and back where the stride is 1.
    expect(ops.filter((op) => op === 'nchwc.Conv')).toHaveLength(layer.strides[0] === 1 ? 5 : 4);
  });
});
