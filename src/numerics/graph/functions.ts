/** Operators as functions, for formulas to read like formulas. */
import { axisOf, range, sameShape, type Attributes, type Value } from './graph.ts';
import { type Builder } from './operator.ts';

const one = (g: Builder, op: string, inputs: readonly (Value | null)[], attributes?: Attributes): Value =>
  g.node(op, inputs, attributes)[0]!;

export const add = (g: Builder, a: Value, b: Value): Value => one(g, 'Add', [a, b]);
export const sub = (g: Builder, a: Value, b: Value): Value => one(g, 'Sub', [a, b]);
export const mul = (g: Builder, a: Value, b: Value): Value => one(g, 'Mul', [a, b]);
export const div = (g: Builder, a: Value, b: Value): Value => one(g, 'Div', [a, b]);
export const neg = (g: Builder, x: Value): Value => one(g, 'Neg', [x]);
export const exp = (g: Builder, x: Value): Value => one(g, 'Exp', [x]);
export const log = (g: Builder, x: Value): Value => one(g, 'Log', [x]);
export const sqrt = (g: Builder, x: Value): Value => one(g, 'Sqrt', [x]);
export const erf = (g: Builder, x: Value): Value => one(g, 'Erf', [x]);
export const sign = (g: Builder, x: Value): Value => one(g, 'Sign', [x]);
export const relu = (g: Builder, x: Value): Value => one(g, 'Relu', [x]);
export const square = (g: Builder, x: Value): Value => mul(g, x, x);
export const greater = (g: Builder, a: Value, b: Value): Value => one(g, 'Greater', [a, b]);
export const where = (g: Builder, condition: Value, a: Value, b: Value): Value => one(g, 'Where', [condition, a, b]);

export const scalar = (g: Builder, value: number): Value => g.constant(Float32Array.of(value), []);
export const whole = (g: Builder, values: readonly number[]): Value =>
  g.constant(BigInt64Array.from(values, BigInt), [values.length]);

export const matMul = (g: Builder, a: Value, b: Value): Value => one(g, 'MatMul', [a, b]);
export const logSoftmax = (g: Builder, x: Value): Value => one(g, 'LogSoftmax', [x], { axis: -1 });

export const transpose = (g: Builder, x: Value, perm: readonly number[]): Value =>
  perm.every((axis, i) => axis === i) ? x : one(g, 'Transpose', [x], { perm });

export const reshape = (g: Builder, x: Value, shape: readonly number[]): Value =>
  sameShape(x.shape, shape) ? x : one(g, 'Reshape', [x, whole(g, shape)]);

export const expand = (g: Builder, x: Value, shape: readonly number[]): Value =>
  sameShape(x.shape, shape) ? x : one(g, 'Expand', [x, whole(g, shape)]);

export const concat = (g: Builder, values: readonly Value[], axis: number): Value =>
  values.length === 1 ? values[0]! : one(g, 'Concat', values, { axis });

/** @param pads zeros before each axis, then after each; negative ones cut */
export const pad = (g: Builder, x: Value, pads: readonly number[]): Value =>
  pads.every((count) => count === 0) ? x : one(g, 'Pad', [x, whole(g, pads)]);

export interface SliceRange {
  axis: number;
  from: number;
  to: number;
  step?: number;
}

export const slice = (g: Builder, x: Value, ranges: readonly SliceRange[]): Value => {
  const cuts = ranges.filter(({ axis, from, to, step = 1 }) => from !== 0 || to !== x.shape[axis] || step !== 1);
  if (cuts.length === 0) return x;
  const column = (of: (range: SliceRange) => number) => whole(g, cuts.map(of));
  return one(g, 'Slice', [
    x,
    ...[column(({ from }) => from), column(({ to }) => to), column(({ axis }) => axis)],
    column(({ step = 1 }) => step),
  ]);
};

export const reduceSum = (g: Builder, x: Value, axes: readonly number[], keep = true): Value =>
  axes.length === 0 ? x : one(g, 'ReduceSum', [x, whole(g, axes)], { keepdims: Number(keep) });

export const reduceMean = (g: Builder, x: Value, axes: readonly number[], keep = true): Value =>
  axes.length === 0 ? x : one(g, 'ReduceMean', [x, whole(g, axes)], { keepdims: Number(keep) });

/**
 * Sums over what broadcasting repeated: the gradient by an operand of the shape is that of the result, summed.
 * @returns of the shape
 */
export function sumTo(g: Builder, x: Value, shape: readonly number[]): Value {
  const lead = x.shape.length - shape.length;
  const axes = range(x.shape.length).filter((axis) => axis < lead || (shape[axis - lead] === 1 && x.shape[axis] !== 1));
  return reshape(g, reduceSum(g, x, axes), shape);
}

/** A reduction's result, or gradient, with the axes that it lost. */
export function keptShape(shape: readonly number[], axes: readonly number[]): number[] {
  const reduced = new Set(axes.map((axis) => axisOf(axis, shape.length)));
  return shape.map((length, axis) => (reduced.has(axis) ? 1 : length));
}

/** Swaps the last two axes. */
export const swapLast = (g: Builder, x: Value): Value => {
  const rank = x.shape.length;
  return transpose(g, x, [...range(rank - 2), rank - 1, rank - 2]);
};
