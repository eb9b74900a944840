import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EXPIRING_KINDS, parsePolicy, type RetentionPolicyInput } from '../../../src/control/retention/policy.ts';

describe('a retention policy', () => {
  it('has a grace period of a day, and keeps lineage whole', () => {
    expect(parsePolicy({ keepRuns: 3, kinds: [{ kind: 'latents', days: 7 }] })).toEqual({
      keepDays: null,
      keepVersions: null,
      keepRuns: 3,
      kinds: [{ kind: 'latents', days: 7, cutLineage: false }],
      graceHours: 24,
    });
  });

  it('that is parsed once is the same parsed again', () => {
    const whole = fc.option(fc.integer({ min: 1, max: 100_000 }), { nil: null });
    const rule = fc.record({ kind: fc.constantFrom(...EXPIRING_KINDS), days: fc.nat(1000).map((n) => n + 1) });
    const input = fc.record({
      keepDays: whole,
      keepVersions: whole,
      keepRuns: fc.nat(9).map((n) => n + 1),
      kinds: fc.uniqueArray(rule, { selector: (one) => one.kind }),
      graceHours: fc.nat(1000),
    });
    fc.assert(
      fc.property(input, (of) => {
        expect(parsePolicy(parsePolicy(of))).toEqual(parsePolicy(of));
      }),
    );
  });

  it.each<[string, RetentionPolicyInput, string[]]>([
    ['no rule', {}, []],
    ['no rule but a grace period', { graceHours: 3, kinds: [] }, []],
    ['a part of a day', { keepDays: 0.5 }, ['keepDays']],
    ['no day at all', { keepDays: 0 }, ['keepDays']],
    ['fewer than no hours', { keepRuns: 1, graceHours: -1 }, ['graceHours']],
    ['no number', { keepVersions: NaN }, ['keepVersions']],
    ['a number beyond all use', { keepRuns: 1e9 }, ['keepRuns']],
    ['a kind that has a rule of its own', { kinds: [{ kind: 'datasetVersion', days: 1 }] }, ['kinds', '0', 'kind']],
    ['a kind that is not there', { kinds: [{ kind: 'toString', days: 1 }] }, ['kinds', '0', 'kind']],
    ['a kind that goes at once', { kinds: [{ kind: 'images', days: 0 }] }, ['kinds', '0', 'days']],
    [
      'a kind twice',
      {
        kinds: [
          { kind: 'images', days: 1 },
          { kind: 'images', days: 2 },
        ],
      },
      ['kinds'],
    ],
  ])('with %s is refused by the name of the field', (_what, input, path) => {
    expect(() => parsePolicy(input)).toThrow(
      expect.objectContaining({ code: 'INVALID_INPUT', details: { path: ['policy', ...path] } }),
    );
  });
});
