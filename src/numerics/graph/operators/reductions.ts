import { inputOf, intOf, intsOfInput } from '../attributes.ts';
import { expand, keptShape, mul, reshape, scalar } from '../functions.ts';
import { axisOf, range, sizeOf, type Value } from '../graph.ts';
import { type Builder, type Call, type Operator, type Operators } from '../operator.ts';

/** Every summand of a sum has its gradient; of a mean, its share. */
function reduction(gradient?: (g: Builder, dy: Value, repeated: number) => Value): Operator {
  return {
    infer(call) {
      const { type, shape } = inputOf(call, 0);
      const kept = keptShape(shape, axesOf(call));
      const lost = new Set(axesOf(call));
      return [
        { type, shape: intOf(call.attributes, 'keepdims', 1) ? kept : kept.filter((_, axis) => !lost.has(axis)) },
      ];
    },
    ...(gradient && {
      gradient(g, call, [upstream]) {
        const { shape } = inputOf(call, 0);
        const kept = keptShape(shape, axesOf(call));
        const share = gradient(g, upstream!, sizeOf(shape) / sizeOf(kept));
        return [expand(g, reshape(g, share, kept), shape), null];
      },
    }),
  };
}

function axesOf(call: Call): number[] {
  const rank = inputOf(call, 0).shape.length;
  return call.inputs[1] ? intsOfInput(call, 1).map((axis) => axisOf(axis, rank)) : range(rank);
}

export const REDUCTIONS: Operators = {
  ReduceSum: reduction((_, dy) => dy),
  ReduceMean: reduction((g, dy, repeated) => mul(g, dy, scalar(g, 1 / repeated))),
};
