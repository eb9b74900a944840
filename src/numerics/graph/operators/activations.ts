import { floatOf, inputOf, textOf } from '../attributes.ts';
import { add, erf, exp, greater, mul, scalar, square, sub, where } from '../functions.ts';
import { type Builder, type Operator, type Operators } from '../operator.ts';
import { type Value } from '../graph.ts';
import { sameType, unary } from './elementwise.ts';

/** Keeps what flows where the function rose, as PyTorch does at 0: nothing. */
const relu: Operator = unary((g, dy, _x, y) => where(g, greater(g, y, scalar(g, 0)), dy, scalar(g, 0)));

const leakyRelu: Operator = {
  infer: sameType,
  gradient(g, call, [dy]) {
    const slope = scalar(g, floatOf(call.attributes, 'alpha', 0.01));
    return [where(g, greater(g, inputOf(call, 0), scalar(g, 0)), dy!, mul(g, dy!, slope))];
  },
};

/**
 * x P(X <= x) for X standard normal, Hendrycks and Gimpel, arXiv 1606.08415: the derivative is P(X <= x) + x p(x).
 * Its approximation by tanh: with t = tanh(s), s = sqrt(2 / pi) (x + 0.044715 x^3), (1 + t) / 2 + x (1 - t^2) s' / 2.
 */
const gelu: Operator = {
  infer: sameType,
  gradient(g, call, [dy]) {
    const x = inputOf(call, 0);
    const derivative = textOf(call.attributes, 'approximate', 'none') === 'tanh' ? tanhGelu(g, x) : exactGelu(g, x);
    return [mul(g, dy!, derivative)];
  },
};

function exactGelu(g: Builder, x: Value): Value {
  const half = scalar(g, 0.5);
  const distribution = mul(g, half, add(g, erf(g, mul(g, x, scalar(g, Math.SQRT1_2))), scalar(g, 1)));
  const density = mul(g, exp(g, mul(g, square(g, x), scalar(g, -0.5))), scalar(g, 1 / Math.sqrt(2 * Math.PI)));
  return add(g, distribution, mul(g, x, density));
}

function tanhGelu(g: Builder, x: Value): Value {
  const root = Math.sqrt(2 / Math.PI);
  const x2 = square(g, x);
  const s = mul(g, x, add(g, mul(g, x2, scalar(g, root * 0.044715)), scalar(g, root)));
  const slope = add(g, mul(g, x2, scalar(g, 3 * root * 0.044715)), scalar(g, root));
  const t = g.node('Tanh', [s])[0]!;
  const one = scalar(g, 1);
  const bent = mul(g, mul(g, x, slope), sub(g, one, square(g, t)));
  return mul(g, scalar(g, 0.5), add(g, add(g, one, t), bent));
}

export const ACTIVATIONS: Operators = {
  Relu: relu,
  LeakyRelu: leakyRelu,
  Gelu: gelu,
  Sigmoid: unary((g, dy, _x, y) => mul(g, dy, mul(g, y, sub(g, scalar(g, 1), y)))),
  Tanh: unary((g, dy, _x, y) => mul(g, dy, sub(g, scalar(g, 1), square(g, y)))),
  // d erf(x) = 2 / sqrt(pi) exp(-x^2) dx
  Erf: unary((g, dy, x) =>
    mul(g, dy, mul(g, scalar(g, 2 / Math.sqrt(Math.PI)), exp(g, mul(g, square(g, x), scalar(g, -1))))),
  ),
};
