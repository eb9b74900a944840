/** What the documented schema says of the body of a webhook. */
import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { default as addFormats } from 'ajv-formats';

const schema: unknown = JSON.parse(readFileSync(new URL('../../schema/webhooks/event.json', import.meta.url), 'utf8'));
const ajv = new Ajv2020({ strict: false, allErrors: true });
addFormats.default(ajv);
/** Receivers pass over what they do not know; what we send is all described. */
const validate = ajv.compile(closed(schema) as object);

/** Everything that is wrong with a body, what the schema does not describe included. */
export function flawsOf(body: unknown): string[] {
  if (validate(body)) return [];
  const { type } = body as { type?: unknown };
  return (validate.errors ?? [])
    .filter(({ schemaPath }) => !schemaPath.startsWith('#/oneOf') || schemaPath === '#/oneOf')
    .map(({ instancePath, message, params }) => `${String(type)} ${instancePath} ${message} ${JSON.stringify(params)}`)
    .concat(
      (validate.errors ?? []).map(
        ({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`,
      ),
    );
}

function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed);
  if (node === null || typeof node !== 'object') return node;
  const entries = Object.entries(node).map(([key, value]) => [key, closed(value)] as const);
  const all = Object.fromEntries(entries) as Record<string, unknown>;
  const open = all['type'] !== 'object' || !('properties' in all) || 'additionalProperties' in all;
  return open ? all : { ...all, additionalProperties: false };
}
