import { intOf } from '../attributes.ts';
import { exp, mul, reduceSum, sub } from '../functions.ts';
import { type Value } from '../graph.ts';
import { type Builder, type Operator, type Operators } from '../operator.ts';
import { sameType } from './elementwise.ts';

function along(gradient: (g: Builder, dy: Value, y: Value, axis: number) => Value): Operator {
  return {
    infer: sameType,
    gradient: (g, call, [upstream]) => [
      gradient(g, upstream!, call.outputs[0]!, intOf(call.attributes, 'axis', -1)),
      null,
    ],
  };
}

export const SOFTMAX: Operators = {
  // dx = y (dy - sum y dy)
  Softmax: along((g, dy, y, axis) => mul(g, y, sub(g, dy, reduceSum(g, mul(g, y, dy), [axis])))),
  // dx = dy - softmax(x) sum dy
  LogSoftmax: along((g, dy, y, axis) => sub(g, dy, mul(g, exp(g, y), reduceSum(g, dy, [axis])))),
};
