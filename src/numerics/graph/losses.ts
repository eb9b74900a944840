import { exp, logSoftmax, mul, neg, reduceSum, scalar, sub } from './functions.ts';
import { type Value } from './graph.ts';
import { type Builder } from './operator.ts';

/**
 * The cross-entropy of predictions against probabilities: -sum_k targets[i, k] log softmax(logits)[i, k], a hard label being
 * all of its class.
 *
 * @param logits (n, k)
 * @param targets (n, k), rows sum to 1
 * @returns (n,)
 */
export function softCrossEntropy(g: Builder, logits: Value, targets: Value): Value {
  return neg(g, reduceSum(g, mul(g, targets, logSoftmax(g, logits)), [1], false));
}

/**
 * The divergence of a student from its teacher at a temperature: sum_k p log(p / q), p and q the softmax of
 * logits over the temperature. Hinton, Vinyals and Dean, arXiv 1503.02531; as RDED and D4M have it, without the factor of the squared temperature.
 *
 * @param logits (n, k)
 * @param teacher (n, k) logits
 * @returns (n,)
 */
export function distillation(g: Builder, logits: Value, teacher: Value, temperature: number): Value {
  const logarithm = (of: Value) => logSoftmax(g, mul(g, of, scalar(g, 1 / temperature)));
  const p = logarithm(teacher);
  return reduceSum(g, mul(g, exp(g, p), sub(g, p, logarithm(logits))), [1], false);
}

/**
 * sum_i weights[i] losses[i] / n: weights have mean 1 over a dataset, not over each batch.
 *
 * @param losses (n,)
 * @param weights (n,)
 * @returns ()
 */
export function weightedMean(g: Builder, losses: Value, weights: Value): Value {
  return mul(g, reduceSum(g, mul(g, losses, weights), [0], false), scalar(g, 1 / losses.shape[0]!));
}
