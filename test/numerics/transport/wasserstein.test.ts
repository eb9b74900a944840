import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Points } from '../../../src/numerics/math/points.ts';
import { fitQuantizer } from '../../../src/numerics/quantize/quantize.ts';
import { nearestCentroids } from '../../../src/numerics/quantize/distortion.ts';
import { wasserstein1d, wasserstein2 } from '../../../src/numerics/transport/wasserstein.ts';
import { readFileSync } from 'node:fs';
import { cloud, pointsOf, product, roughProduct } from '../support.ts';

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

  it('is the same within 1e-8 where a product proposes the distances, with its own proof', async () => {
    for (const [offset, scale] of [
      [0, 1],
      [1000, 1],
      [0, 2 ** -50],
      [3, 2 ** 60],
    ] as const) {
      const points = moved(cloud(400, 12), offset, scale);
      const centroids = moved(cloud(9, 12, 2), offset, scale);
      for (const weights of [
        new Float64Array(9).fill(1 / 9),
        Float64Array.of(0, 0.4, 0.1, 0.1, 0.1, 0.1, 0.1, 0.05, 0.05),
      ]) {
        const measured = await wasserstein2(points, centroids, weights);
        for (const by of [product, roughProduct]) {
          const { squared, w2, gap } = await wasserstein2(points, centroids, weights, { product: by });
          expect(Math.abs(squared / measured.squared - 1)).toBeLessThan(1e-8);
          expect(w2 ** 2 / squared).toBeCloseTo(1, 12);
          expect(gap / squared).toBeLessThanOrEqual(1e-8);
          expect(gap / squared).toBeGreaterThan(-1e-12);
          // The dual is a lower bound for the true optimum.
          expect(squared - gap).toBeLessThanOrEqual(measured.squared * (1 + 1e-12));
        }
      }
    }
  });

  it('measures until the gap is closed, however wrong the product within its contract', async () => {
    // Points far from the centroids' differences: the contract allows errors far above them.
    const points = pointsOf(Array.from({ length: 40 }, (_, i) => [100 + (i % 10) * 1e-3, 50, -20]));
    const centroids = pointsOf([0, 2, 4, 6, 8].map((x) => [100 + x * 1e-3, 50, -20]));
    const weights = Float64Array.of(0.1, 0.15, 0.2, 0.25, 0.3);
    const wrong: typeof product = async (a, b, shape) =>
      (await product(a, b, shape)).map((x, p) => x * (1 + (((p * 7919) % 13) - 6) * 2 ** -25));
    const measured = await wasserstein2(points, centroids, weights);
    const proposed = await wasserstein2(points, centroids, weights, { product: wrong });
    expect(Math.abs(proposed.squared / measured.squared - 1)).toBeLessThan(1e-8);
    expect(proposed.gap / proposed.squared).toBeLessThanOrEqual(1e-8);
  });

  it.each([1e5, 1e8, 1e15, 1e30])(
    'sees past an outlier at %d, and past offsets, where a product proposes',
    async (far) => {
      const { values, d } = cloud(120, 3);
      const offset = values.map((x) => x + far / 1e3);
      for (const some of [values, offset]) {
        const points = { values: Float32Array.of(...some, far, far, far), n: 121, d };
        const centroids = { values: points.values.slice(116 * d), n: 5, d };
        const { assignment, distortion } = await nearestCentroids(points, centroids, { product });
        const weights = Float64Array.from({ length: 5 }, (_, c) => assignment.filter((a) => a === c).length / 121);
        for (const by of [product, roughProduct]) {
          const { squared, gap } = await wasserstein2(points, centroids, weights, { product: by });
          expect(Math.abs(squared - distortion)).toBeLessThanOrEqual(1e-8 * distortion);
          expect(Math.abs(gap)).toBeLessThanOrEqual(1e-8 * distortion);
        }
      }
    },
  );

  it('is zero where a product proposes distances between equal points', async () => {
    const points = cloud(20, 3);
    const { w2, gap } = await wasserstein2(points, points, new Float64Array(20).fill(1 / 20), { product });
    expect([w2, gap]).toEqual([0, 0]);
  });

  it('squared is the Voronoi distortion that a linear programme finds (reference.py)', async () => {
    const reference = JSON.parse(readFileSync(new URL('reference.json', import.meta.url), 'utf8')) as {
      problems: { name: string; points: number[][]; centroids: number[][]; demands: number[]; linprog: number }[];
    };
    const { points, centroids, demands, linprog } = reference.problems.find(({ name }) => name === 'voronoi')!;
    const { squared } = await wasserstein2(pointsOf(points), pointsOf(centroids), Float64Array.from(demands));
    const { distortion } = await nearestCentroids(pointsOf(points), pointsOf(centroids), { product });
    expect(Math.abs(squared / linprog - 1)).toBeLessThan(1e-6);
    expect(Math.abs(distortion / linprog - 1)).toBeLessThan(1e-6);
  });

  it('refuses what is not finite, with its place', async () => {
    const bad = pointsOf([[1, 2], [3, NaN]]); // prettier-ignore
    const one = Float64Array.of(1);
    await expect(wasserstein2(bad, cloud(1, 2), one, { product })).rejects.toThrow('finite points, got NaN at index 3');
    await expect(wasserstein2(cloud(3, 2), pointsOf([[Infinity, 0]]), one)).rejects.toThrow('finite centroids');
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

function moved({ values, n, d }: Points, offset: number, scale: number): Points {
  return { values: values.map((x) => (x + offset) * scale), n, d };
}
