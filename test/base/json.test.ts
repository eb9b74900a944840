import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalJson, digestOf } from '../../src/base/json.ts';

describe('canonicalJson', () => {
  it('sorts keys by code unit and leaves out white space and undefined', () => {
    expect(canonicalJson({ b: [1, { d: null, c: 'x' }], a: undefined, B: true, '\u00e9': 1e21 })).toBe(
      '{"B":true,"b":[1,{"c":"x","d":null}],"\u00e9":1e+21}',
    );
  });

  it('is JSON for any JSON value, and the same for any order of keys', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
        expect(canonicalJson(reversed(value))).toBe(text);
      }),
    );
  });

  it.each([NaN, Infinity, -Infinity])('refuses %s', (value) => {
    expect(() => canonicalJson({ value })).toThrow(/finite/);
  });

  it('digests as SHA-256', () => {
    expect(digestOf({})).toBe('44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a');
  });
});

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, reversed(item)]),
  );
}
