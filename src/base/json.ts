import { createHash } from 'node:crypto';
import { invalid } from './errors.ts';
import { byCodeUnit } from './order.ts';

export type JsonValue = null | boolean | number | string | JsonValue[] | JsonObject;
export type JsonObject = { [key: string]: JsonValue };

/**
 * Canonical JSON in the sense of RFC 8785: keys sorted by UTF-16 code units, no white space, ECMAScript numbers.
 * Keys whose value is undefined are left out. Non-finite numbers are refused: they have no JSON form.
 */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) throw invalid(`expected finite numbers in canonical JSON, got ${value}`);
    return JSON.stringify(value);
  }
  if (Array.isArray(value)) return `[${value.map((item) => canonicalJson(item ?? null)).join(',')}]`;
  if (typeof value === 'object') {
    const entries = Object.entries(value as Record<string, unknown>).filter(([, item]) => item !== undefined);
    entries.sort(([a], [b]) => byCodeUnit(a, b));
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${canonicalJson(item)}`).join(',')}}`;
  }
  throw invalid(`expected a JSON value, got ${typeof value}`);
}

/** Lower-case hexadecimal SHA-256. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}

export function digestOf(value: unknown): string {
  return sha256(canonicalJson(value));
}
