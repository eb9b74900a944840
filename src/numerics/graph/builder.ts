import { refused } from './attributes.ts';
import {
  sizeOf,
  shapeText,
  type Attributes,
  type Constant,
  type ConstantData,
  type ElementType,
  type Graph,
  type Node,
  type TensorType,
  type Value,
} from './graph.ts';
import { type Builder, type Call, type StepGradient } from './operator.ts';
import { OPERATORS } from './operators/index.ts';
import { invalid } from '../../base/errors.ts';

/** What was done to values, in order: what differentiation walks back. */
export interface Step {
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly (Value | null)[];
  readonly outputs: readonly Value[];
  /** null where the operator has none. */
  readonly gradient: StepGradient | null;
}

export interface GraphBuilder extends Builder {
  /** @throws INVALID_INPUT if the name is taken */
  input(name: string, shape: readonly number[], type?: ElementType): Value;
  readonly steps: readonly Step[];
  /** The graph of what these outputs need, each under its name. */
  graph(outputs: Readonly<Record<string, Value>>): Graph;
}

/** @param prefix of the names of nodes that are given none */
export function createBuilder(prefix = ''): GraphBuilder {
  const inputs: Value[] = [];
  const nodes: Node[] = [];
  const constants = new Map<string, Constant>();
  const known = new Map<string, Value>();
  const steps: Step[] = [];
  let names = 0;
  let inStep = false;

  const named = ({ type, shape }: TensorType): Value => ({ name: `v${names++}`, type, shape });
  const dataOf = (value: Value): ConstantData | null => constants.get(value.name)?.data ?? null;

  const g: GraphBuilder = {
    steps,
    dataOf,

    input(name, shape, type = 'float32') {
      if (inputs.some((input) => input.name === name))
        throw invalid(`expected names of inputs that differ, got ${name} twice: choose another`, { name });
      const value = { name, type, shape };
      inputs.push(value);
      return value;
    },

    constant(data, shape) {
      if (data.length !== sizeOf(shape))
        throw invalid(
          `expected ${sizeOf(shape)} values for a constant of shape ${shapeText(shape)}, got ${data.length}`,
        );
      const type = data instanceof Float32Array ? 'float32' : 'int64';
      const key = data.length <= SHARED_LENGTH ? `${type} ${shapeText(shape)} ${Array.from(data, repr).join()}` : null;
      const shared = key === null ? undefined : known.get(key);
      if (shared) return shared;
      const value = named({ type, shape });
      constants.set(value.name, { value, data });
      if (key !== null) known.set(key, value);
      return value;
    },

    node(op, given, attributes: Attributes = {}, name = `${prefix}${op}_${nodes.length}`) {
      const operator = OPERATORS[op];
      const call: Call = { op, name, inputs: given, attributes, dataOf };
      if (!operator)
        throw refused(call, `one of the operators ${Object.keys(OPERATORS).join(', ')}`, op, 'use one of them');
      const outputs = operator.infer(call).map(named);
      nodes.push({ name, op, inputs: given, outputs, attributes });
      if (!inStep) {
        const gradient: StepGradient | null = operator.gradient
          ? (upstream) => operator.gradient!(g, { ...call, outputs }, upstream)
          : null;
        steps.push({ op, name, inputs: given, outputs, gradient });
      }
      return outputs;
    },

    step(op, given, build) {
      if (inStep) return build().outputs;
      const name = `${op}_${nodes.length}`;
      inStep = true;
      try {
        const { outputs, gradient } = build();
        steps.push({ op, name, inputs: given, outputs, gradient });
        return outputs;
      } finally {
        inStep = false;
      }
    },

    graph(wanted) {
      const names = new Map<string, Value>();
      const copies: Node[] = [];
      const outputs = Object.entries(wanted).map(([name, value]): Value => {
        const output: Value = { ...value, name };
        const made = nodes.some((node) => node.outputs.some((other) => other.name === value.name));
        if (made && !names.has(value.name)) names.set(value.name, output);
        else
          copies.push({ name: `Identity ${name}`, op: 'Identity', inputs: [value], outputs: [output], attributes: {} });
        return output;
      });
      const needed = new Set([...names.keys(), ...copies.map((copy) => copy.inputs[0]!.name)]);
      const kept: Node[] = [];
      for (const node of nodes.toReversed()) {
        if (!node.outputs.some(({ name }) => needed.has(name))) continue;
        for (const input of node.inputs) if (input) needed.add(input.name);
        kept.push(node);
      }
      const renamed = <V extends Value | null>(value: V): V => ((value && names.get(value.name)) as V) ?? value;
      return {
        inputs: [...inputs],
        outputs,
        nodes: [...kept.reverse(), ...copies].map((node) => ({
          ...node,
          inputs: node.inputs.map(renamed),
          outputs: node.outputs.map(renamed),
        })),
        constants: [...constants.values()].filter(({ value }) => needed.has(value.name)),
      };
    },
  };
  return g;
}

/** Constants this short are one where they are equal. */
const SHARED_LENGTH = 16;

/** Tells -0 from 0. */
const repr = (value: number | bigint): string => (Object.is(value, -0) ? '-0' : String(value));
