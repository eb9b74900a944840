import { add, div, mul, reduceMean, reshape, scalar, sqrt, square, sub } from './functions.ts';
import { sizeOf, type Value } from './graph.ts';
import { type Builder } from './operator.ts';

export interface Standardized {
  /** Mean 0 and variance 1 over the axes, nearly. */
  readonly y: Value;
  /** With the axes as 1, like the variance: that of the values themselves, not an estimate. */
  readonly mean: Value;
  readonly variance: Value;
}

/**
 * y = r (x - mean), r = 1 / sqrt(variance + epsilon). What flows back is centred and freed of what lies along y:
 * dx = r (dy - mean(dy) - y mean(dy y)), means over the axes.
 * Ioffe and Szegedy, "Batch normalization", arXiv 1502.03167, section 3, their formulas taken together.
 */
export function standardize(g: Builder, x: Value, axes: readonly number[], epsilon: number): Standardized {
  const [y, mean, variance] = g.step('Standardize', [x], () => {
    const { y, mean, variance, gradient } = standardizing(g, x, axes, epsilon);
    return { outputs: [y, mean, variance] as const, gradient: ([dy]) => [dy ? gradient(dy) : null] };
  });
  return { y, mean, variance };
}

/** The nodes of it, and those of its gradient by x. */
export function standardizing(
  g: Builder,
  x: Value,
  axes: readonly number[],
  epsilon: number,
): Standardized & { gradient(dy: Value): Value } {
  const mean = reduceMean(g, x, axes);
  const centred = sub(g, x, mean);
  const variance = reduceMean(g, square(g, centred), axes);
  const r = div(g, scalar(g, 1), sqrt(g, add(g, variance, scalar(g, epsilon))));
  const y = mul(g, centred, r);
  return {
    ...{ y, mean, variance },
    gradient(dy) {
      const along = mul(g, y, reduceMean(g, mul(g, dy, y), axes));
      return mul(g, r, sub(g, sub(g, dy, reduceMean(g, dy, axes)), along));
    },
  };
}

/** scale[c] y + bias[c], of (n, c, ..) */
function affine(g: Builder, y: Value, scale: Value, bias: Value): Value {
  const column = (value: Value) => reshape(g, value, [value.shape[0]!, ...y.shape.slice(2).map(() => 1)]);
  return add(g, mul(g, y, column(scale)), column(bias));
}

/** Over the places of each channel of each sample. Ulyanov, Vedaldi and Lempitsky, arXiv 1607.08022. */
export function instanceNormalization(g: Builder, x: Value, scale: Value, bias: Value, epsilon: number): Value {
  return groupNormalization(g, x, scale, bias, x.shape[1]!, epsilon);
}

/** Over places and the channels of a group, in each sample. Wu and He, arXiv 1803.08494. */
export function groupNormalization(
  g: Builder,
  x: Value,
  scale: Value,
  bias: Value,
  groups: number,
  epsilon: number,
): Value {
  const n = x.shape[0]!;
  const rows = reshape(g, x, [n * groups, sizeOf(x.shape) / (n * groups)]);
  return affine(g, reshape(g, standardize(g, rows, [1], epsilon).y, x.shape), scale, bias);
}

export interface BatchNormalized {
  readonly y: Value;
  readonly runningMean: Value;
  readonly runningVariance: Value;
}

/**
 * Over the places of a channel in all samples, in training.
 *
 * @param momentum the share of what was before in the running statistics; as in PyTorch, whose momentum is 1 minus that, the
 *   variance that runs is the unbiased estimate
 */
export function batchNormalization(
  g: Builder,
  x: Value,
  { scale, bias, mean, variance }: { scale: Value; bias: Value; mean: Value; variance: Value },
  { epsilon, momentum }: { epsilon: number; momentum: number },
): BatchNormalized {
  const axes = [0, ...x.shape.slice(2).map((_, i) => i + 2)];
  const of = standardize(g, x, axes, epsilon);
  const count = sizeOf(x.shape) / x.shape[1]!;
  const running = (before: Value, now: Value, unbiased: number) =>
    add(
      g,
      mul(g, before, scalar(g, momentum)),
      mul(g, reshape(g, now, before.shape), scalar(g, (1 - momentum) * unbiased)),
    );
  return {
    y: affine(g, of.y, scale, bias),
    runningMean: running(mean, of.mean, 1),
    runningVariance: running(variance, of.variance, count > 1 ? count / (count - 1) : 1),
  };
}
