import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Points } from '../../../src/numerics/math/points.ts';
import { sum } from '../../../src/numerics/math/sum.ts';
import { nearestCentroids } from '../../../src/numerics/quantize/distortion.ts';
import { fitQuantizer, type Codebook, type FitOptions } from '../../../src/numerics/quantize/quantize.ts';
import { bytes, cloud, gridPoints, pointsOf, product, roughProduct, squared } from '../support.ts';

const fit = (points: Points, options: Partial<FitOptions> & { k: number }) =>
  fitQuantizer(points, { seed: 1, classIndex: 0, restarts: 3, ...options }, { product });

describe('fitQuantizer', () => {
  it('partitions the samples into Voronoi cells with weights that sum to 1', async () => {
    await fc.assert(
      fc.asyncProperty(gridPoints, fc.integer({ min: 1, max: 6 }), async (points, k) => {
        expectCodebook(points, await fit(points, { k: Math.min(k, points.n) }));
      }),
    );
  });

  it('finds separated modes and their masses', async () => {
    const rows = [0, 0, 0, 0, 10, 10, -7, -7, -7, -7].map((x, i) => [x + 0.01 * (i % 2), i % 2 ? 0.1 : -0.1]);
    const { weights } = await fit(pointsOf(rows), { k: 3 });
    expect(Array.from(weights).sort()).toEqual([0.2, 0.4, 0.4]);
  });

  it('reaches the optimum that trying every partition finds', async () => {
    const points = cloud(9, 2, 5);
    const { distortion } = await fit(points, { k: 3, restarts: 30 });
    const best = bestPartition(points, 3);
    expect(Math.abs(distortion - best)).toBeLessThan(1e-6 * best);
  });

  it('is the mean at k = 1 and the samples at k = n', async () => {
    const points = cloud(40, 5);
    const one = await fit(points, { k: 1 });
    expect(Array.from(one.weights)).toEqual([1]);
    for (let j = 0; j < 5; j++) {
      const mean = Array.from({ length: 40 }, (_, i) => points.values[i * 5 + j]!).reduce((a, b) => a + b) / 40;
      expect(one.centroids.values[j]).toBeCloseTo(mean, 6);
    }
    const all = await fit(points, { k: 40 });
    expect(all.distortion).toBe(0);
    expect(Array.from(all.counts)).toEqual(new Array(40).fill(1));
  });

  it('gives spare centroids weight 0 where fewer than k samples are distinct', async () => {
    const equal = await fit(pointsOf(new Array(7).fill([3, 4]) as number[][]), { k: 4 });
    expect(Array.from(equal.weights)).toEqual([1, 0, 0, 0]);
    expect(equal.distortion).toBe(0);
    const two = await fit(pointsOf([[1], [2], [1], [2], [1]]), { k: 3 });
    expect(Array.from(two.weights).sort()).toEqual([0, 0.4, 0.6]);
    expect(two.distortion).toBe(0);
  });

  it('gives an outlier its own point and the rest theirs', async () => {
    const rows = Array.from({ length: 30 }, (_, i) => [i % 2 ? 1 : -1, 0.01 * (i % 5)]);
    const { counts } = await fit(pointsOf([...rows, [1e12, 0]]), { k: 3 });
    expect(Array.from(counts).sort((a, b) => a - b)).toEqual([1, 15, 15]);
  });

  it('tells samples apart that the grid does not, far from others and beside outliers', async () => {
    const near = cloud(80, 3, 2);
    const far = moved(cloud(80, 3, 3), 1e6);
    const both = { values: Float32Array.of(...near.values, ...far.values), n: 160, d: 3 };
    const halves = [await fit(near, { k: 5 }), await fit(far, { k: 5 })];
    const found = await fit(both, { k: 10 });
    expectCodebook(both, found);
    expect(Math.min(...found.counts)).toBeGreaterThan(0);
    expect(found.distortion).toBeLessThan((1.1 * (halves[0]!.distortion + halves[1]!.distortion)) / 2);
    const rough = { k: 10, seed: 1, classIndex: 0, restarts: 3 };
    expect(everyByte(await fitQuantizer(both, rough, { product: roughProduct }))).toBe(everyByte(found));

    for (const x of [1e6, 1e12]) {
      const outliers = { values: Float32Array.of(...near.values, x, 0, 0, 0, 2 * x, 0, 0, 0, 3 * x), n: 83, d: 3 };
      const beside = await fit(outliers, { k: 8 });
      expect(Array.from(beside.counts).filter((count) => count === 1).length).toBeGreaterThanOrEqual(3);
      expect(beside.distortion).toBeLessThan((1.1 * 80 * halves[0]!.distortion) / 83);
    }
  });

  it.each([1e-35, 1e-10, 1, 1e10, 1e35])('finds the same cells at scale %d', async (scale) => {
    const points = cloud(60, 3);
    const power = 2 ** Math.round(Math.log2(scale));
    const scaled = { ...points, values: points.values.map((x) => x * power) };
    const expected = await fit(points, { k: 5 });
    const found = await fit(scaled, { k: 5 });
    expect(found.assignment).toEqual(expected.assignment);
    expect(found.distortion / (expected.distortion * power * power)).toBeCloseTo(1, 4);
  });

  it('gives the same bytes for the same seed, and the same cells for any product', async () => {
    for (const points of [cloud(200, 16), cloud(150, 96)]) {
      const first = await fit(points, { k: 8 });
      expect(everyByte(await fit(points, { k: 8 }))).toBe(everyByte(first));
      const options = { k: 8, seed: 1, classIndex: 0, restarts: 3 };
      expect(everyByte(await fitQuantizer(points, options, { product: roughProduct }))).toBe(everyByte(first));
      expect(everyByte(await fit(points, { k: 8, seed: 2 }))).not.toBe(everyByte(first));
      expect(everyByte(await fit(points, { k: 8, classIndex: 1 }))).not.toBe(everyByte(first));
    }
  });

  it('keeps the best restart, tells of all, and swaps from there', async () => {
    const found = await fit(cloud(200, 6), { k: 10, restarts: 8, patience: 0 });
    const { restarts, best, distortion, swaps } = found;
    expect(restarts).toHaveLength(8);
    expect(restarts[best]).toMatchObject({ converged: true });
    expect(restarts.filter(({ converged }) => !converged).every(({ distortion: d }) => d > distortion)).toBe(true);
    expect(Math.min(...restarts.map((restart) => restart.distortion))).toBe(restarts[best]!.distortion);
    expect(distortion / restarts[best]!.distortion).toBeCloseTo(1, 3);
    expect(swaps).toEqual({ tried: 0, accepted: 0 });
    const swapped = await fit(cloud(200, 6), { k: 10, restarts: 8, patience: 20 });
    expect(swapped.swaps.tried).toBeGreaterThanOrEqual(20);
    expect(swapped.swaps.accepted).toBeGreaterThan(0);
    expect(swapped.distortion).toBeLessThan(distortion);
  });

  it('is not above a start that it was given', async () => {
    await fc.assert(
      fc.asyncProperty(gridPoints, fc.integer({ min: 1, max: 5 }), async (points, wanted) => {
        const k = Math.min(wanted, points.n);
        const start = { values: points.values.slice(0, k * points.d), n: k, d: points.d };
        const { distortion } = await nearestCentroids(points, start, { product });
        const found = await fit(points, { k, starts: [start], restarts: 0, patience: 0, maxIterations: 1 });
        expect(found.distortion).toBeLessThanOrEqual(distortion * (1 + 1e-6));
        expect(found.restarts).toHaveLength(1);
        expectCodebook(points, found);
      }),
    );
  });

  it('finds in a sketch what a start from there does not lower in all dimensions', async () => {
    const points = cloud(300, 160, 3, 6);
    const wide = await fit(points, { k: 6, restarts: 6 });
    expectCodebook(points, wide);
    const again = await fit(points, { k: 6, restarts: 0, patience: 0, starts: [wide.centroids] });
    expect(wide.distortion).toBeLessThanOrEqual(again.distortion * (1 + 1e-3));
    for (const { distortion } of wide.restarts) expect(distortion).toBeGreaterThan(0.99 * wide.distortion);
  });

  it('reports progress and stops between iterations', async () => {
    const controller = new AbortController();
    const seen: number[] = [];
    const onProgress = ({ iteration }: { iteration: number }) => {
      seen.push(iteration);
      if (seen.length === 3) controller.abort();
    };
    const context = { product, signal: controller.signal, onProgress };
    const running = fitQuantizer(cloud(200, 6), { k: 10, seed: 1, classIndex: 0, restarts: 1 }, context);
    await expect(running).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(seen).toEqual([1, 2, 3]);
  });

  it.each([
    [{ k: 0 }, 'expected 1 to 4 centroids, got 0'],
    [{ k: 5 }, 'expected 1 to 4 centroids, got 5'],
    [{ k: 1.5 }, 'expected 1 to 4 centroids, got 1.5'],
    [{ k: 2, restarts: 0 }, 'expected restarts >= 1, got 0'],
    [{ k: 2, maxIterations: -1 }, 'expected maxIterations >= 1, got -1'],
    [{ k: 2, patience: -1 }, 'expected patience >= 0, got -1'],
    [{ k: 2, starts: [cloud(3, 2)] }, 'expected starts of 2 centroids, got 3'],
    [{ k: 2, starts: [cloud(2, 3)] }, 'expected points of shape (n, 3), got (n, 2)'],
  ] as const)('refuses %j', async (options, message) => {
    await expect(fit(cloud(4, 2), options)).rejects.toThrow(message);
  });

  it('refuses samples that are not finite, with their place, and a shape that does not fit', async () => {
    const points = cloud(5, 3);
    points.values[7] = NaN;
    await expect(fit(points, { k: 2 })).rejects.toMatchObject({ code: 'INVALID_INPUT', details: { index: 7, row: 2 } });
    await expect(fit({ ...cloud(5, 3), d: 4 }, { k: 2 })).rejects.toThrow('20 values, got 15');
  });
});

