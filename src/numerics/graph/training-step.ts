import { createBuilder } from './builder.ts';
import { type Classifier, type Parameter } from './classifier.ts';
import { differentiate } from './differentiate.ts';
import { type Graph, type StateTensor, type Value } from './graph.ts';
import { distillation, softCrossEntropy, weightedMean } from './losses.ts';
import { type Optimizer } from './optimizers.ts';

/** What the targets of a step are: probabilities, or logits of a teacher that are compared at a temperature. */
export type Objective =
  { readonly kind: 'cross-entropy' } | { readonly kind: 'distillation'; readonly temperature: number };

export interface TrainingStepOptions {
  readonly batch: number;
  readonly objective: Objective;
  readonly optimizer: Optimizer;
  readonly weightDecay: number;
  /** Which parameters decay. */
  readonly decays: (parameter: Parameter) => boolean;
}

/**
 * One step of training as one graph. Inputs: `images` (n, channels, height, width), `targets` (n, classes), `weights` (n,), the optimizer's
 * scalars, and the state. Outputs: `loss` () of the parameters before the step, `logits` (n, classes), and the state after it.
 */
export interface TrainingStep {
  readonly graph: Graph;
  /** Parameters and statistics under their names, an optimizer's moments under `parameter:moment`. */
  readonly state: readonly StateTensor[];
}

/** @throws INVALID_INPUT naming node and operator where the classifier has one without a gradient */
export function trainingStep(classifier: Classifier, options: TrainingStepOptions): TrainingStep {
  const { batch, objective, optimizer, weightDecay, decays } = options;
  const { image, classes, parameters, statistics } = classifier;
  const g = createBuilder();
  const images = g.input('images', [batch, image.channels, image.height, image.width]);
  const targets = g.input('targets', [batch, classes]);
  const weights = g.input('weights', [batch]);
  const scalars = Object.fromEntries(optimizer.scalarNames.map((name) => [name, g.input(name, [])]));
  const values = new Map<string, Value>();
  for (const { name, shape } of [...parameters, ...statistics]) values.set(name, g.input(name, shape));

  const applied = classifier.apply(g, images, (name) => values.get(name)!, 'training');
  const { logits } = applied;
  const losses =
    objective.kind === 'cross-entropy'
      ? softCrossEntropy(g, logits, targets)
      : distillation(g, logits, targets, objective.temperature);
  const loss = weightedMean(g, losses, weights);
  const gradients = differentiate(
    g,
    loss,
    parameters.map(({ name }) => values.get(name)!),
  );

  const outputs: Record<string, Value> = { loss, logits };
  const state: StateTensor[] = [];
  const keep = (name: string, shape: readonly number[], after: Value) => {
    outputs[`next ${name}`] = after;
    state.push({ name, shape, next: `next ${name}` });
  };
  parameters.forEach((parameter, i) => {
    const { name, shape } = parameter;
    const before = values.get(name)!;
    const gradient = gradients[i];
    if (!gradient) return keep(name, shape, before);
    const moments = optimizer.moments.map((moment) => g.input(`${name}:${moment}`, shape));
    const decay = decays(parameter) ? weightDecay : 0;
    const after = optimizer.update(g, { parameter: before, gradient, moments, scalars, weightDecay: decay });
    keep(name, shape, after.parameter);
    optimizer.moments.forEach((moment, m) => keep(`${name}:${moment}`, shape, after.moments[m]!));
  });
  for (const { name, shape } of statistics) keep(name, shape, applied.statistics[name] ?? values.get(name)!);
  return { graph: g.graph(outputs), state };
}

/** Logits of images: inputs `images`, parameters and statistics, output `logits`. */
export function inferenceGraph(classifier: Classifier, batch: number): Graph {
  const { image, parameters, statistics } = classifier;
  const g = createBuilder();
  const images = g.input('images', [batch, image.channels, image.height, image.width]);
  const values = new Map<string, Value>();
  for (const { name, shape } of [...parameters, ...statistics]) values.set(name, g.input(name, shape));
  const { logits } = classifier.apply(g, images, (name) => values.get(name)!, 'inference');
  return g.graph({ logits });
}
