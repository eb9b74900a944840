import { invalid } from '../../../base/errors.ts';
import { floatOf, intOf, intsOf, refused } from '../attributes.ts';
import { createBuilder } from '../builder.ts';
import { type Classifier, type Parameter, type Statistic } from '../classifier.ts';
import { whole } from '../functions.ts';
import { shapeText, type Attributes, type ModelFile, type ModelNode, type Value } from '../graph.ts';
import { batchNormalization } from '../normalization.ts';
import { type Builder } from '../operator.ts';

/** The opsets whose operators are read as this folder means them. */
const OPSETS = { first: 11, last: 22 };

/**
 * A classifier that was brought as an ONNX file. What it trains are the float constants of more than one element; the
 * statistics of BatchNormalization run on. Dropout was left out when it was exported, and stays so.
 *
 * @throws INVALID_INPUT naming what is not covered: an operator, by its node, or the shape of an input
 */
export function importedClassifier(model: ModelFile): Classifier {
  const { opset, inputs, outputs, constants } = model;
  if (opset < OPSETS.first || opset > OPSETS.last)
    throw invalid(
      `expected opset ${OPSETS.first} to ${OPSETS.last}, got ${opset}: export the classifier with opset 17`,
    );
  const [input] = inputs;
  const [channels, height, width] = input?.shape.slice(1) ?? [];
  if (inputs.length !== 1 || outputs.length !== 1 || input!.shape.length !== 4 || !channels || !height || !width)
    throw invalid(
      `expected one input (n, channels, height, width) of a fixed size and one output, got ` +
        `${inputs.map(({ name, shape }) => `${name} ${shapeText(shape.map((length) => length ?? NaN))}`).join(', ') || 'no input'} and ` +
        `${outputs.join(', ') || 'no output'}: export the classifier from images to logits`,
    );

  const roles = rolesOf(model);
  const parameters: Parameter[] = [];
  const statistics: Statistic[] = [];
  for (const [name, { shape, data }] of constants) {
    if (!(data instanceof Float32Array) || data.length <= 1) continue;
    const initial = { kind: 'given', values: data } as const;
    const role = roles.get(name) ?? (shape.length > 1 ? 'weight' : 'bias');
    if (role === 'statistic') statistics.push({ name, shape, initial });
    else parameters.push({ name, shape, role, initial });
  }
  const trained = new Set([...parameters, ...statistics].map(({ name }) => name));

  const image = { channels, height, width };
  const apply: Classifier['apply'] = (g, images, valueOf, mode) => {
    const values = new Map<string, Value>([[input!.name, images]]);
    for (const [name, { shape, data }] of constants)
      values.set(name, trained.has(name) ? valueOf(name) : g.constant(data, shape));
    const running: Record<string, Value> = {};
    for (const node of model.nodes) {
      const given = node.inputs.map((name) => (name === '' ? null : known(values, node, name)));
      const found = carriedOut(g, node, given, mode, running);
      node.outputs.forEach((name, i) => {
        if (found[i]) values.set(name, found[i]);
      });
    }
    return { logits: values.get(outputs[0]!)!, statistics: running };
  };
  const g = createBuilder();
  const tensors = new Map([...parameters, ...statistics].map(({ name, shape }) => [name, g.input(name, shape)]));
  const probe = g.input('images of a probe', [2, channels, height, width]);
  const { logits } = apply(g, probe, (name) => tensors.get(name)!, 'inference');
  if (logits.shape.length !== 2 || logits.shape[0] !== 2)
    throw invalid(`expected logits (n, classes), got ${shapeText(logits.shape)} for two images: export it to logits`);
  return { ...{ image, classes: logits.shape[1]!, parameters, statistics, apply } };
}

const NORMALIZATIONS = ['BatchNormalization', 'InstanceNormalization', 'GroupNormalization'];

