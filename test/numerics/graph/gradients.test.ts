import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createBuilder } from '../../../src/numerics/graph/builder.ts';
import { differentiate } from '../../../src/numerics/graph/differentiate.ts';
import {
  add,
  expand,
  mul,
  pad,
  reduceSum,
  relu,
  slice,
  where,
  greater,
  scalar,
} from '../../../src/numerics/graph/functions.ts';
import { type Attributes } from '../../../src/numerics/graph/graph.ts';
import {
  batchNormalization,
  groupNormalization,
  instanceNormalization,
} from '../../../src/numerics/graph/normalization.ts';
import { OPERATORS } from '../../../src/numerics/graph/operators/index.ts';
import { checkGradients } from './support.ts';

interface Case {
  name: string;
  op: string;
  shapes: number[][];
  attributes?: Attributes;
  values?: (value: number) => number;
  /** Constant inputs after the others. */
  whole?: number[][];
}

const positive = (value: number): number => 0.5 + Math.abs(value);
const NORM = { epsilon: { float: 1e-3 } };

const CASES: Case[] = [
  ...['Neg', 'Identity', 'Exp', 'Abs', 'Erf', 'Relu', 'LeakyRelu', 'Gelu', 'Sigmoid', 'Tanh'].map((op) => ({
    name: op,
    op,
    shapes: [[3, 4]],
  })),
  ...['Log', 'Sqrt'].map((op) => ({ name: op, op, shapes: [[3, 4]], values: positive })),
  { name: 'LeakyRelu with a slope', op: 'LeakyRelu', shapes: [[12]], attributes: { alpha: { float: 0.3 } } },
  { name: 'Gelu by tanh', op: 'Gelu', shapes: [[12]], attributes: { approximate: 'tanh' } },
  ...['Softmax', 'LogSoftmax'].flatMap((op) => [
    { name: op, op, shapes: [[3, 5]] },
    { name: `${op} along another axis`, op, shapes: [[3, 5, 2]], attributes: { axis: 1 } },
  ]),
  { name: 'Flatten', op: 'Flatten', shapes: [[2, 3, 4]] },
  { name: 'Reshape', op: 'Reshape', shapes: [[2, 3, 4]], whole: [[0, -1]] },
  { name: 'Squeeze', op: 'Squeeze', shapes: [[2, 1, 4]], whole: [[1]] },
  { name: 'Unsqueeze', op: 'Unsqueeze', shapes: [[2, 4]], whole: [[0, -1]] },
  { name: 'Transpose', op: 'Transpose', shapes: [[2, 3, 4]], attributes: { perm: [2, 0, 1] } },
  { name: 'Expand', op: 'Expand', shapes: [[3, 1]], whole: [[2, 1, 4]] },
  {
    name: 'Concat',
    op: 'Concat',
    shapes: [
      [2, 3],
      [2, 1],
      [2, 2],
    ],
    attributes: { axis: 1 },
  },
  { name: 'Pad', op: 'Pad', shapes: [[2, 3]], whole: [[1, 0, 2, 1]] },
  { name: 'Pad that cuts', op: 'Pad', shapes: [[4, 3]], whole: [[1, -1, -2, 1]] },
  {
    name: 'Slice',
    op: 'Slice',
    shapes: [[5, 7]],
    whole: [
      [1, 0],
      [-1, 6],
      [0, 1],
      [1, 3],
    ],
  },
  ...['ReduceSum', 'ReduceMean'].flatMap((op) => [
    { name: op, op, shapes: [[2, 3, 4]] },
    { name: `${op} of axes`, op, shapes: [[2, 3, 4]], whole: [[0, -1]], attributes: { keepdims: 0 } },
  ]),
  {
    name: 'MatMul',
    op: 'MatMul',
    shapes: [
      [3, 4],
      [4, 2],
    ],
  },
  {
    name: 'MatMul of batches',
    op: 'MatMul',
    shapes: [
      [2, 1, 3, 4],
      [5, 4, 2],
    ],
  },
  ...[0, 1].flatMap((transA) =>
    [0, 1].map((transB) => ({
      name: `Gemm ${transA} ${transB}`,
      op: 'Gemm',
      shapes: [transA ? [4, 3] : [3, 4], transB ? [2, 4] : [4, 2], [2]],
      attributes: { transA, transB, alpha: { float: 0.5 }, beta: { float: 2 } },
    })),
  ),
  {
    name: 'BatchNormalization with given statistics',
    op: 'BatchNormalization',
    shapes: [[2, 3, 2, 2], [3], [3]],
    attributes: NORM,
  },
  { name: 'InstanceNormalization', op: 'InstanceNormalization', shapes: [[2, 3, 3, 2], [3], [3]], attributes: NORM },
  {
    name: 'GroupNormalization',
    op: 'GroupNormalization',
    shapes: [[2, 4, 3, 2], [4], [4]],
    attributes: { ...NORM, num_groups: 2 },
  },
  { name: 'GlobalAveragePool', op: 'GlobalAveragePool', shapes: [[2, 3, 4, 3]] },
];

