import { invalid } from '../../base/errors.ts';
import { type JsonValue } from '../../base/json.ts';

/** Lists and objects within one another. Postgres and JSON.stringify give up after some thousands, and an evaluation puts facts into more. */
export const MOST_NESTED = 64;

/** @throws INVALID_INPUT for an event that nests deeper than it could be kept */
export function checkNesting(event: JsonValue, path: string[]): void {
  if (!isDeeper(event, MOST_NESTED)) return;
  throw invalid(
    `expected lists and objects nested at most ${MOST_NESTED} deep in an event, got deeper ones: flatten its data, or send a text`,
    { path },
  );
}

const isDeeper = (value: JsonValue, most: number): boolean =>
  value !== null &&
  typeof value === 'object' &&
  (most === 0 || Object.values(value).some((inner) => isDeeper(inner, most - 1)));
