import { floatOf, inputOf, intOf, refused } from '../attributes.ts';
import { add, div, mul, reduceSum, reshape, scalar, sqrt, sub } from '../functions.ts';
import { sizeOf, type Value } from '../graph.ts';
import { standardizing } from '../normalization.ts';
import { type Builder, type Call, type Operator, type Operators } from '../operator.ts';
import { sameType } from './elementwise.ts';

/** With the statistics given, as after training: a scale and a shift for each channel. */
const batchNormalization: Operator = {
  infer(call) {
    if (intOf(call.attributes, 'training_mode', 0) !== 0)
      throw refused(
        call,
        'training_mode 0',
        '1',
        'compose it (normalization.ts): ONNX Runtime has it for inference only',
      );
    return sameType(call);
  },
  gradient(g, call, [upstream]) {
    const [x, scale] = [inputOf(call, 0), inputOf(call, 1)];
    const column = (value: Value) => channels(g, value, x);
    const variance = add(g, column(inputOf(call, 4)), scalar(g, floatOf(call.attributes, 'epsilon', 1e-5)));
    const r = div(g, scalar(g, 1), sqrt(g, variance));
    const y = mul(g, sub(g, x, column(inputOf(call, 3))), r);
    return [mul(g, upstream!, mul(g, r, column(scale))), ...affineGradients(g, upstream!, y), null, null];
  },
};

/** As operators these do not tell their statistics: the gradient computes them again. */
function perSample(groupsOf: (call: Call, x: Value) => number): Operator {
  return {
    infer: sameType,
    gradient(g, call, [upstream]) {
      const [x, scale] = [inputOf(call, 0), inputOf(call, 1)];
      const groups = x.shape[0]! * groupsOf(call, x);
      const rows = reshape(g, x, [groups, sizeOf(x.shape) / groups]);
      const { y, gradient } = standardizing(g, rows, [1], floatOf(call.attributes, 'epsilon', 1e-5));
      const dx = gradient(reshape(g, mul(g, upstream!, channels(g, scale, x)), rows.shape));
      return [reshape(g, dx, x.shape), ...affineGradients(g, upstream!, reshape(g, y, x.shape))];
    },
  };
}

const affineGradients = (g: Builder, dy: Value, y: Value): [Value, Value] => {
  const axes = [0, ...dy.shape.slice(2).map((_, i) => i + 2)];
  return [reduceSum(g, mul(g, dy, y), axes, false), reduceSum(g, dy, axes, false)];
};

const channels = (g: Builder, value: Value, x: Value): Value =>
  reshape(g, value, [value.shape[0]!, ...x.shape.slice(2).map(() => 1)]);

export const NORMALIZATIONS: Operators = {
  BatchNormalization: batchNormalization,
  InstanceNormalization: perSample((_, x) => x.shape[1]!),
  GroupNormalization: perSample((call) => intOf(call.attributes, 'num_groups', 1)),
};
