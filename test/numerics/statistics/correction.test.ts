import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { corrected } from '../../../src/numerics/statistics/correction.ts';

const pValues = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 12 });

/** Holm as he wrote it: the least p-value is tried at alpha / t, the next at alpha / (t - 1), until one stays. */
function rejectedByHolm(of: readonly number[], alpha: number): boolean[] {
  const rejected = of.map(() => false);
  for (let left = of.length; left > 0; left--) {
    const open = [...of.keys()].filter((i) => !rejected[i]);
    const least = open.reduce((a, b) => (of[b]! < of[a]! ? b : a));
    if (of[least]! * left > alpha) break;
    rejected[least] = true;
  }
  return rejected;
}

describe('corrected', () => {
  it('rejects by Holm what his procedure rejects', () => {
    fc.assert(
      fc.property(pValues, fc.double({ min: 0.001, max: 0.5, noNaN: true }), (of, alpha) => {
        expect(corrected(of, 'HOLM').map((p) => p <= alpha)).toEqual(rejectedByHolm(of, alpha));
      }),
    );
  });

  it('is that of scipy 1.17.1 (false_discovery_control) by Benjamini and Hochberg', () => {
    const found = corrected([0.01, 0.04, 0.03, 0.005, 0.2, 0.03], 'BENJAMINI_HOCHBERG');
    [0.03, 0.048, 0.045, 0.03, 0.2, 0.045].forEach((p, i) => expect(found[i]).toBeCloseTo(p, 14));
  });

  it('never falls below what it was, nor above 1, and keeps the order; without correction it is what it was', () => {
    fc.assert(
      fc.property(pValues, fc.constantFrom('HOLM' as const, 'BENJAMINI_HOCHBERG' as const), (of, correction) => {
        const found = corrected(of, correction);
        of.forEach((p, i) => {
          expect(found[i]).toBeGreaterThanOrEqual(p);
          expect(found[i]).toBeLessThanOrEqual(1);
          of.forEach((other, j) => p < other && expect(found[i]).toBeLessThanOrEqual(found[j]!));
        });
        expect(corrected(of, 'NONE')).toEqual(of);
      }),
    );
    expect(corrected([], 'HOLM')).toEqual([]);
  });
});
