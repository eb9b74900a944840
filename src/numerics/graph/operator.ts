import { type Attributes, type ConstantData, type TensorType, type Value } from './graph.ts';

/** What operators and functions need of a builder. */
export interface Builder {
  /** Appends a node of a known operator. @returns its outputs @throws INVALID_INPUT naming the node */
  node(op: string, inputs: readonly (Value | null)[], attributes?: Attributes, name?: string): readonly Value[];
  constant(data: ConstantData, shape: readonly number[]): Value;
  /** The values of a constant; null of anything else. */
  dataOf(value: Value): ConstantData | null;
  /**
   * Several nodes as one step, whose gradient is given instead of following from its nodes.
   * @param inputs what the gradients are by, in their order
   */
  step<Outputs extends readonly Value[]>(
    op: string,
    inputs: readonly (Value | null)[],
    build: () => { outputs: Outputs; gradient: StepGradient },
  ): Outputs;
}

/** A node as its operator sees it. */
export interface Call {
  readonly op: string;
  readonly name: string;
  readonly inputs: readonly (Value | null)[];
  readonly attributes: Attributes;
  /** The values of a constant; null of anything else. */
  dataOf(value: Value): ConstantData | null;
}

/** @param upstream of the loss by each output; null where the loss does not depend on it @returns by each input; null for none */
export type StepGradient = (upstream: readonly (Value | null)[]) => readonly (Value | null)[];

export interface Operator {
  infer(call: Call): readonly TensorType[];
  /** Absent where the operator has none. */
  gradient?(
    g: Builder,
    node: Call & { readonly outputs: readonly Value[] },
    upstream: readonly (Value | null)[],
  ): readonly (Value | null)[];
}

export type Operators = Readonly<Record<string, Operator>>;
