import { invalid } from '../base/errors.ts';

/** The field of an input that a number came from, and what it may be. */
export interface WholeNumberField {
  /** As its message names it. */
  name: string;
  from: number;
  to: number;
  /** `details.path` of the error. */
  path: readonly string[];
  remedy: string;
}

/** @throws INVALID_INPUT */
export function wholeNumber(value: number, { name, from, to, path, remedy }: WholeNumberField): number {
  if (Number.isInteger(value) && value >= from && value <= to) return value;
  throw invalid(`expected ${name} to be a whole number from ${from} to ${to}, got ${value}: ${remedy}`, { path });
}
