import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/numerics/math/random.ts';
import { homogeneityTest, massChange } from '../../../src/numerics/statistics/homogeneity.ts';

const counts = (n: number, shares: readonly number[], seed: number, first = 0): number[] => {
  const random = randomStream({ seed, classIndex: 0, purpose: 'cells' });
  const found = shares.map(() => 0);
  for (let i = 0; i < n; i++) {
    let left = random.uniform(first + i);
    const cell = shares.findIndex((share) => (left -= share) < 0);
    found[cell < 0 ? shares.length - 1 : cell]!++;
  }
  return found;
};

describe('homogeneityTest', () => {
  it('is that of scipy 1.17.1 (chi2_contingency without correction) where no cell is pooled', () => {
    const found = homogeneityTest([30, 50, 20], [45, 40, 35])!;
    expect(found.statistic).toBeCloseTo(6.43703703703704, 12);
    expect(found.degrees).toBe(2);
    expect(found.pValue).toBeCloseTo(0.04001429480764793, 12);
  });

  it('says nothing of an empty sample, one cell, or too few for two groups', () => {
    expect(homogeneityTest([0, 0], [1, 2])).toBeNull();
    expect(homogeneityTest([0, 900], [0, 800])).toBeNull();
    expect(homogeneityTest([2, 2, 1], [1, 3, 1])).toBeNull();
  });

  it('pools rare cells by totals alone, so that the order of cells does not count, nor who is first', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(40), fc.nat(40)), { minLength: 1, maxLength: 30 }), (pairs) => {
        const test = (some: readonly (readonly [number, number])[]) =>
          homogeneityTest(
            some.map(([a]) => a),
            some.map(([, b]) => b),
          );
        const found = test(pairs);
        const turned = test(pairs.map(([a, b]) => [b, a]));
        const empty = test([...pairs, [0, 0]]);
        expect(empty).toEqual(found);
        if (!found) return turned === null;
        expect(turned!.statistic).toBeCloseTo(found.statistic, 8);
        return found.degrees < pairs.length && found.pValue >= 0 && found.pValue <= 1;
      }),
    );
  });

  it('alarms as often as its level says where nothing differs, also with far more cells than samples fill', () => {
    const even = Array.from({ length: 50 }, (_, i) => (i + 1) / 1275);
    const draws = 1000;
    const alarms = (shares: readonly number[]) => {
      let found = 0;
      for (let draw = 0; draw < draws; draw++) {
        const test = homogeneityTest(counts(70, even, draw), counts(200, shares, draw, 70));
        if (test && test.pValue <= 0.05) found++;
      }
      return found / draws;
    };
    expect(Math.abs(alarms(even) - 0.05)).toBeLessThan(0.028);
    // a collapse onto a few cells leaves every distance as it was
    expect(alarms(even.map((share, i) => (i > 40 ? 4 * share : share / 4)))).toBeGreaterThan(0.95);
  });
});

describe('massChange', () => {
  it('expects what random assignment gives: hypergeometric means of scipy 1.17.1', () => {
    // one cell of 7 among 30 and 20 samples; the other has the rest, and differs by as much
    expect(massChange([4, 26], [3, 17]).expected).toBeCloseTo(0.08132242872760911, 12);
  });

  it('is 0 for equal shares and 1 for cells that have nothing in common', () => {
    expect(massChange([10, 30], [1, 3]).totalVariation).toBe(0);
    expect(massChange([5, 0], [0, 9]).totalVariation).toBe(1);
    expect(massChange([5, 0, 0], [9, 0, 0])).toEqual({ totalVariation: 0, expected: 0 });
  });

  it('is about what is expected where nothing differs', () => {
    const shares = Array.from({ length: 20 }, (_, i) => (i + 1) / 210);
    const found = Array.from({ length: 200 }, (_, draw) =>
      massChange(counts(80, shares, draw), counts(300, shares, draw, 80)),
    );
    const mean = (of: (one: (typeof found)[number]) => number) =>
      found.reduce((sum, one) => sum + of(one), 0) / found.length;
    expect(mean((one) => one.totalVariation) / mean((one) => one.expected)).toBeCloseTo(1, 1);
  });
});
