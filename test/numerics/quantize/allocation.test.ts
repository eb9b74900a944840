import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocate, type DistortionCurve } from '../../../src/numerics/quantize/allocation.ts';

describe('allocate', () => {
  it('is optimal on convex curves, against every allocation', () => {
    fc.assert(
      fc.property(fc.array(convexCurve, { minLength: 1, maxLength: 3 }), fc.nat(), (curves, pick) => {
        const most = curves.reduce((sum, { k }) => sum + k.length, 0);
        const total = curves.length + (pick % (most - curves.length + 1));
        const counts = allocate(curves, total);
        expect(counts.reduce((a, b) => a + b)).toBe(total);
        const best = Math.min(...everyAllocation(curves, total).map((one) => costOf(curves, one)));
        expect(costOf(curves, Array.from(counts))).toBeLessThanOrEqual(best * (1 + 1e-12) + 1e-12);
      }),
    );
  });

  it('gives equal curves equal shares, and any curve no less for more of the samples', () => {
    fc.assert(
      fc.property(anyCurve, fc.integer({ min: 1, max: 4 }), fc.nat(), (curve, copies, pick) => {
        const curves = Array.from({ length: copies }, () => curve);
        const [least, most] = [copies * curve.k[0]!, copies * curve.k.at(-1)!];
        const counts = allocate(curves, least + (pick % (most - least + 1)));
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        // more first: of equals, which points that gain nothing are, the first gets one
        const two = allocate([{ ...curve, share: 2 * curve.share }, curve], 2 * curve.k[0]! + (pick % 5));
        expect(two[0]).toBeGreaterThanOrEqual(two[1]!);
      }),
    );
  });

  it('sees through noise, between what was measured, and by shares', () => {
    const bulging = { k: [1, 2, 4], distortion: [10, 9.9, 2], share: 1 };
    const flat = { k: [1, 4], distortion: [5, 4], share: 1 };
    expect(Array.from(allocate([bulging, flat], 5))).toEqual([4, 1]);
    expect(Array.from(allocate([bulging, { ...flat, share: 100 }], 5))).toEqual([1, 4]);
    expect(Array.from(allocate([flat, flat], 5))).toEqual([3, 2]);
    expect(Array.from(allocate([bulging, flat], 6, { min: 2 }))).toEqual([4, 2]);
  });

  it.each([
    [1, {}, 'expected a budget of 2 to 8 points for 2 classes, got 1'],
    [9, {}, 'expected a budget of 2 to 8 points for 2 classes, got 9'],
    [8, { min: 5 }, 'expected a budget of 10 to 8 points'],
  ])('refuses a budget of %d with %j', (total, options, message) => {
    const curve = { k: [1, 4], distortion: [5, 4], share: 1 };
    expect(() => allocate([curve, curve], total, options)).toThrow(message);
  });

  it('refuses what is no curve', () => {
    expect(() => allocate([{ k: [2, 1], distortion: [1, 2], share: 1 }], 2)).toThrow('rising whole numbers');
    expect(() => allocate([{ k: [1, 2], distortion: [NaN, 2], share: 1 }], 2)).toThrow('finite distortions');
  });
});

const convexCurve = fc
  .record({
    falls: fc.array(fc.double({ min: 0, max: 10, noNaN: true }), { minLength: 0, maxLength: 5 }),
    share: fc.constantFrom(0.1, 1, 3),
  })
  .map(({ falls, share }): DistortionCurve => {
    const distortion = [0];
    for (const fall of [...falls].sort((a, b) => a - b)) distortion.unshift(distortion[0]! + fall);
    return { k: distortion.map((_, j) => j + 1), distortion, share };
  });

/** Measured at some numbers of points only, and not convex. The last is far enough for any budget of the tests. */
const anyCurve = fc
  .record({
    k: fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 }),
    distortion: fc.array(fc.double({ min: 0, max: 10, noNaN: true }), { minLength: 7, maxLength: 7 }),
    share: fc.constantFrom(0.1, 1),
  })
  .map(({ k, distortion, share }): DistortionCurve => {
    const rising = [...k.sort((a, b) => a - b), 50];
    return { k: rising, distortion: distortion.slice(0, rising.length).sort((a, b) => b - a), share };
  });

function everyAllocation(curves: readonly DistortionCurve[], total: number): number[][] {
  if (curves.length === 0) return total === 0 ? [[]] : [];
  return curves[0]!.k.flatMap((k) => everyAllocation(curves.slice(1), total - k).map((rest) => [k, ...rest]));
}

function costOf(curves: readonly DistortionCurve[], counts: readonly number[]): number {
  return curves.reduce((sum, { distortion, share }, c) => sum + share * distortion[counts[c]! - 1]!, 0);
}
