/**
 * ONNX graphs as plain values. Every shape is known when a graph is built: a training step is built for one batch.
 *
 * Letters: n samples of a batch, c channels, h and w height and width, o output channels, k classes.
 */

export type ElementType = 'float32' | 'int64' | 'bool';

export interface TensorType {
  readonly type: ElementType;
  readonly shape: readonly number[];
}

/** A tensor somewhere in a graph. */
export interface Value extends TensorType {
  readonly name: string;
}

/** A number is an INT of ONNX, a list of them INTS; a FLOAT says so. */
export type Attribute = number | string | readonly number[] | { readonly float: number };
export type Attributes = Readonly<Record<string, Attribute>>;

export interface Node {
  readonly name: string;
  readonly op: string;
  /** null for an optional input that is left out. */
  readonly inputs: readonly (Value | null)[];
  readonly outputs: readonly Value[];
  readonly attributes: Attributes;
}

export type ConstantData = Float32Array | BigInt64Array;

export interface Constant {
  readonly value: Value;
  /** Row-major. */
  readonly data: ConstantData;
}

export interface Graph {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** In an order in which each can be carried out. */
  readonly nodes: readonly Node[];
  readonly constants: readonly Constant[];
}

/** A tensor that a graph reads, and writes anew for the next time that it runs. */
export interface StateTensor {
  readonly name: string;
  readonly shape: readonly number[];
  /** The output that has it afterwards. */
  readonly next: string;
}

/** A graph as a file has it, read but not understood: names instead of values, and shapes of inputs alone. */
export interface ModelFile {
  readonly opset: number;
  /** null is a length that is not fixed. Without the tensors that have constants. */
  readonly inputs: readonly { readonly name: string; readonly shape: readonly (number | null)[] }[];
  readonly outputs: readonly string[];
  readonly nodes: readonly ModelNode[];
  readonly constants: ReadonlyMap<string, ModelConstant>;
}

export interface ModelNode {
  readonly name: string;
  readonly op: string;
  /** Empty where an optional one is left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: Attributes;
  /** The value of a node that is a constant. */
  readonly constant: ModelConstant | null;
}

export interface ModelConstant {
  readonly shape: readonly number[];
  readonly data: ConstantData;
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

export const shapeText = (shape: readonly number[]): string => `(${shape.join(', ')})`;

export const sameShape = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((length, axis) => length === b[axis]);

/** Axes may count from the end, as in ONNX. */
export const axisOf = (axis: number, rank: number): number => (axis < 0 ? axis + rank : axis);

export const range = (length: number): number[] => Array.from({ length }, (_, i) => i);
