import { invalid } from '../../base/errors.ts';
import { type JsonObject, type JsonValue } from '../../base/json.ts';
import { typeOf, type Vocabulary } from './expression.ts';

const PLACES = /\{\{\s*([^{}]*?)\s*\}\}/g;
const MOST_CHARACTERS = 16_384;

/** What a template names, by the places that name it. */
function* placesOf(value: JsonValue, path: string[]): Generator<{ name: string; path: string[] }> {
  if (typeof value === 'string') {
    for (const [, name] of value.matchAll(PLACES)) yield { name: name!, path };
  } else if (value !== null && typeof value === 'object') {
    for (const [key, item] of Object.entries(value)) yield* placesOf(item, [...path, key]);
  }
}

export const namesIn = (template: JsonValue): string[] => [...placesOf(template, [])].map(({ name }) => name);

/** @throws INVALID_INPUT for a name that the source does not have */
export function checkTemplate(template: JsonObject, vocabulary: Vocabulary, path: string[]): void {
  const { length } = JSON.stringify(template);
  if (length > MOST_CHARACTERS) {
    throw invalid(`expected a recipe of ${MOST_CHARACTERS} characters at most, got ${length}: shorten it`, { path });
  }
  for (const place of placesOf(template, path)) {
    if (!place.name.endsWith('[]') && typeOf(place.name, vocabulary) !== null) continue;
    const names = [...vocabulary.keys()].filter((name) => !name.endsWith('[]')).join(', ');
    throw invalid(
      `expected a name that this source has in ${place.path.join('.')}, got {{${place.name}}}: use one of ${names}`,
      { path: place.path },
    );
  }
}

/**
 * A text that is one `{{name}}` and nothing else becomes the value, of whatever kind; within a longer text it becomes its text.
 * @throws INVALID_INPUT naming the place whose value is not known
 */
export function fillTemplate(template: JsonValue, facts: JsonObject, path: string[]): JsonValue {
  if (Array.isArray(template)) return template.map((item, at) => fillTemplate(item, facts, [...path, String(at)]));
  if (template !== null && typeof template === 'object') {
    const filled = Object.entries(template).map(([key, item]) => [key, fillTemplate(item, facts, [...path, key])]);
    return Object.fromEntries(filled) as JsonObject;
  }
  if (typeof template !== 'string') return template;
  const known = (name: string): JsonValue => {
    const value = factAt(facts, name);
    if (value !== null) return value;
    throw invalid(`expected a value for {{${name}}} in ${path.join('.')}, got none: name a fact that events have`, {
      path,
    });
  };
  const [whole] = [...template.matchAll(PLACES)];
  if (whole?.[0] === template) return known(whole[1]!);
  return template.replace(PLACES, (_, name: string) => {
    const value = known(name);
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  });
}

/** Null where there is nothing; places of a list are its numbers from 0. */
export function factAt(facts: JsonObject, name: string): JsonValue {
  let value: JsonValue = facts;
  for (const key of name.split('.')) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, key)) return null;
    value = (value as JsonObject)[key]!;
  }
  return value;
}
