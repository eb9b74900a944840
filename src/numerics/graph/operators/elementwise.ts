import { inputOf, refused } from '../attributes.ts';
import { div, mul, neg, sign, sumTo, where, scalar } from '../functions.ts';
import { shapeText, type ElementType, type TensorType, type Value } from '../graph.ts';
import { type Builder, type Call, type Operator, type Operators } from '../operator.ts';

/** a and b broadcast against each other: lengths are equal, or one of them is 1 or left out in front. */
function broadcast(call: Call, values: readonly Value[]): number[] {
  const rank = Math.max(...values.map(({ shape }) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const lengths = values.map(({ shape }) => shape[axis - rank + shape.length] ?? 1).filter((length) => length !== 1);
    if (new Set(lengths).size > 1)
      throw refused(
        call,
        'shapes that broadcast',
        values.map(({ shape }) => shapeText(shape)).join(' and '),
        'reshape one',
      );
    return lengths[0] ?? 1;
  });
}

function binary(
  gradient?: (g: Builder, upstream: Value, a: Value, b: Value, result: Value) => [Value, Value],
  type?: ElementType,
): Operator {
  return {
    infer(call) {
      const [a, b] = [inputOf(call, 0), inputOf(call, 1)];
      return [{ type: type ?? a.type, shape: broadcast(call, [a, b]) }];
    },
    ...(gradient && {
      gradient(g, call, [upstream]) {
        const [a, b] = [inputOf(call, 0), inputOf(call, 1)];
        const [byA, byB] = gradient(g, upstream!, a, b, call.outputs[0]!);
        return [sumTo(g, byA, a.shape), sumTo(g, byB, b.shape)];
      },
    }),
  };
}

export const sameType = (call: Call): readonly TensorType[] => {
  const { type, shape } = inputOf(call, 0);
  return [{ type, shape }];
};

/** @param gradient given the result y of x */
export function unary(gradient?: (g: Builder, upstream: Value, x: Value, y: Value) => Value): Operator {
  return {
    infer: sameType,
    ...(gradient && {
      gradient: (g, call, [upstream]) => [gradient(g, upstream!, inputOf(call, 0), call.outputs[0]!)],
    }),
  };
}

export const ELEMENTWISE: Operators = {
  Add: binary((_, dy) => [dy, dy]),
  Sub: binary((g, dy) => [dy, neg(g, dy)]),
  Mul: binary((g, dy, a, b) => [mul(g, dy, b), mul(g, dy, a)]),
  // d(a / b) = da / b - (a / b) db / b
  Div: binary((g, dy, _a, b, y) => {
    const byA = div(g, dy, b);
    return [byA, neg(g, mul(g, byA, y))];
  }),
  Neg: unary((g, dy) => neg(g, dy)),
  Identity: unary((_, dy) => dy),
  Exp: unary((g, dy, _x, y) => mul(g, dy, y)),
  Log: unary((g, dy, x) => div(g, dy, x)),
  Sqrt: unary((g, dy, _x, y) => div(g, mul(g, dy, scalar(g, 0.5)), y)),
  Abs: unary((g, dy, x) => mul(g, dy, sign(g, x))),
  Sign: unary(),
  Greater: binary(undefined, 'bool'),
  Where: {
    infer(call) {
      const values = [inputOf(call, 0), inputOf(call, 1), inputOf(call, 2)];
      return [{ type: values[1]!.type, shape: broadcast(call, values) }];
    },
    gradient(g, call, [upstream]) {
      const [condition, a, b] = [inputOf(call, 0), inputOf(call, 1), inputOf(call, 2)];
      const zero = scalar(g, 0);
      return [
        null,
        sumTo(g, where(g, condition, upstream!, zero), a.shape),
        sumTo(g, where(g, condition, zero, upstream!), b.shape),
      ];
    },
  },
};
