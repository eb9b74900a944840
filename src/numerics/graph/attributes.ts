import { invalid, type PushforwardError } from '../../base/errors.ts';
import { type Attributes, type Value } from './graph.ts';
import { type Call } from './operator.ts';

export function intOf(attributes: Attributes, name: string, otherwise: number): number {
  const value = attributes[name];
  return typeof value === 'number' ? value : otherwise;
}

export function intsOf(attributes: Attributes, name: string, otherwise: readonly number[]): readonly number[] {
  const value = attributes[name];
  return Array.isArray(value) ? (value as readonly number[]) : otherwise;
}

export function floatOf(attributes: Attributes, name: string, otherwise: number): number {
  const value = attributes[name];
  return typeof value === 'object' && 'float' in value ? value.float : otherwise;
}

export function textOf(attributes: Attributes, name: string, otherwise: string): string {
  const value = attributes[name];
  return typeof value === 'string' ? value : otherwise;
}

/** @throws INVALID_INPUT naming the node if the input is left out */
export function inputOf(call: Call, index: number): Value {
  const value = call.inputs[index];
  if (value) return value;
  throw refused(call, `an input ${index}`, 'none', 'give it');
}

/** The whole numbers of a constant input, such as a shape or axes. */
export function intsOfInput(call: Call, index: number): number[] {
  const data = call.dataOf(inputOf(call, index));
  if (data) return Array.from(data, Number);
  throw refused(call, `input ${index} as a constant`, 'a computed value', 'fold it into a constant before');
}

export function refused(
  call: Pick<Call, 'op' | 'name'>,
  expected: string,
  received: string,
  remedy: string,
): PushforwardError {
  return invalid(`expected ${expected} for ${call.op} node ${call.name}, got ${received}: ${remedy}`, {
    op: call.op,
    node: call.name,
  });
}
