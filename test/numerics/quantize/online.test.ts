import { describe, expect, it } from 'vitest';
import { type Points } from '../../../src/numerics/math/points.ts';
import { nearestCentroids } from '../../../src/numerics/quantize/distortion.ts';
import { medoids } from '../../../src/numerics/quantize/medoids.ts';
import { fitOnline, streamedAssignment } from '../../../src/numerics/quantize/online.ts';
import { fitQuantizer } from '../../../src/numerics/quantize/quantize.ts';
import { cloud, pointsOf, product } from '../support.ts';

const key = { seed: 1, classIndex: 0 };

describe('fitOnline', () => {
  it('comes near to the quantizer that holds all samples', async () => {
    const points = cloud(2000, 8, 3, 6);
    const whole = await fitQuantizer(points, { k: 6, ...key, restarts: 3 }, { product });
    const streamed = await fitOnline(() => inBatches(points, 100), { k: 6, ...key }, { product });
    expect(streamed.n).toBe(2000);
    expect(streamed.distortion).toBeGreaterThanOrEqual(whole.distortion * (1 - 1e-9));
    expect(streamed.distortion).toBeLessThan(1.25 * whole.distortion);
    expect(streamed.passDistortions[2]).toBeLessThan(streamed.passDistortions[0]!);
  });

  it('measures exactly what the whole set would, for any batches', async () => {
    const points = cloud(130, 5);
    const { centroids, weights, counts, distortion } = await fitOnline(
      () => inBatches(points, 40),
      { k: 4, ...key },
      { product },
    );
    const whole = await nearestCentroids(points, centroids, { product });
    expect(Math.abs(distortion - whole.distortion)).toBeLessThanOrEqual(1e-15 * distortion);
    counts.forEach((count, c) => expect(count).toBe(whole.assignment.filter((a) => a === c).length));
    expect(weights.reduce((a, b) => a + b)).toBeCloseTo(1, 14);
    const cut = await streamedAssignment(inBatches(points, 7), centroids, { product });
    expect(cut).toEqual(await streamedAssignment(inBatches(points, 130), centroids, { product }));
  });

  it('asks for each pass by its number, and hands out the assignment of the last one', async () => {
    const points = cloud(130, 5);
    const asked: number[] = [];
    const assigned: number[] = [];
    const batches = (pass: number) => (asked.push(pass), inBatches(points, 40));
    const onAssigned = (some: Int32Array) => assigned.push(...some);
    const { centroids } = await fitOnline(batches, { k: 4, passes: 2, ...key, onAssigned }, { product });
    expect(asked).toEqual([0, 1, 2]);
    expect(assigned).toEqual([...(await nearestCentroids(points, centroids, { product })).assignment]);
  });

  it('finds the medoids that all samples at hand would give', async () => {
    const points = cloud(300, 4);
    const { centroids, medoids: found } = await fitOnline(() => inBatches(points, 40), { k: 7, ...key }, { product });
    const { assignment } = await nearestCentroids(points, centroids, { product });
    expect(found).toEqual(medoids(points, centroids, assignment));
  });

  it('gives an empty cell the sample nearest to its centroid, in another pass', async () => {
    // 50 is a centroid after the first pass, and then never the nearest again
    const stream = (pass: number) => pointsOf((pass === 0 ? [0, 1, 10, 50] : [0, 1, 10, 11]).map((x) => [x]));
    const asked: number[] = [];
    const batches = (pass: number) => (asked.push(pass), inBatches(stream(pass), 4));
    const { counts, centroids, medoids: found } = await fitOnline(batches, { k: 3, passes: 1, ...key }, { product });
    const empty = counts.indexOf(0);
    expect(centroids.values[empty]).toBe(50);
    expect(found[empty]).toBe(3);
    expect(asked).toEqual([0, 1, 1]);
  });

  it('is the mean at k = 1, after one pass', async () => {
    const points = cloud(90, 3);
    const { centroids } = await fitOnline(() => inBatches(points, 20), { k: 1, passes: 1, ...key }, { product });
    for (let j = 0; j < 3; j++) {
      const mean = Array.from({ length: 90 }, (_, i) => points.values[i * 3 + j]!).reduce((a, b) => a + b) / 90;
      expect(centroids.values[j]).toBeCloseTo(mean, 5);
    }
  });

  it('refuses a first batch that is too small, no batch, and samples that are not finite', async () => {
    const fit = (points: Points) => fitOnline(() => inBatches(points, 5), { k: 6, ...key }, { product });
    await expect(fit(cloud(20, 2))).rejects.toThrow('expected 1 to 5 centroids, got 6');
    await expect(fitOnline(() => inBatches(cloud(1, 1), 0), { k: 1, ...key }, { product })).rejects.toThrow('got none');
    for (const k of [0, -1, 1.5, NaN])
      await expect(fitOnline(() => inBatches(cloud(9, 1), 9), { k, ...key }, { product })).rejects.toThrow(
        `expected k >= 1, got ${k}`,
      );
    await expect(fit(pointsOf([[NaN], [1]]))).rejects.toMatchObject({ code: 'INVALID_INPUT', details: { index: 0 } });
  });
});

async function* inBatches({ values, n, d }: Points, size: number): AsyncGenerator<Points> {
  for (let from = 0; size > 0 && from < n; from += size) {
    const rows = Math.min(size, n - from);
    yield await Promise.resolve({ values: values.slice(from * d, (from + rows) * d), n: rows, d });
  }
}
