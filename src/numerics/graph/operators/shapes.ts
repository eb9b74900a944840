import { inputOf, intOf, intsOf, intsOfInput, refused } from '../attributes.ts';
import { pad, reshape, slice, sumTo, transpose } from '../functions.ts';
import { axisOf, range, shapeText, sizeOf, type Value } from '../graph.ts';
import { type Builder, type Call, type Operator, type Operators } from '../operator.ts';

/** The elements stay in order, and so do those of the gradient. */
function reshaped(shapeOf: (call: Call, shape: readonly number[]) => readonly number[]): Operator {
  return {
    infer(call) {
      const { type, shape } = inputOf(call, 0);
      const to = shapeOf(call, shape);
      if (sizeOf(to) !== sizeOf(shape))
        throw refused(
          call,
          `a shape of ${sizeOf(shape)} elements`,
          shapeText(to),
          `${shapeText(shape)} is what there is`,
        );
      return [{ type, shape: to }];
    },
    gradient: (g, call, [upstream]) => [reshape(g, upstream!, inputOf(call, 0).shape), null],
  };
}

function reshapeTo(call: Call, shape: readonly number[]): number[] {
  const wanted = intsOfInput(call, 1).map((length, axis) => (length === 0 ? shape[axis]! : length));
  const open = wanted.indexOf(-1);
  if (open >= 0) wanted[open] = sizeOf(shape) / -sizeOf(wanted);
  return wanted;
}

function flattened(call: Call, shape: readonly number[]): number[] {
  const axis = axisOf(intOf(call.attributes, 'axis', 1), shape.length);
  return [sizeOf(shape.slice(0, axis)), sizeOf(shape.slice(axis))];
}

function squeezed(call: Call, shape: readonly number[]): number[] {
  const axes = call.inputs[1]
    ? intsOfInput(call, 1).map((axis) => axisOf(axis, shape.length))
    : range(shape.length).filter((axis) => shape[axis] === 1);
  return shape.filter((_, axis) => !axes.includes(axis));
}

function unsqueezed(call: Call, shape: readonly number[]): number[] {
  const given = intsOfInput(call, 1);
  const rank = shape.length + given.length;
  const axes = new Set(given.map((axis) => axisOf(axis, rank)));
  const lengths = [...shape];
  return range(rank).map((axis) => (axes.has(axis) ? 1 : lengths.shift()!));
}

const transposed: Operator = {
  infer(call) {
    const { type, shape } = inputOf(call, 0);
    return [{ type, shape: permOf(call).map((axis) => shape[axis]!) }];
  },
  gradient(g, call, [upstream]) {
    const perm = permOf(call);
    return [
      transpose(
        g,
        upstream!,
        range(perm.length).map((axis) => perm.indexOf(axis)),
      ),
    ];
  },
};

const permOf = (call: Call): readonly number[] =>
  intsOf(call.attributes, 'perm', range(inputOf(call, 0).shape.length).reverse());

const expanded: Operator = {
  infer(call) {
    const { type, shape } = inputOf(call, 0);
    const to = intsOfInput(call, 1);
    const rank = Math.max(to.length, shape.length);
    const at = (lengths: readonly number[], axis: number) => lengths[axis - rank + lengths.length] ?? 1;
    return [{ type, shape: range(rank).map((axis) => Math.max(at(shape, axis), at(to, axis))) }];
  },
  gradient: (g, call, [upstream]) => [sumTo(g, upstream!, inputOf(call, 0).shape), null],
};

const joined: Operator = {
  infer(call) {
    const parts = range(call.inputs.length).map((i) => inputOf(call, i));
    const { type, shape } = parts[0]!;
    const axis = axisOf(intOf(call.attributes, 'axis', 0), shape.length);
    const fits = parts.every(
      (part) =>
        part.shape.length === shape.length && part.shape.every((length, i) => i === axis || length === shape[i]),
    );
    if (!fits)
      throw refused(
        call,
        `shapes that differ along axis ${axis} alone`,
        parts.map((part) => shapeText(part.shape)).join(', '),
        'reshape them',
      );
    return [
      {
        type,
        shape: shape.with(
          axis,
          parts.reduce((sum, part) => sum + part.shape[axis]!, 0),
        ),
      },
    ];
  },
  gradient(g, call, [upstream]) {
    const axis = axisOf(intOf(call.attributes, 'axis', 0), upstream!.shape.length);
    let from = 0;
    return call.inputs.map((_, i) => {
      const to = from + inputOf(call, i).shape[axis]!;
      const part = slice(g, upstream!, [{ axis, from, to }]);
      from = to;
      return part;
    });
  },
};