function moved({ values, n, d }: Points, by: number): Points {
  return { values: values.map((x) => x + by), n, d };
}

function expectCodebook(points: Points, codebook: Codebook): void {
  const { centroids, weights, counts, assignment, distortion } = codebook;
  expect(sum(weights)).toBeCloseTo(1, 14);
  expect(sum(counts)).toBe(points.n);
  let total = 0;
  for (let i = 0; i < points.n; i++) {
    const all = Array.from({ length: centroids.n }, (_, c) => squared(points, i, centroids, c));
    expect(all[assignment[i]!]).toBe(Math.min(...all));
    total += Math.min(...all);
  }
  counts.forEach((count, c) => expect(count).toBe(assignment.filter((a) => a === c).length));
  expect(Math.abs(distortion - total / points.n)).toBeLessThanOrEqual(1e-12 * distortion);
}

/** The least distortion over all partitions into at most k cells. */
function bestPartition(points: Points, k: number): number {
  const { n, d, values } = points;
  let best = Infinity;
  for (let code = 0; code < k ** n; code++) {
    const cells = Array.from({ length: n }, (_, i) => Math.floor(code / k ** i) % k);
    let total = 0;
    for (let c = 0; c < k; c++) {
      const members = cells.flatMap((cell, i) => (cell === c ? [i] : []));
      for (let j = 0; j < d; j++) {
        const mean = members.reduce((t, i) => t + values[i * d + j]!, 0) / members.length;
        total += members.reduce((t, i) => t + (values[i * d + j]! - mean) ** 2, 0);
      }
    }
    best = Math.min(best, total / n);
  }
  return best;
}

function everyByte({ centroids, weights, counts, assignment }: Codebook): string {
  return [centroids.values, weights, counts, assignment].map(bytes).join('|');
}
