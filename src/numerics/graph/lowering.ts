import { intOf } from './attributes.ts';
import { createBuilder } from './builder.ts';
import {
  blockedConvolution,
  blockedFits,
  blockedGradient,
  blockedGradientFits,
  blockedTransposed,
} from './forms/blocked.ts';
import { weightGradient } from './forms/weight-gradient.ts';
import { sameShape, type Graph, type Node, type Value } from './graph.ts';
import { type Builder } from './operator.ts';
import { windowOf, type Window } from './window.ts';

export interface LoweringOptions {
  /** Channels of a block where the runtime has convolutions in blocks (forms/blocked.ts); null where it has none. */
  readonly block: number | null;
}

/** The same graph in operators that a runtime has, each in the form that was measured to be the fastest. */
export function lower(graph: Graph, { block }: LoweringOptions): Graph {
  const g = createBuilder('lowered ');
  const values = new Map<string, Value>();
  for (const { name, shape, type } of graph.inputs) values.set(name, g.input(name, shape, type));
  for (const { value, data } of graph.constants) values.set(value.name, g.constant(data, value.shape));
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((input) => (input ? values.get(input.name)! : null));
    const form = block === null ? null : blockedForm(g, node, inputs, block);
    const outputs = form ?? portableForm(g, node, inputs) ?? g.node(node.op, inputs, node.attributes, node.name);
    node.outputs.forEach(({ name }, i) => values.set(name, outputs[i]!));
  }
  return g.graph(Object.fromEntries(graph.outputs.map(({ name }) => [name, values.get(name)!])));
}

function portableForm(g: Builder, node: Node, [x, dy]: (Value | null)[]): Value[] | null {
  if (node.op !== 'ConvWeightGradient') return null;
  return [weightGradient(g, x!, dy!, windowOfNode(g, node), intOf(node.attributes, 'group', 1))];
}

function blockedForm(g: Builder, node: Node, inputs: (Value | null)[], block: number): Value[] | null {
  if (!['Conv', 'ConvTranspose', 'ConvWeightGradient'].includes(node.op)) return null;
  if (intOf(node.attributes, 'group', 1) !== 1) return null;
  const [x, w] = [inputs[0]!, inputs[1]!];
  const { shape } = node.outputs[0]!;
  const window = windowOfNode(g, node);
  if (node.op === 'ConvWeightGradient')
    return blockedGradientFits(w.shape, block) ? [blockedGradient(g, x, w, window, block)] : null;
  if (!blockedFits(shape, w.shape, block)) return null;
  if (node.op === 'Conv') return [blockedConvolution(g, x, w, inputs[2] ?? null, window, block)];
  const turns =
    inputs.length === 2 &&
    window.strides.every((stride) => stride === 1) &&
    window.pads.every((count, side) => count <= window.dilations[side % 2]! * (window.kernel[side % 2]! - 1));
  if (!turns) return null;
  const found = blockedTransposed(g, x, w, window, block);
  return sameShape(found.shape, shape) ? [found] : null;
}

function windowOfNode(g: Builder, node: Node): Window {
  const kernel = node.op === 'ConvWeightGradient' ? node.outputs[0]!.shape.slice(2) : node.inputs[1]!.shape.slice(2);
  return windowOf({ ...node, dataOf: (value) => g.dataOf(value) }, kernel);
}
