import { invalid } from '../../base/errors.ts';
import { type JsonObject, type JsonValue } from '../../base/json.ts';

/**
 * A body of another shape: JSON in whose texts `{{path}}` stands for what the CloudEvent has there, `{{data.run.id}}`. A text that is one path and nothing
 * else becomes the value itself, of whatever kind; within a longer text it becomes its text.
 */
export function fillTemplate(template: JsonValue, event: JsonObject): JsonValue {
  if (typeof template === 'string') return fillText(template, event);
  if (Array.isArray(template)) return template.map((item) => fillTemplate(item, event));
  if (template === null || typeof template !== 'object') return template;
  return Object.fromEntries(Object.entries(template).map(([key, value]) => [key, fillTemplate(value, event)]));
}

function fillText(text: string, event: JsonObject): JsonValue {
  const [whole] = [...text.matchAll(PATHS)];
  if (whole && whole[0] === text) return valueAt(event, whole[1]!) ?? null;
  return text.replace(PATHS, (_, path: string) => {
    const value = valueAt(event, path) ?? '';
    return typeof value === 'object' ? JSON.stringify(value) : String(value);
  });
}

const PATHS = /\{\{\s*([\w.-]+)\s*\}\}/g;

/** Undefined where there is nothing; places of a list are its numbers from 0. */
function valueAt(value: JsonValue | undefined, path: string): JsonValue | undefined {
  for (const key of path.split('.')) {
    if (value === null || typeof value !== 'object' || !Object.hasOwn(value, key)) return undefined;
    value = (value as JsonObject)[key];
  }
  return value;
}

const MOST_CHARACTERS = 16_384;

/**
 * @param samples what an event of each type has
 * @throws INVALID_INPUT for a path that an event of one of these types does not have, with those that it has
 */
export function checkTemplate(template: JsonValue, samples: ReadonlyMap<string, JsonObject>): void {
  const at = { path: ['template'] };
  const { length } = JSON.stringify(template);
  if (length > MOST_CHARACTERS) {
    throw invalid(`expected a template of ${MOST_CHARACTERS} characters at most, got ${length}: shorten it`, at);
  }
  for (const text of textsOf(template)) {
    const rest = text.replace(PATHS, '');
    if (rest.includes('{{') || rest.includes('}}')) {
      throw invalid(`expected {{path}} with a path such as data.run.id, got ${JSON.stringify(text)}: correct it`, at);
    }
    for (const [, path] of text.matchAll(PATHS)) {
      for (const [type, sample] of samples) {
        if (valueAt(sample, path!) !== undefined) continue;
        throw invalid(
          `expected a path that an event ${type} has, got {{${path}}}: name one of ${pathsOf(sample, '').join(', ')}, or leave ${type} out of the types`,
          at,
        );
      }
    }
  }
}

function* textsOf(template: JsonValue): Generator<string> {
  if (typeof template === 'string') return void (yield template);
  if (template === null || typeof template !== 'object') return;
  for (const value of Object.values(template)) yield* textsOf(value);
}

function pathsOf(value: JsonValue, above: string): string[] {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return [above];
  return Object.entries(value).flatMap(([key, item]) => pathsOf(item, above === '' ? key : `${above}.${key}`));
}
