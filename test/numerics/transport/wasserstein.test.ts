import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fitQuantizer } from '../../../src/numerics/quantize/quantize.ts';
import { nearestCentroids } from '../../../src/numerics/quantize/distortion.ts';
import { wasserstein1d, wasserstein2 } from '../../../src/numerics/transport/wasserstein.ts';
import { cloud, pointsOf, product } from '../support.ts';

describe('wasserstein2', () => {
  it('squared is the distortion, for Voronoi weights', async () => {
    for (const k of [1, 7, 30]) {
      const points = cloud(400, 12, k);
      const fitted = await fitQuantizer(points, { k, seed: 1, classIndex: 0, restarts: 2 }, { product });
      const { w2, squared, gap } = await wasserstein2(points, fitted.centroids, fitted.weights);
      expect(Math.abs(squared - fitted.distortion)).toBeLessThan(1e-12 * fitted.distortion);
      expect(w2 * w2).toBeCloseTo(squared, 10);
      expect(Math.abs(gap)).toBeLessThan(1e-12 * squared);
    }
  });

  it('is no less for any other weights, and its square no less than the distortion on held-out points', async () => {
    const fitted = await fitQuantizer(cloud(300, 8), { k: 6, seed: 1, classIndex: 0, restarts: 2 }, { product });
    const heldOut = cloud(77, 8, 9);
    const { distortion } = await nearestCentroids(heldOut, fitted.centroids, { product });
    for (const weights of [fitted.weights, new Float64Array(6).fill(1 / 6)]) {
      const { squared, gap } = await wasserstein2(heldOut, fitted.centroids, weights);
      expect(squared).toBeGreaterThanOrEqual(distortion * (1 - 1e-12));
      expect(Math.abs(gap)).toBeLessThan(1e-12 * squared);
    }
  });

  it('is the sorted solution on the line', async () => {
    const value = fc.integer({ min: -20, max: 20 });
    const cases = fc.record({
      xs: fc.array(value, { minLength: 1, maxLength: 12 }),
      sinks: fc.array(fc.record({ y: value, part: fc.integer({ min: 1, max: 9 }) }), { minLength: 1, maxLength: 5 }),
    });
    await fc.assert(
      fc.asyncProperty(cases, async ({ xs, sinks }) => {
        const total = sinks.reduce((t, { part }) => t + part, 0);
        const weights = Float64Array.from(sinks, ({ part }) => part / total);
        const ys = sinks.map(({ y }) => y);
        const { squared } = await wasserstein2(pointsOf(xs.map((x) => [x])), pointsOf(ys.map((y) => [y])), weights);
        expect(squared).toBeCloseTo(wasserstein1d({ values: xs }, { values: ys, weights }) ** 2, 9);
      }),
    );
  });

  it('is zero from points to themselves and finite for equal points and far outliers', async () => {
    const points = cloud(20, 3);
    expect((await wasserstein2(points, points, new Float64Array(20).fill(1 / 20))).w2).toBe(0);
    const equal = pointsOf([[1], [1], [1]]);
    expect((await wasserstein2(equal, pointsOf([[1], [2]]), Float64Array.of(0.5, 0.5))).squared).toBeCloseTo(0.5, 12);
    const outlier = await wasserstein2(pointsOf([[0], [1e30]]), pointsOf([[0]]), Float64Array.of(1));
    expect(outlier.w2 / (Math.fround(1e30) / Math.SQRT2)).toBeCloseTo(1, 12);
  });

  it('refuses another space', async () => {
    await expect(wasserstein2(cloud(4, 3), cloud(2, 2), Float64Array.of(0.5, 0.5))).rejects.toThrow(
      '(n, 2), got (n, 3)',
    );
  });
});

describe('wasserstein1d', () => {
  it('shifts by the shift, for any power', () => {
    const values = [3, 1, 4, 1, 5];
    for (const p of [1, 2, 3])
      expect(wasserstein1d({ values }, { values: values.map((x) => x + 2) }, p)).toBeCloseTo(2, 12);
  });

  it('splits mass: half of each of two points to one at each third', () => {
    const b = { values: [0, 1, 2], weights: [0.25, 0.5, 0.25] };
    expect(wasserstein1d({ values: [0, 2] }, b, 1)).toBeCloseTo(0.5, 14);
    expect(wasserstein1d(b, { values: [2, 0] }, 2)).toBeCloseTo(Math.sqrt(0.5), 14);
  });

  it('refuses what is no distribution', () => {
    expect(() => wasserstein1d({ values: [] }, { values: [1] })).toThrow('at least one value');
    expect(() => wasserstein1d({ values: [1, NaN] }, { values: [1] })).toThrow('NaN at index 1');
    expect(() => wasserstein1d({ values: [1], weights: [2] }, { values: [1] })).toThrow('sum of 2');
    expect(() => wasserstein1d({ values: [1] }, { values: [1] }, 0.5)).toThrow('p >= 1');
  });
});
