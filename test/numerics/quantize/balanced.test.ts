import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Points } from '../../../src/numerics/math/points.ts';
import { fitBalanced, type BalancedOptions } from '../../../src/numerics/quantize/balanced.ts';
import { fitQuantizer } from '../../../src/numerics/quantize/quantize.ts';
import { exactTransport } from '../../../src/numerics/transport/transport.ts';
import { wasserstein2 } from '../../../src/numerics/transport/wasserstein.ts';
import { bytes, cloud, gridPoints, pointsOf, product, roughProduct } from '../support.ts';

const fit = (points: Points, options: BalancedOptions, anyProduct = product) =>
  fitBalanced(points, options, { transport: exactTransport, product: anyProduct });
const first = ({ values, d }: Points, k: number): Points => ({ values: values.slice(0, k * d), n: k, d });
const weighted = (points: Points, k: number, starts: Points[] = []) =>
  fitQuantizer(points, { k, seed: 1, classIndex: 0, restarts: 2, starts }, { product });

describe('fitBalanced', () => {
  it('never raises the cost, which is the squared W2 once converged', async () => {
    await fc.assert(
      fc.asyncProperty(gridPoints, fc.integer({ min: 1, max: 4 }), async (points, wanted) => {
        const k = Math.min(wanted, points.n);
        const found = await fit(points, { starts: [first(points, k)] });
        const { costs, converged } = found.starts[0]!;
        for (let t = 1; t < costs.length; t++) expect(costs[t]).toBeLessThanOrEqual(costs[t - 1]!);
        expect(converged).toBe(true);
        expect(Array.from(found.weights)).toEqual(new Array(k).fill(1 / k));
        const { squared } = await wasserstein2(points, found.centroids, found.weights);
        expect(squared).toBeLessThanOrEqual(found.cost * (1 + 1e-5) + 1e-300);
      }),
      { numRuns: 40 },
    );
  });

  it('lies between the weighted quantizer and the same points with equal weights', async () => {
    for (const seed of [1, 2, 3]) {
      const points = cloud(150, 4, seed);
      const free = await weighted(points, 6);
      const balanced = await fit(points, { starts: [free.centroids] });
      const uniform = await wasserstein2(points, free.centroids, new Float64Array(6).fill(1 / 6));
      const again = await weighted(points, 6, [balanced.centroids]);
      expect(balanced.cost).toBeLessThanOrEqual(uniform.squared * (1 + 1e-6));
      expect(again.distortion).toBeLessThanOrEqual(balanced.cost * (1 + 1e-6));
    }
  });

  it('goes on to a minimum where the grid hides the cells', async () => {
    const [near, far] = [cloud(60, 3, 2), cloud(60, 3, 3)];
    const points = { values: Float32Array.of(...near.values, ...far.values.map((x) => x + 1e6)), n: 120, d: 3 };
    const free = await weighted(points, 6);
    const found = await fit(points, { starts: [free.centroids] });
    const { squared } = await wasserstein2(points, found.centroids, found.weights);
    const uniform = await wasserstein2(points, free.centroids, new Float64Array(6).fill(1 / 6));
    expect(found.starts[0]!.converged).toBe(true);
    expect(Math.abs(found.cost / squared - 1)).toBeLessThan(1e-2);
    expect(squared).toBeLessThanOrEqual(uniform.squared);
    expect(free.distortion).toBeLessThan(squared);
  });

  it('keeps the best of its starts, and samples whole if asked', async () => {
    const points = cloud(103, 3, 4);
    const starts = [first(points, 4), (await weighted(points, 4)).centroids];
    const both = await fit(points, { starts, samples: 'whole' });
    const each = await Promise.all(starts.map((start) => fit(points, { starts: [start], samples: 'whole' })));
    expect(both.cost).toBe(Math.min(...each.map(({ cost }) => cost)));
    expect(Array.from(both.weights, (weight) => Math.round(weight * 103)).sort()).toEqual([25, 26, 26, 26]);
    const split = await fit(points, { starts: [both.centroids] });
    expect(split.cost).not.toBe(both.cost);
  });

  it('finds the halves of a line, and of equal samples', async () => {
    const line = await fit(pointsOf([[0], [1], [2], [3], [4], [20]]), { starts: [pointsOf([[0], [1]])] });
    expect(Array.from(line.centroids.values).sort((a, b) => a - b)).toEqual([1, 9]);
    const split = await fit(pointsOf([[0], [3], [6]]), { starts: [pointsOf([[0], [6]])] });
    expect(Array.from(split.centroids.values)).toEqual([1, 5]);
    const equal = await fit(pointsOf([[2], [2], [2]]), { starts: [pointsOf([[2], [5]])] });
    expect(Array.from(equal.centroids.values)).toEqual([2, 2]);
    expect(equal.cost).toBe(0);
  });

  it('gives the same bytes with any product', async () => {
    const points = cloud(120, 20, 5);
    const [a, b] = await Promise.all(
      [product, roughProduct].map((p) => fit(points, { starts: [first(points, 7)] }, p)),
    );
    expect(bytes(a!.centroids.values)).toBe(bytes(b!.centroids.values));
  });

  it('refuses starts that do not fit', async () => {
    await expect(fit(cloud(5, 2), { starts: [] })).rejects.toThrow('got none');
    await expect(fit(cloud(5, 2), { starts: [cloud(6, 2)] })).rejects.toThrow('from 1 to 5, got 6');
    await expect(fit(cloud(5, 2), { starts: [cloud(2, 3)] })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});