/** Zeros before and after each axis; what they were is no part of the gradient. */
const padded: Operator = {
  infer(call) {
    const { type, shape } = inputOf(call, 0);
    const pads = intsOfInput(call, 1);
    return [{ type, shape: shape.map((length, axis) => length + pads[axis]! + pads[axis + shape.length]!) }];
  },
  gradient: (g, call, [upstream]) => [
    pad(
      g,
      upstream!,
      intsOfInput(call, 1).map((count) => -count),
    ),
    null,
  ],
};

/** Only forward steps: those between are zeros of the gradient. */
const sliced: Operator = {
  infer(call) {
    const { type, shape } = inputOf(call, 0);
    const lengths = [...shape];
    for (const { axis, from, to, step } of rangesOf(call)) lengths[axis] = Math.max(0, Math.ceil((to - from) / step));
    return [{ type, shape: lengths }];
  },
  gradient(g, call, [upstream]) {
    const { shape } = inputOf(call, 0);
    const ranges = rangesOf(call);
    const before = new Array<number>(shape.length).fill(0);
    const after = new Array<number>(shape.length).fill(0);
    let whole = upstream!;
    for (const { axis, from, step } of ranges) {
      if (step > 1) whole = spread(g, whole, axis, step);
      before[axis] = from;
      after[axis] = shape[axis]! - from - whole.shape[axis]!;
    }
    return [pad(g, whole, [...before, ...after]), null, null, null, null];
  },
};

/** Puts step - 1 zeros between the elements of an axis. */
function spread(g: Builder, x: Value, axis: number, step: number): Value {
  const [lead, rest] = [x.shape.slice(0, axis), x.shape.slice(axis + 1)];
  const length = x.shape[axis]!;
  const column = reshape(g, x, [...lead, length, 1, ...rest]);
  const pads = new Array<number>(2 * column.shape.length).fill(0);
  pads[column.shape.length + axis + 1] = step - 1;
  const apart = reshape(g, pad(g, column, pads), [...lead, length * step, ...rest]);
  return slice(g, apart, [{ axis, from: 0, to: (length - 1) * step + 1 }]);
}

function rangesOf(call: Call): { axis: number; from: number; to: number; step: number }[] {
  const { shape } = inputOf(call, 0);
  const [starts, ends] = [intsOfInput(call, 1), intsOfInput(call, 2)];
  const axes = call.inputs[3] ? intsOfInput(call, 3) : range(starts.length);
  const steps = call.inputs[4] ? intsOfInput(call, 4) : starts.map(() => 1);
  return axes.map((given, i) => {
    const axis = axisOf(given, shape.length);
    const length = shape[axis]!;
    const within = (position: number) => Math.min(length, Math.max(0, position < 0 ? position + length : position));
    const step = steps[i]!;
    if (step < 1) throw refused(call, 'steps of 1 or more', String(step), 'slice forwards');
    return { axis, from: within(starts[i]!), to: within(ends[i]!), step };
  });
}

/** Picks places of an axis. */
const gathered: Operator = {
  infer(call) {
    const { type, shape } = inputOf(call, 0);
    const axis = axisOf(intOf(call.attributes, 'axis', 0), shape.length);
    return [{ type, shape: [...shape.slice(0, axis), ...inputOf(call, 1).shape, ...shape.slice(axis + 1)] }];
  },
};

export const SHAPES: Operators = {
  Gather: gathered,
  Reshape: reshaped(reshapeTo),
  Flatten: reshaped(flattened),
  Squeeze: reshaped(squeezed),
  Unsqueeze: reshaped(unsqueezed),
  Transpose: transposed,
  Expand: expanded,
  Concat: joined,
  Pad: padded,
  Slice: sliced,
};