describe('gradients against central differences', () => {
  it.each(CASES)('$name', ({ op, shapes, attributes, values, whole = [] }) => {
    checkGradients({
      shapes,
      ...(values && { values }),
      build(g, inputs) {
        const constants = whole.map((list) => g.constant(BigInt64Array.from(list, BigInt), [list.length]));
        const statistics =
          op === 'BatchNormalization'
            ? [g.constant(Float32Array.of(0.1, -0.2, 0.3), [3]), g.constant(Float32Array.of(0.5, 1, 2), [3])]
            : [];
        return g.node(op, [...inputs, ...statistics, ...constants], attributes)[0]!;
      },
    });
  });

  it('covers every operator that has one', () => {
    const elsewhere = ['Add', 'Sub', 'Mul', 'Div', 'Where', 'Conv', 'ConvTranspose', 'AveragePool', 'MaxPool'];
    const covered = new Set([...CASES.map(({ op }) => op), ...elsewhere]);
    expect(Object.keys(OPERATORS).filter((op) => OPERATORS[op]!.gradient && !covered.has(op))).toEqual([]);
  });

  const broadcasting = fc
    .array(fc.tuple(fc.integer({ min: 1, max: 3 }), fc.constantFrom('both', 'a', 'b')), { minLength: 1, maxLength: 4 })
    .chain((axes) =>
      fc.tuple(
        fc.constant([
          axes.map(([length, has]) => (has === 'b' ? 1 : length)),
          axes.map(([length, has]) => (has === 'a' ? 1 : length)),
        ] as [number[], number[]]),
        fc.nat({ max: axes.length - 1 }),
        fc.boolean(),
      ),
    )
    .map(([[a, b], cut, first]): [number[], number[]] => (first ? [a.slice(cut), b] : [a, b.slice(cut)]));

  it.each(['Add', 'Sub', 'Mul', 'Div', 'Where'])('%s, however it broadcasts', (op) => {
    fc.assert(
      fc.property(broadcasting, fc.nat({ max: 1000 }), ([a, b], seed) => {
        checkGradients({
          shapes: [a, b],
          seed,
          values: op === 'Div' ? positive : (value) => value,
          build: (g, [x, y]) =>
            op === 'Where' ? where(g, greater(g, x!, scalar(g, 0)), x!, y!) : g.node(op, [x!, y!])[0]!,
        });
      }),
      { numRuns: 25 },
    );
  });

  const windows = fc
    .record({
      kernel: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
      strides: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
      dilations: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
      pads: fc.tuple(fc.nat({ max: 1 }), fc.nat({ max: 1 }), fc.nat({ max: 1 }), fc.nat({ max: 1 })),
      more: fc.tuple(fc.nat({ max: 3 }), fc.nat({ max: 3 })),
    })
    .map(({ more, ...window }) => {
      const size = [0, 1].map((i) => {
        const reach = window.dilations[i]! * (window.kernel[i]! - 1) + 1;
        return Math.max(1, reach - window.pads[i]! - window.pads[i + 2]!) + more[i]!;
      });
      const { kernel, strides, dilations, pads } = window;
      return { size, kernel, attributes: { kernel_shape: kernel, strides, dilations, pads } };
    });

  it('convolutions, however they move, in groups or not', () => {
    fc.assert(
      fc.property(
        windows,
        fc.record({
          n: fc.integer({ min: 1, max: 2 }),
          group: fc.integer({ min: 1, max: 3 }),
          own: fc.integer({ min: 1, max: 2 }),
          out: fc.integer({ min: 1, max: 2 }),
        }),
        fc.boolean(),
        ({ size, kernel, attributes }, { n, group, own, out }, bias) => {
          checkGradients({
            shapes: [[n, group * own, ...size], [group * out, own, ...kernel], ...(bias ? [[group * out]] : [])],
            build: (g, inputs) => g.node('Conv', inputs, { ...attributes, group })[0]!,
          });
        },
      ),
      { numRuns: 60 },
    );
  });

  it('transposed convolutions', () => {
    fc.assert(
      fc.property(
        windows.filter(({ size, kernel, attributes: { strides, dilations, pads } }) =>
          [0, 1].every(
            (i) => (size[i]! - 1) * strides[i]! + dilations[i]! * (kernel[i]! - 1) + 1 > pads[i]! + pads[i + 2]!,
          ),
        ),
        fc.integer({ min: 1, max: 2 }),
        ({ size, kernel, attributes }, group) => {
          checkGradients({
            shapes: [
              [2, 2 * group, ...size],
              [2 * group, 1, ...kernel],
            ],
            build: (g, inputs) => g.node('ConvTranspose', inputs, { ...attributes, group })[0]!,
          });
        },
      ),
      { numRuns: 30 },
    );
  });

  it.each(['AveragePool', 'MaxPool'])('%s, however it moves', (op) => {
    fc.assert(
      fc.property(windows, fc.boolean(), fc.boolean(), ({ size, attributes }, counts, tiled) => {
        // Pads are smaller than windows, as ONNX wants them; a window of padding alone has no mean.
        const kernel = attributes.kernel_shape;
        fc.pre(
          attributes.pads.every((count, i) => count < kernel[i % 2]!) && attributes.dilations.every((d) => d === 1),
        );
        fc.pre(!tiled || size.every((length, i) => length >= kernel[i]!));
        const window = tiled ? { kernel_shape: kernel, strides: kernel } : attributes;
        checkGradients({
          shapes: [[2, 2, ...size]],
          build: (g, inputs) =>
            g.node(op, inputs, { ...window, ...(op === 'AveragePool' && { count_include_pad: Number(counts) }) })[0]!,
        });
      }),
      { numRuns: 40 },
    );
  });

  it('normalizations that are composed', () => {
    const shapes = [[3, 4, 2, 3], [4], [4]];
    checkGradients({ shapes, build: (g, [x, scale, bias]) => instanceNormalization(g, x!, scale!, bias!, 1e-3) });
    checkGradients({ shapes, build: (g, [x, scale, bias]) => groupNormalization(g, x!, scale!, bias!, 2, 1e-3) });
    checkGradients({
      shapes,
      build(g, [x, scale, bias]) {
        const before = g.constant(new Float32Array(4), [4]);
        const statistics = { scale: scale!, bias: bias!, mean: before, variance: before };
        return batchNormalization(g, x!, statistics, { epsilon: 1e-3, momentum: 0.9 }).y;
      },
    });
  });

  it('add up where a value is used several times', () => {
    checkGradients({
      shapes: [[2, 3]],
      build: (g, [x]) =>
        add(g, mul(g, x!, x!), slice(g, pad(g, relu(g, x!), [1, 0, 0, 0]), [{ axis: 0, from: 0, to: 2 }])),
    });
  });
});

