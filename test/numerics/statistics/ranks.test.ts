import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/numerics/math/random.ts';
import { rankTest } from '../../../src/numerics/statistics/ranks.ts';

const values = fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 30 });

describe('rankTest', () => {
  it('is that of scipy 1.17.1 (mannwhitneyu, asymptotic, without continuity correction), with ties and without', () => {
    const a = [1.2, 0.4, 2.5, 3.3, 0.9, 1.7, 2.2, 0.1];
    const b = [2.1, 3.9, 4.4, 2.8, 3.0, 5.1, 1.9];
    expect(rankTest(a, b)!.pValue).toBeCloseTo(0.0206375582439722, 12);
    expect(rankTest(a, b)!.z).toBeGreaterThan(0);
    expect(rankTest([1, 1, 2, 2, 2, 3, 4, 4], [2, 3, 3, 4, 4, 5])!.pValue).toBeCloseTo(0.0969161670369679, 12);
  });

  it('says nothing of an empty sample, or where all values are the same', () => {
    expect(rankTest([], [1, 2])).toBeNull();
    expect(rankTest([1, 2], [])).toBeNull();
    expect(rankTest([7, 7, 7], [7, 7])).toBeNull();
    expect(rankTest([1], [1])).toBeNull();
  });

  it('takes one sample of each', () => {
    expect(rankTest([1], [2])).toMatchObject({ z: 1 });
    expect(rankTest([1], [2])!.pValue).toBeCloseTo(0.31731050786291415, 12);
  });

  it('turns around with the samples, and looks at the order of values alone', () => {
    fc.assert(
      fc.property(values, values, (a, b) => {
        const found = rankTest(a, b);
        const turned = rankTest(b, a);
        const stretched = rankTest(
          a.map((x) => Math.exp(x)),
          b.map((x) => Math.exp(x)),
        );
        if (!found) return turned === null && stretched === null;
        expect(turned!.z).toBeCloseTo(-found.z, 9);
        expect(stretched).toEqual(found);
        return found.pValue > 0 && found.pValue <= 1;
      }),
    );
  });

  it('alarms as often as its level says where nothing differs, and nearly always where much does', () => {
    const draws = 2000;
    const alarms = (shift: number, alpha: number) => {
      let count = 0;
      for (let draw = 0; draw < draws; draw++) {
        const random = randomStream({ seed: draw, classIndex: 0, purpose: 'ranks' });
        // skewed, as distances are
        const skewed = (n: number, first: number, by: number) =>
          Array.from(random.normals(n, first), (x) => Math.exp(x + by));
        if (rankTest(skewed(40, 0, 0), skewed(60, 40, shift))!.pValue <= alpha) count++;
      }
      return count / draws;
    };
    // within four standard deviations of the level
    expect(Math.abs(alarms(0, 0.05) - 0.05)).toBeLessThan(0.02);
    expect(alarms(0, 0.005)).toBeLessThan(0.012);
    expect(alarms(1, 0.05)).toBeGreaterThan(0.99);
  });
});
