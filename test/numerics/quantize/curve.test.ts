import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { continuedCurve } from '../../../src/numerics/quantize/curve.ts';

describe('continuedCurve', () => {
  it('goes through what was measured, never rises, and ends at 0 with a point on every sample', () => {
    fc.assert(
      fc.property(measured, fc.nat({ max: 30 }), (curve, more) => {
        const samples = curve.k.at(-1)! + more;
        const { k, distortion, share } = continuedCurve(curve, { samples, until: samples });
        expect(k).toEqual(Array.from({ length: samples }, (_, i) => i + 1));
        expect(share).toBe(curve.share);
        curve.k.forEach((x, j) => expect(distortion[x - 1]).toBeCloseTo(curve.distortion[j]!, 9));
        for (let x = 1; x < samples; x++) expect(distortion[x]!).toBeLessThanOrEqual(distortion[x - 1]! * (1 + 1e-12));
        if (more > 0) expect(distortion.at(-1)).toBe(0);
      }),
    );
  });

  it('is the power law that it was measured on', () => {
    const law = (k: number) => 7 * k ** (-2 / 5);
    const ladder = [1, 2, 5, 10, 20];
    const { distortion } = continuedCurve(
      { k: ladder, distortion: ladder.map(law), share: 1 },
      { samples: 1e9, until: 40 },
    );
    distortion.forEach((value, i) => expect(value).toBeCloseTo(law(i + 1), 6));
  });

  it('takes a single number of points, and a class that is reproduced exactly', () => {
    const one = continuedCurve({ k: [1], distortion: [3], share: 1 }, { samples: 3, until: 3 });
    expect(one.distortion).toEqual([3, 1.5, 0]);
    const exact = continuedCurve({ k: [1, 3], distortion: [4, 0], share: 1 }, { samples: 6, until: 5 });
    expect(exact.distortion).toEqual([4, 2, 0, 0, 0]);
  });
});

const measured = fc
  .record({
    k: fc.uniqueArray(fc.integer({ min: 2, max: 60 }), { maxLength: 6 }),
    distortion: fc.array(fc.oneof(fc.constant(0), fc.double({ min: 1e-6, max: 100, noNaN: true })), {
      minLength: 7,
      maxLength: 7,
    }),
  })
  .map(({ k, distortion }) => {
    const rising = [1, ...k.sort((a, b) => a - b)];
    return { k: rising, distortion: distortion.sort((a, b) => b - a).slice(0, rising.length), share: 0.5 };
  });
