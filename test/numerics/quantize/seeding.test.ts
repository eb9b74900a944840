import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frameOf, normalize } from '../../../src/numerics/math/distance.ts';
import { type Points } from '../../../src/numerics/math/points.ts';
import { randomStream } from '../../../src/numerics/math/random.ts';
import { seedGreedily } from '../../../src/numerics/quantize/seeding.ts';
import { cloud, gridPoints, product, roughProduct, squared } from '../support.ts';

const seed = (points: Points, k: number, item = 0, anyProduct = product) => {
  const normalized = normalize(points.values, points.n, points.d, frameOf(points));
  const random = randomStream({ seed: 1, classIndex: 0, purpose: 'seeding', item });
  return seedGreedily(points, normalized, k, random, { product: anyProduct });
};

describe('seedGreedily', () => {
  it('takes samples, distinct ones while there are any, and knows the nearest of each', async () => {
    await fc.assert(
      fc.asyncProperty(gridPoints, fc.integer({ min: 1, max: 6 }), async (points, wanted) => {
        const k = Math.min(wanted, points.n);
        const { centroids, nearest } = await seed(points, k);
        const samples = new Set(rows(points.values, points.d));
        const chosen = rows(centroids, points.d);
        chosen.forEach((row) => expect(samples).toContain(row));
        expect(new Set(chosen).size).toBe(Math.min(k, samples.size));
        expectNearest(points, centroids, nearest);
      }),
    );
  });

  it.each([
    ['plain', product],
    ['rough', roughProduct],
  ])('tells distances or less, and little less: %s product', async (_, anyProduct) => {
    const points = cloud(200, 20);
    const { centroids, nearest, lowerBounds } = await seed(points, 9, 0, anyProduct);
    const chosen = { values: Float32Array.from(centroids), n: 9, d: 20 };
    for (let i = 0; i < 200; i++)
      for (let c = 0; c < 9; c++) {
        const exact = Math.sqrt(squared(points, i, chosen, c));
        expect(lowerBounds[i * 9 + c]).toBeLessThanOrEqual(exact * (1 + 1e-14));
        expect(lowerBounds[i * 9 + c]).toBeGreaterThan(exact - 0.01);
      }
    expectNearest(points, centroids, nearest);
  });

  it('leaves less distortion than samples drawn at random', async () => {
    const points = cloud(400, 8, 3, 10);
    let greedy = 0;
    let blind = 0;
    for (let item = 0; item < 10; item++) {
      greedy += distortion(points, (await seed(points, 10, item)).centroids);
      blind += distortion(points, Float64Array.from(points.values.subarray(item * 80, (item + 1) * 80)));
    }
    expect(greedy).toBeLessThan(blind);
  });

  it('refuses a product that is not finite', async () => {
    const broken = async () => new Float32Array(40 * 5).fill(NaN);
    await expect(seed(cloud(40, 3), 3, 0, broken)).rejects.toMatchObject({ code: 'NON_FINITE' });
  });
});

function rows(values: Float32Array | Float64Array, d: number): string[] {
  return Array.from({ length: values.length / d }, (_, i) =>
    Array.from(values.subarray(i * d, (i + 1) * d), (x) => x + 0).join(),
  );
}

function expectNearest(points: Points, centroids: Float64Array, nearest: Int32Array): void {
  const chosen = { values: Float32Array.from(centroids), n: centroids.length / points.d, d: points.d };
  for (let i = 0; i < points.n; i++) {
    const all = Array.from({ length: chosen.n }, (_, c) => squared(points, i, chosen, c));
    expect(nearest[i]).toBe(all.indexOf(Math.min(...all)));
  }
}

function distortion(points: Points, centroids: Float64Array): number {
  const chosen = { values: Float32Array.from(centroids), n: centroids.length / points.d, d: points.d };
  let total = 0;
  for (let i = 0; i < points.n; i++)
    total += Math.min(...Array.from({ length: chosen.n }, (_, c) => squared(points, i, chosen, c)));
  return total / points.n;
}
