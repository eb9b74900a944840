import { expect } from 'vitest';
import { createBuilder } from '../../../src/numerics/graph/builder.ts';
import { differentiate } from '../../../src/numerics/graph/differentiate.ts';
import { mul, reduceSum } from '../../../src/numerics/graph/functions.ts';
import { range, sizeOf, type Value } from '../../../src/numerics/graph/graph.ts';
import { type Builder } from '../../../src/numerics/graph/operator.ts';
import { randomStream } from '../../../src/numerics/math/random.ts';
import { interpret } from './interpreter.ts';

export const normals = (count: number, item: number, seed = 1): Float64Array => {
  const stream = randomStream({ seed, classIndex: 0, purpose: 'graph test', item });
  return Float64Array.from({ length: count }, (_, i) => stream.normal(i));
};

export interface Checked {
  shapes: readonly (readonly number[])[];
  build: (g: Builder, inputs: Value[]) => Value;
  /** Makes values ones that the function takes. */
  values?: (value: number) => number;
  seed?: number;
}

/**
 * Holds the gradients of a random linear function of what is built to central differences, in float64: they are off by the third
 * derivative times the square of the step, and by rounding over the step.
 */
export function checkGradients({ shapes, build, values = (value) => value, seed = 1 }: Checked): void {
  const g = createBuilder();
  const inputs = shapes.map((shape, i) => g.input(`x${i}`, shape));
  const y = build(g, inputs);
  const direction = g.constant(Float32Array.from(normals(sizeOf(y.shape), 99, seed)), y.shape);
  const loss = reduceSum(g, mul(g, y, direction), range(y.shape.length), false);
  const gradients = differentiate(g, loss, inputs);
  const graph = g.graph({ loss, ...Object.fromEntries(gradients.map((gradient, i) => [`d${i}`, gradient!])) });

  const at = shapes.map((shape, i) => normals(sizeOf(shape), i, seed).map(values));
  const feeds = (changed?: { input: number; index: number; by: number }) =>
    Object.fromEntries(
      at.map((data, i) => {
        if (changed?.input !== i) return [`x${i}`, data];
        const moved = data.slice();
        moved[changed.index]! += changed.by;
        return [`x${i}`, moved];
      }),
    );
  const found = interpret(graph, feeds());
  const lossOnly = g.graph({ loss });
  const lossAt = (input: number, index: number, by: number) =>
    interpret(lossOnly, feeds({ input, index, by }))['loss']![0]!;
  const step = 1e-4;
  shapes.forEach((shape, input) => {
    const gradient = found[`d${input}`]!;
    expect(gradient).toHaveLength(sizeOf(shape));
    // A few places of each, spread over it.
    const stride = Math.max(1, Math.floor(sizeOf(shape) / 7));
    for (let index = 0; index < sizeOf(shape); index += stride) {
      const slope = (lossAt(input, index, step) - lossAt(input, index, -step)) / (2 * step);
      expect(
        Math.abs(gradient[index]! - slope),
        `input ${input} at ${index}: ${gradient[index]} for ${slope}`,
      ).toBeLessThan(1e-5 * (1 + Math.abs(slope)));
    }
  });
}
