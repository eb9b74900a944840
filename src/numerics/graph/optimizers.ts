import { add, div, mul, scalar, sqrt, square, sub } from './functions.ts';
import { type Value } from './graph.ts';
import { type Builder } from './operator.ts';

/** What changes from step to step, as values of the graph of a step. */
export type Scalars<Name extends string = string> = Readonly<Record<Name, Value>>;

export interface Optimizer<Name extends string = string> {
  readonly name: string;
  /** Tensors that are kept for each parameter, of its shape; zeros at first. */
  readonly moments: readonly string[];
  /** Names of the scalars that an update reads. */
  readonly scalarNames: readonly Name[];
  /** @param step counts from 1 @returns the scalars, by name */
  scalars(step: number, learningRate: number): Readonly<Record<Name, number>>;
  /** @param weightDecay 0 for a parameter that is not to decay @returns parameter and moments after the step */
  update(
    g: Builder,
    of: { parameter: Value; gradient: Value; moments: readonly Value[]; scalars: Scalars<Name>; weightDecay: number },
  ): { parameter: Value; moments: readonly Value[] };
}

/** v <- momentum v + gradient + weightDecay p; p <- p - rate v. Sutskever et al., ICML 2013, as PyTorch has it. */
export function sgd({ momentum }: { momentum: number }): Optimizer<'rate'> {
  return {
    name: 'sgd',
    moments: ['velocity'],
    scalarNames: ['rate'],
    scalars: (_step, rate) => ({ rate }),
    update(g, { parameter, gradient, moments: [before], scalars: { rate }, weightDecay }) {
      const force = weightDecay === 0 ? gradient : add(g, gradient, mul(g, parameter, scalar(g, weightDecay)));
      const velocity = add(g, mul(g, before!, scalar(g, momentum)), force);
      return { parameter: sub(g, parameter, mul(g, velocity, rate)), moments: [velocity] };
    },
  };
}

/**
 * Loshchilov and Hutter, arXiv 1711.05101, algorithm 2, as PyTorch has it: the rate scales the decay, too.
 * p <- (1 - rate weightDecay) p - rate m' / (sqrt(v') + epsilon), m' and v' freed of their zeros at the start.
 */
export function adamW({ beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8 } = {}): Optimizer<
  'rate' | 'meanCorrection' | 'varianceCorrection'
> {
  return {
    name: 'adamw',
    moments: ['mean', 'variance'],
    scalarNames: ['rate', 'meanCorrection', 'varianceCorrection'],
    scalars: (step, rate) => ({
      rate,
      meanCorrection: 1 / (1 - beta1 ** step),
      varianceCorrection: 1 / (1 - beta2 ** step),
    }),
    update(g, { parameter, gradient, moments: [m, v], scalars, weightDecay }) {
      const average = (before: Value, now: Value, beta: number) =>
        add(g, mul(g, before, scalar(g, beta)), mul(g, now, scalar(g, 1 - beta)));
      const mean = average(m!, gradient, beta1);
      const variance = average(v!, square(g, gradient), beta2);
      const spread = add(g, sqrt(g, mul(g, variance, scalars.varianceCorrection)), scalar(g, epsilon));
      const change = mul(g, div(g, mean, spread), mul(g, scalars.rate, scalars.meanCorrection));
      const keep = sub(g, scalar(g, 1), mul(g, scalars.rate, scalar(g, weightDecay)));
      const decayed = weightDecay === 0 ? parameter : mul(g, parameter, keep);
      return { parameter: sub(g, decayed, change), moments: [mean, variance] };
    },
  };
}
