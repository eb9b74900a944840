import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Points } from '../../../src/numerics/math/points.ts';
import { nearestCentroids } from '../../../src/numerics/quantize/distortion.ts';
import { bytes, cloud, gridPoints, pointsOf, product, roughProduct, squared } from '../support.ts';

describe('nearestCentroids', () => {
  it('is exact with ties to the lowest index, whatever product', async () => {
    await fc.assert(
      fc.asyncProperty(gridPoints, fc.integer({ min: 1, max: 5 }), async (points, k) => {
        const centroids = head(points, Math.min(k, points.n));
        for (const anyProduct of [product, roughProduct]) {
          const { assignment, squaredDistances } = await nearestCentroids(points, centroids, { product: anyProduct });
          for (let i = 0; i < points.n; i++) {
            const all = Array.from({ length: centroids.n }, (_, c) => squared(points, i, centroids, c));
            expect(squaredDistances[i]).toBe(Math.min(...all));
            expect(assignment[i]).toBe(all.indexOf(Math.min(...all)));
          }
        }
      }),
    );
  });

  it('gives the same bytes for any product and any batch', async () => {
    const points = cloud(300, 24);
    const centroids = head(cloud(300, 24, 2), 12);
    const whole = await nearestCentroids(points, centroids, { product });
    const rough = await nearestCentroids(points, centroids, { product: roughProduct });
    expect(bytes(rough.squaredDistances)).toBe(bytes(whole.squaredDistances));
    const single = { values: points.values.subarray(24 * 7, 24 * 8), n: 1, d: 24 };
    expect((await nearestCentroids(single, centroids, { product })).squaredDistances[0]).toBe(
      whole.squaredDistances[7],
    );
    expect(whole.distortion).toBeCloseTo(whole.squaredDistances.reduce((a, b) => a + b) / 300, 12);
  });

  it('measures nearly all distances only where the product leaves doubt: far points and huge offsets stay exact', async () => {
    const points = pointsOf([
      [1e8 + 8, 0],
      [1e8, 1],
      [-3e37, 0],
      [0, 1e-30],
    ]);
    const centroids = pointsOf([
      [1e8, 0],
      [1e8 + 8, 1],
      [0, 0],
    ]);
    const { assignment } = await nearestCentroids(points, centroids, { product });
    expect(Array.from(assignment)).toEqual(
      [1, 0, 0, 2].map((c, i) => (i === 2 ? nearestByHand(points, i, centroids) : c)),
    );
  });

  it('refuses another space and values that are not finite', async () => {
    const points = pointsOf([[1, 2]]);
    await expect(nearestCentroids(points, pointsOf([[1]]), { product })).rejects.toThrow('(n, 1), got (n, 2)');
    await expect(nearestCentroids(pointsOf([[1, Infinity]]), points, { product })).rejects.toThrow('row 0, column 1');
  });
});

function head({ values, d }: Points, n: number): Points {
  return { values: values.slice(0, n * d), n, d };
}

function nearestByHand(points: Points, i: number, centroids: Points): number {
  const all = Array.from({ length: centroids.n }, (_, c) => squared(points, i, centroids, c));
  return all.indexOf(Math.min(...all));
}