/** What normalizations are given. */
function rolesOf({ nodes }: ModelFile): Map<string, 'norm' | 'statistic'> {
  const roles = new Map<string, 'norm' | 'statistic'>();
  for (const { op, inputs } of nodes.filter((node) => NORMALIZATIONS.includes(node.op))) {
    for (const name of inputs.slice(1, 3)) roles.set(name, 'norm');
    if (op === 'BatchNormalization') for (const name of inputs.slice(3, 5)) roles.set(name, 'statistic');
  }
  return roles;
}

function known(values: ReadonlyMap<string, Value>, { op, name }: ModelNode, input: string): Value {
  const value = values.get(input);
  if (value) return value;
  throw refused({ op, name }, `the input ${input} from a node before`, 'none', 'export the classifier again');
}

function carriedOut(
  g: Builder,
  node: ModelNode,
  inputs: readonly (Value | null)[],
  mode: 'training' | 'inference',
  running: Record<string, Value>,
): readonly Value[] {
  const { op, attributes, name, constant } = node;
  const [x] = inputs;
  switch (op) {
    case 'Constant':
      if (constant) return [g.constant(constant.data, constant.shape)];
      break;
    case 'Dropout':
      return [x!];
    case 'Shape':
      return [whole(g, x!.shape)];
    case 'BatchNormalization':
      if (mode === 'training') return [inTraining(g, node, inputs as Value[], running)];
      return g.node(op, inputs, { epsilon: { float: floatOf(attributes, 'epsilon', 1e-5) } }, name);
    case 'Softmax':
    case 'LogSoftmax':
      return g.node(op, inputs, { axis: intOf(attributes, 'axis', -1) }, name);
  }
  return folded(g, node, inputs) ?? g.node(op, withAxes(g, node, inputs), withoutAxes(node), name);
}

/** Axes were attributes once, and are inputs now. */
const AXES = ['ReduceSum', 'ReduceMean', 'Squeeze', 'Unsqueeze'];

function withAxes(g: Builder, { op, attributes }: ModelNode, inputs: readonly (Value | null)[]) {
  const axes = AXES.includes(op) ? intsOf(attributes, 'axes', []) : [];
  return axes.length > 0 ? [inputs[0]!, whole(g, axes)] : inputs;
}

function withoutAxes({ op, attributes }: ModelNode): Attributes {
  if (!AXES.includes(op)) return attributes;
  return Object.fromEntries(Object.entries(attributes).filter(([name]) => name !== 'axes'));
}

function inTraining(
  g: Builder,
  { inputs: names, attributes }: ModelNode,
  inputs: Value[],
  running: Record<string, Value>,
) {
  const [x, scale, bias, mean, variance] = inputs as [Value, Value, Value, Value, Value];
  const options = { epsilon: floatOf(attributes, 'epsilon', 1e-5), momentum: floatOf(attributes, 'momentum', 0.9) };
  const found = batchNormalization(g, x, { scale, bias, mean, variance }, options);
  running[names[3]!] = found.runningMean;
  running[names[4]!] = found.runningVariance;
  return found.y;
}

/** Exporters compute shapes from shapes: here they are known. */
function folded(g: Builder, { op, attributes }: ModelNode, inputs: readonly (Value | null)[]): Value[] | null {
  const lists = inputs.map((input) => (input ? g.dataOf(input) : null));
  if (!lists.every((list) => list instanceof BigInt64Array)) return null;
  const [first, second] = lists.map((list) => Array.from(list, Number));
  switch (op) {
    case 'Gather':
      return [
        g.constant(
          BigInt64Array.from(second!, (at) => BigInt(first!.at(at)!)),
          inputs[1]!.shape,
        ),
      ];
    case 'Concat':
      return [
        whole(
          g,
          lists.flatMap((list) => Array.from(list, Number)),
        ),
      ];
    case 'Unsqueeze':
    case 'Cast':
      return first!.length === 1 && intOf(attributes, 'to', 7) === 7 ? [whole(g, first!)] : null;
    default:
      return null;
  }
}
