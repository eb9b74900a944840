import { type Initial, type Parameter, type Statistic } from '../classifier.ts';
import { sizeOf, type Value } from '../graph.ts';
import { batchNormalization, instanceNormalization } from '../normalization.ts';
import { type Builder } from '../operator.ts';

/** What a student is made of as it is written down, layer by layer, under the names that PyTorch's modules give. */
export interface Layers {
  readonly parameters: Parameter[];
  readonly statistics: Statistic[];
}

export interface Applied {
  readonly g: Builder;
  readonly valueOf: (name: string) => Value;
  readonly mode: 'training' | 'inference';
  /** Gathers the statistics after the step. */
  readonly statistics: Record<string, Value>;
}

export type Layer = (x: Value, applied: Applied) => Value;

/** PyTorch's uniform start: 1 / sqrt(inputs of a unit). */
const uniform = (shape: readonly number[]): Initial => ({
  kind: 'uniform',
  bound: 1 / Math.sqrt(sizeOf(shape.slice(1))),
});
/** He et al., arXiv 1502.01852, by the outputs of a unit. */
const byOutputs = (shape: readonly number[]): Initial => ({
  kind: 'normal',
  deviation: Math.sqrt(2 / (shape[0]! * sizeOf(shape.slice(2)))),
});

export interface ConvolutionOptions {
  kernel: number;
  stride?: number;
  bias: boolean;
  start: 'uniform' | 'by outputs';
}

/** Padded such that a stride of 1 keeps the size. */
export function convolution(
  layers: Layers,
  name: string,
  inputs: number,
  outputs: number,
  { kernel, stride = 1, bias, start }: ConvolutionOptions,
): Layer {
  const shape = [outputs, inputs, kernel, kernel];
  const initial = start === 'uniform' ? uniform(shape) : byOutputs(shape);
  layers.parameters.push({ name: `${name}.weight`, shape, role: 'weight', initial });
  if (bias) layers.parameters.push({ name: `${name}.bias`, shape: [outputs], role: 'bias', initial: uniform(shape) });
  const around = (kernel - 1) / 2;
  return (x, { g, valueOf }) =>
    g.node('Conv', [x, valueOf(`${name}.weight`), bias ? valueOf(`${name}.bias`) : null], {
      kernel_shape: [kernel, kernel],
      strides: [stride, stride],
      pads: [around, around, around, around],
    })[0]!;
}

export function dense(layers: Layers, name: string, inputs: number, outputs: number): Layer {
  const shape = [outputs, inputs];
  layers.parameters.push({ name: `${name}.weight`, shape, role: 'weight', initial: uniform(shape) });
  layers.parameters.push({ name: `${name}.bias`, shape: [outputs], role: 'bias', initial: uniform(shape) });
  return (x, { g, valueOf }) =>
    g.node('Gemm', [x, valueOf(`${name}.weight`), valueOf(`${name}.bias`)], { transB: 1 })[0]!;
}

const EPSILON = 1e-5;

export function normalization(layers: Layers, name: string, channels: number, kind: 'instance' | 'batch'): Layer {
  const shape = [channels];
  const constant = (value: number): Initial => ({ kind: 'constant', value });
  layers.parameters.push({ name: `${name}.weight`, shape, role: 'norm', initial: constant(1) });
  layers.parameters.push({ name: `${name}.bias`, shape, role: 'norm', initial: constant(0) });
  if (kind === 'instance')
    return (x, { g, valueOf }) =>
      instanceNormalization(g, x, valueOf(`${name}.weight`), valueOf(`${name}.bias`), EPSILON);
  layers.statistics.push({ name: `${name}.running_mean`, shape, initial: constant(0) });
  layers.statistics.push({ name: `${name}.running_var`, shape, initial: constant(1) });
  return (x, { g, valueOf, mode, statistics }) => {
    const scale = valueOf(`${name}.weight`);
    const bias = valueOf(`${name}.bias`);
    const mean = valueOf(`${name}.running_mean`);
    const variance = valueOf(`${name}.running_var`);
    if (mode === 'inference')
      return g.node('BatchNormalization', [x, scale, bias, mean, variance], { epsilon: { float: EPSILON } })[0]!;
    const options = { epsilon: EPSILON, momentum: 0.9 };
    const { y, runningMean, runningVariance } = batchNormalization(g, x, { scale, bias, mean, variance }, options);
    statistics[`${name}.running_mean`] = runningMean;
    statistics[`${name}.running_var`] = runningVariance;
    return y;
  };
}
