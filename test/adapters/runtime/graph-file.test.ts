import onnxProto from 'onnx-proto';
import { describe, expect, it } from 'vitest';
import { graphFile } from '../../../src/adapters/runtime/graph-file.ts';
import { productGraph } from '../../../src/adapters/runtime/product-graph.ts';
import { createBuilder } from '../../../src/numerics/graph/builder.ts';
import { matMul, reduceSum, scalar, mul } from '../../../src/numerics/graph/functions.ts';

const { onnx } = onnxProto;
const decode = (bytes: Uint8Array) => onnx.ModelProto.toObject(onnx.ModelProto.decode(bytes)) as Decoded;

interface Decoded {
  irVersion: unknown;
  opsetImport: { domain: string; version: unknown }[];
  graph: {
    node: { name: string; opType: string; input: string[]; output: string[]; attribute?: Record<string, unknown>[] }[];
    initializer?: { name: string; dims: unknown[]; dataType: number; rawData: Uint8Array }[];
    input: { name: string; type: { tensorType: { elemType: number; shape: { dim: Record<string, unknown>[] } } } }[];
    output: { name: string }[];
  };
}

describe('graph files, read by onnx-proto', () => {
  it('have nodes, constants, inputs and outputs', () => {
    const g = createBuilder();
    const [x, w] = [g.input('x', [2, 3, 8, 8]), g.input('w', [4, 3, 3, 3])];
    const y = g.node('Conv', [x, w, null], { pads: [1, 1, -0, 1], group: 1 }, 'first')[0]!;
    const active = g.node('LeakyRelu', [y], { alpha: { float: 0.25 } })[0]!;
    const other = g.node('Gelu', [active], { approximate: 'tanh' })[0]!;
    const sum = reduceSum(g, mul(g, other, scalar(g, 3)), [-1], false);
    const { graph, opsetImport } = decode(graphFile(g.graph({ sum })));

    expect(opsetImport.map(({ version }) => Number(version))).toEqual([21]);
    expect(graph.node.map(({ opType }) => opType)).toEqual(['Conv', 'LeakyRelu', 'Gelu', 'Mul', 'ReduceSum']);
    const [conv, leaky, gelu, , reduce] = graph.node;
    expect(conv).toMatchObject({ name: 'first', input: ['x', 'w', ''] });
    const numbers = (attribute: Record<string, unknown>) => (attribute['ints'] as unknown[]).map(Number);
    expect(conv!.attribute!.map(({ name }) => name)).toEqual(['pads', 'group']);
    expect(numbers(conv!.attribute![0]!)).toEqual([1, 1, 0, 1]);
    expect(Number(conv!.attribute![1]!['i'])).toBe(1);
    expect(leaky!.attribute![0]).toMatchObject({ name: 'alpha', f: 0.25, type: 1 });
    expect(Buffer.from(gelu!.attribute![0]!['s'] as Uint8Array).toString()).toBe('tanh');
    expect(reduce!.output).toEqual(['sum']);

    const axes = graph.initializer!.find(({ name }) => name === reduce!.input[1])!;
    expect(new BigInt64Array(Uint8Array.from(axes.rawData).buffer)).toEqual(BigInt64Array.of(-1n));
    expect(axes.dims.map(Number)).toEqual([1]);
    expect(graph.input.map(({ name }) => name)).toEqual(['x', 'w']);
    const { elemType, shape } = graph.input[0]!.type.tensorType;
    expect(elemType).toBe(1);
    expect(shape.dim.map(({ dimValue }) => Number(dimValue))).toEqual([2, 3, 8, 8]);
  });

  it('have lengths over one byte', () => {
    const g = createBuilder();
    const values = Float32Array.from({ length: 1000 }, (_, i) => i / 8);
    const y = matMul(g, g.input('a', [2, 1000]), g.constant(values, [1000, 1]));
    const { initializer } = decode(graphFile(g.graph({ y }))).graph;
    expect(new Float32Array(Uint8Array.from(initializer![0]!.rawData).buffer)).toEqual(values);
    expect(initializer![0]!.dims.map(Number)).toEqual([1000, 1]);
  });

  it.each([false, true])('are products with open dimensions (transposed: %s)', (transposeB) => {
    const { graph } = decode(productGraph(transposeB));
    expect(graph.node).toMatchObject([
      { opType: transposeB ? 'Gemm' : 'MatMul', input: ['a', 'b'], output: ['product'] },
    ]);
    const dimensions = graph.input.map(({ type }) => type.tensorType.shape.dim.map(({ dimParam }) => dimParam));
    expect(dimensions).toEqual([['m', 'k'], transposeB ? ['n', 'k'] : ['k', 'n']]);
  });
});