describe('differentiation', () => {
  it('names node, operator and what is covered where there is no gradient', () => {
    const g = createBuilder();
    const x = g.input('x', [3]);
    const steps = g.node('Sign', [x], {}, 'the_step')[0]!;
    const loss = reduceSum(g, steps, [0], false);
    expect(() => differentiate(g, loss, [x])).toThrow(
      /Sign node the_step, got Sign: those with one are Relu, LeakyRelu/,
    );
  });

  it('passes by what does not lie between the values and the loss', () => {
    const g = createBuilder();
    const [x, y] = [g.input('x', [3]), g.input('y', [3])];
    const loss = reduceSum(g, mul(g, x, g.node('Sign', [y])[0]!), [0], false);
    const apart = g.input('z', [2]);
    const [byX, byZ] = differentiate(g, loss, [x, apart]);
    expect(byX!.shape).toEqual([3]);
    expect(byZ).toBeNull();
  });

  it('wants a number', () => {
    const g = createBuilder();
    const x = g.input('x', [3]);
    expect(() => differentiate(g, expand(g, x, [2, 3]), [x])).toThrow(/loss of shape \(\), got \(2, 3\)/);
  });
});

describe('a builder', () => {
  it('refuses shapes that do not fit, naming the node', () => {
    const g = createBuilder();
    const [a, b] = [g.input('a', [2, 3]), g.input('b', [2, 4])];
    expect(() => g.node('Add', [a, b], {}, 'sum')).toThrow(/Add node sum, got \(2, 3\) and \(2, 4\)/);
    expect(() => g.node('MatMul', [a, b])).toThrow(/MatMul node/);
    expect(() => g.node('Conv', [a, b])).toThrow(/four axes/);
    expect(() => g.node('Einsum', [a, b])).toThrow(/got Einsum/);
    expect(() => g.input('a', [1])).toThrow(/got a twice/);
  });

  it('gives the graph of what is asked for, and no more', () => {
    const g = createBuilder();
    const x = g.input('x', [2]);
    const twice = add(g, x, x);
    mul(g, twice, g.constant(new Float32Array(2), [2]));
    const graph = g.graph({ twice, same: twice, x2: x });
    expect(graph.nodes.map(({ op, outputs }) => [op, outputs[0]!.name])).toEqual([
      ['Add', 'twice'],
      ['Identity', 'same'],
      ['Identity', 'x2'],
    ]);
    expect(graph.constants).toEqual([]);
  });
});
