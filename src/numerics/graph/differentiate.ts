import { invalid } from '../../base/errors.ts';
import { refused } from './attributes.ts';
import { type GraphBuilder } from './builder.ts';
import { add, scalar } from './functions.ts';
import { sameShape, shapeText, type Value } from './graph.ts';
import { OPERATORS } from './operators/index.ts';

/**
 * Reverse-mode differentiation: appends the nodes of the gradients of a scalar.
 *
 * Griewank and Walther, "Evaluating Derivatives", 2nd ed., SIAM 2008, section 3.2: adjoints go backwards through the
 * steps, and what reaches a value by several ways adds up.
 *
 * @param loss of shape ()
 * @param by values that the loss may depend on
 * @returns gradients, in the order of `by`, of their shapes; null where the loss does not depend on a value
 * @throws INVALID_INPUT naming node and operator where one on the way has no gradient
 */
export function differentiate(g: GraphBuilder, loss: Value, by: readonly Value[]): (Value | null)[] {
  if (loss.shape.length > 0)
    throw invalid(`expected a loss of shape (), got ${shapeText(loss.shape)}: reduce it to a number`);
  const steps = [...g.steps];
  const dependent = new Set(by.map(({ name }) => name));
  for (const { inputs, outputs } of steps)
    if (inputs.some((input) => input && dependent.has(input.name))) for (const { name } of outputs) dependent.add(name);

  const adjoints = new Map<string, Value>([[loss.name, scalar(g, 1)]]);
  for (const step of steps.toReversed()) {
    if (!step.inputs.some((input) => input && dependent.has(input.name))) continue;
    const upstream = step.outputs.map(({ name }) => adjoints.get(name) ?? null);
    if (upstream.every((adjoint) => adjoint === null)) continue;
    if (!step.gradient)
      throw refused(step, 'an operator with a gradient', step.op, `those with one are ${differentiable().join(', ')}`);
    const gradients = step.gradient(upstream);
    step.inputs.forEach((input, i) => {
      const gradient = gradients[i];
      if (!input || !gradient || !dependent.has(input.name)) return;
      if (!sameShape(gradient.shape, input.shape))
        throw refused(step, `a gradient of shape ${shapeText(input.shape)}`, shapeText(gradient.shape), 'correct it');
      const before = adjoints.get(input.name);
      adjoints.set(input.name, before ? add(g, before, gradient) : gradient);
    });
  }
  return by.map(({ name }) => adjoints.get(name) ?? null);
}

const differentiable = (): string[] => Object.keys(OPERATORS).filter((op) => OPERATORS[op]!.gradient);
