import { describe, expect, it } from 'vitest';
import { createModelRuntime, readModelFile } from '../../../../src/adapters/runtime/index.ts';
import { sizeOf, type Value } from '../../../../src/numerics/graph/graph.ts';
import { importedClassifier } from '../../../../src/numerics/graph/students/imported.ts';
import { inferenceGraph, trainingStep } from '../../../../src/numerics/graph/training-step.ts';
import { sgd } from '../../../../src/numerics/graph/optimizers.ts';
import { encodeGraph, noiseValues, type Graph } from '../../../support/onnx.ts';

const weights = (name: string, shape: number[], seed: number) => ({
  ...{ name, shape },
  values: noiseValues(sizeOf(shape), seed, 0.5),
});

/** Convolution, batch norm, ReLU, pooling, and a dense layer as exporters write it: a shape that is computed, a product, a sum. */
const network: Graph = {
  inputs: [{ name: 'images', shape: ['n', 3, 8, 8] }],
  outputs: [{ name: 'logits', shape: ['n', 5] }],
  nodes: [
    {
      op: 'Conv',
      inputs: ['images', 'w1', 'b1'],
      output: 'c',
      attributes: { kernel_shape: [3, 3], pads: [1, 1, 1, 1] },
    },
    { op: 'BatchNormalization', inputs: ['c', 'scale', 'shift', 'mean', 'variance'], output: 'bn' },
    { op: 'Relu', inputs: ['bn'], output: 'r' },
    { op: 'MaxPool', inputs: ['r'], output: 'p', attributes: { kernel_shape: [2, 2], strides: [2, 2] } },
    { op: 'Dropout', inputs: ['p'], output: 'dropped' },
    { op: 'Shape', inputs: ['dropped'], output: 's' },
    { op: 'Gather', inputs: ['s', 'zero'], output: 'n' },
    { op: 'Unsqueeze', inputs: ['n', 'axes'], output: 'n1' },
    { op: 'Concat', inputs: ['n1', 'rest'], output: 'shape', attributes: { axis: 0 } },
    { op: 'Reshape', inputs: ['dropped', 'shape'], output: 'f' },
    { op: 'MatMul', inputs: ['f', 'w2'], output: 'm' },
    { op: 'Add', inputs: ['m', 'b2'], output: 'logits' },
  ],
  constants: [
    weights('w1', [4, 3, 3, 3], 1),
    weights('b1', [4], 2),
    weights('scale', [4], 3),
    weights('shift', [4], 4),
    weights('mean', [4], 5),
    { name: 'variance', shape: [4], values: Float32Array.of(0.5, 1, 2, 3) },
    { name: 'zero', shape: [], values: BigInt64Array.of(0n) },
    { name: 'axes', shape: [1], values: BigInt64Array.of(0n) },
    { name: 'rest', shape: [1], values: BigInt64Array.of(-1n) },
    weights('w2', [64, 5], 6),
    weights('b2', [5], 7),
  ],
};
const imported = (graph: Graph) => importedClassifier(readModelFile(encodeGraph(graph)));

describe('a classifier that is brought as ONNX', () => {
  it('has its constants as parameters and statistics, and its logits', async () => {
    const classifier = imported(network);
    expect(classifier.parameters.map(({ name, role }) => [name, role])).toEqual([
      ['w1', 'weight'],
      ['b1', 'bias'],
      ['scale', 'norm'],
      ['shift', 'norm'],
      ['w2', 'weight'],
      ['b2', 'bias'],
    ]);
    expect(classifier.statistics.map(({ name }) => name)).toEqual(['mean', 'variance']);
    expect(classifier).toMatchObject({ classes: 5, image: { channels: 3, height: 8, width: 8 } });

    const runtime = await createModelRuntime({ provider: 'cpu', threads: 1 });
    const images = noiseValues(6 * 192, 8);
    const model = await runtime.load('brought', async () => encodeGraph(network));
    const expected = await model.run({ images: { type: 'float32', data: images, shape: [6, 3, 8, 8] } });
    const own = await runtime.compile('own', inferenceGraph(classifier, 6), []);
    const values = network.constants!.map(({ name, values }) => [name, values] as const);
    const { logits } = await own
      .begin({})
      .step({ images, ...(Object.fromEntries(values) as Record<string, Float32Array>) });
    logits!.forEach((value, i) => expect(value).toBeCloseTo(expected['logits']!.data[i] as number, 4));
    await runtime.close();
  });

  it('trains: every parameter has a gradient, and statistics run', () => {
    const step = trainingStep(imported(network), {
      ...{ batch: 2, objective: { kind: 'cross-entropy' }, optimizer: sgd({ momentum: 0.9 }) },
      ...{ weightDecay: 0, decays: () => true },
    });
    expect(step.state.filter(({ name }) => name.endsWith(':velocity'))).toHaveLength(6);
    const produced = new Set(
      step.graph.nodes
        .filter(({ op }) => op !== 'Identity')
        .flatMap(({ outputs }) => outputs.map((o: Value) => o.name)),
    );
    expect(produced).toContain('next mean');
    expect(produced).toContain('next variance');
  });

  const withNode = (op: string, attributes = {}): Graph => ({
    ...network,
    nodes: network.nodes.map((node) => (node.op === 'Relu' ? { ...node, op, attributes } : node)),
  });

  it('names an operator that is not covered, and its node', () => {
    expect(() => imported(withNode('Einsum'))).toThrow(/for Einsum node Einsum 2, got Einsum/);
    expect(() => imported(withNode('Celu'))).toThrow(/one of the operators Relu, LeakyRelu/);
  });

  it('names an operator that has no gradient once it is to train', () => {
    const signs = imported(withNode('Sign'));
    const step = () =>
      trainingStep(signs, {
        ...{ batch: 2, objective: { kind: 'cross-entropy' }, optimizer: sgd({ momentum: 0.9 }) },
        ...{ weightDecay: 0, decays: () => true },
      });
    expect(step).toThrow(/an operator with a gradient for Sign node Sign 2, got Sign/);
  });

  it('is one from images of a fixed size to logits', () => {
    const inputs = (shape: (string | number)[]) => imported({ ...network, inputs: [{ name: 'images', shape }] });
    expect(() => inputs(['n', 3, 'h', 'w'])).toThrow(/of a fixed size and one output, got images/);
    expect(() => inputs(['n', 192])).toThrow(/one input \(n, channels, height, width\)/);
    const planes = { ...network, outputs: [{ name: 'p', shape: ['n', 4, 4, 4] }], nodes: network.nodes.slice(0, 4) };
    expect(() => imported(planes)).toThrow(/expected logits \(n, classes\), got \(2, 4, 4, 4\)/);
    expect(() => imported({ ...network, opset: 9 })).toThrow(/opset 11 to 22, got 9/);
  });

  it('is a file', () => {
    const bytes = encodeGraph(network);
    expect(() => readModelFile(bytes.subarray(0, bytes.length / 2))).toThrow(/expected an ONNX file, got a field ends/);
    expect(() => readModelFile(new Uint8Array())).toThrow(/a file without a graph/);
    expect(() => readModelFile(Uint8Array.of(0x0f, 1, 2))).toThrow(/unknown kind 7/);
  });
});
