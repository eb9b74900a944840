import { describe, expect, it } from 'vitest';
import { type Points } from '../../../src/numerics/math/points.ts';
import { refitWeights } from '../../../src/numerics/quantize/refit.ts';
import { bytes, cloud, pointsOf, product, roughProduct, squared } from '../support.ts';

describe('refitWeights', () => {
  it('finds the least energy distance, against every active set', async () => {
    for (let seed = 1; seed <= 20; seed++) {
      const samples = cloud(40, 3, seed);
      const codes = cloud(5, 3, seed + 100);
      const { weights, energy } = await refitWeights(codes, samples, { product });
      expect(weights.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
      expect(Math.min(...weights)).toBeGreaterThanOrEqual(0);
      expect(energy).toBeCloseTo(energyOf(codes, samples, weights), 7);
      // Frank and Wolfe's gap: no direction to a corner leads down.
      const gradient = gradientOf(codes, samples, weights);
      const level = gradient.reduce((sum, g, k) => sum + g * weights[k]!, 0);
      expect(level - Math.min(...gradient)).toBeLessThan(1e-9);
      for (let other = 0; other < 50; other++) {
        const random = Float64Array.from({ length: 5 }, (_, k) => ((other + 1) * (k + 2) * 7919) % 101);
        const total = random.reduce((a, b) => a + b);
        expect(energy).toBeLessThanOrEqual(
          energyOf(
            codes,
            samples,
            random.map((x) => x / total),
          ) + 1e-7,
        );
      }
    }
  });

  it('gives back the shares of samples that lie on the codes', async () => {
    const codes = pointsOf([
      [0, 0],
      [1, 0],
      [0, 5],
    ]);
    const samples = pointsOf([
      [0, 0],
      [0, 0],
      [0, 0],
      [1, 0],
      [0, 5],
      [0, 5],
    ]);
    const { weights, energy, energyBefore } = await refitWeights(codes, samples, {
      product,
      before: [1 / 3, 1 / 3, 1 / 3],
    });
    [1 / 2, 1 / 6, 1 / 3].forEach((share, k) => expect(weights[k]).toBeCloseTo(share, 9));
    expect(energy).toBeLessThan(1e-7);
    expect(energyBefore).toBeGreaterThan(0.01);
  });

  it('takes codes that coincide, one code, and equal samples', async () => {
    const samples = cloud(30, 2, 3);
    const twice = pointsOf([
      [0, 0],
      [1, 1],
      [0, 0],
      [1, 1],
    ]);
    const once = await refitWeights(
      pointsOf([
        [0, 0],
        [1, 1],
      ]),
      samples,
      { product },
    );
    expect((await refitWeights(twice, samples, { product })).energy).toBeCloseTo(once.energy, 9);
    expect(Array.from((await refitWeights(cloud(1, 2), samples, { product })).weights)).toEqual([1]);
    const equal = await refitWeights(pointsOf([[2], [3]]), pointsOf([[3], [3]]), { product });
    expect(equal.weights[1]).toBeCloseTo(1, 12);
  });

  it('gives the same weights with any product, and energies that agree in single precision', async () => {
    const [codes, samples] = [cloud(12, 20, 7), cloud(90, 20, 8)];
    const before = new Float64Array(12).fill(1 / 12);
    const exact = await refitWeights(codes, samples, { before, product });
    const rough = await refitWeights(codes, samples, { before, product: roughProduct });
    expect(bytes(rough.weights)).toBe(bytes(exact.weights));
    expect(rough.energy).toBeCloseTo(exact.energy, 5);
    expect(exact.energy).toBeCloseTo(energyOf(codes, samples, exact.weights), 6);
    expect(exact.energy).toBeLessThanOrEqual(exact.energyBefore!);
  });

  it.each([2 ** -90, 2 ** 110])('finds the same weights at scale %d', async (scale) => {
    const [codes, samples] = [cloud(6, 3, 7), cloud(90, 3, 8)];
    const before = new Float64Array(6).fill(1 / 6);
    const scaled = (points: Points) => ({ ...points, values: points.values.map((x) => x * scale) });
    const expected = await refitWeights(codes, samples, { product, before });
    const found = await refitWeights(scaled(codes), scaled(samples), { product, before });
    expect(bytes(found.weights)).toBe(bytes(expected.weights));
    expect(found.energy / (scale * expected.energy)).toBeCloseTo(1, 6);
    expect(found.energy).toBeLessThan(found.energyBefore!);
  });

  it('never leaves the codes farther away than they were, outliers or not', async () => {
    const near = cloud(40, 2, 5);
    const codes = cloud(4, 2, 6);
    const far = (points: Points, x: number) => ({
      values: Float32Array.of(...points.values, x, x),
      n: points.n + 1,
      d: 2,
    });
    for (const x of [1e3, 1e9, 1e20, 1e30]) {
      const before = [10 / 41, 10 / 41, 10 / 41, 10 / 41, 1 / 41];
      const { weights, energy, energyBefore } = await refitWeights(far(codes, x), far(near, x), { product, before });
      expect(energy).toBeLessThanOrEqual(energyBefore!);
      expect(weights.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    }
  });

  it('refuses shapes that do not fit', async () => {
    const refit = (codes: Points, samples: Points, before?: number[]) =>
      refitWeights(codes, samples, { product, ...(before && { before }) });
    await expect(refit(cloud(2, 2), cloud(9, 3))).rejects.toThrow('expected points of shape (n, 2), got (n, 3)');
    await expect(refit(cloud(2, 2), cloud(9, 2), [1])).rejects.toThrow('expected 2 weights, got 1');
  });
});

const distance = (a: Points, i: number, b: Points, k: number) => Math.sqrt(squared(a, i, b, k));

function energyOf(codes: Points, samples: Points, w: ArrayLike<number>): number {
  let total = 0;
  for (let k = 0; k < codes.n; k++) {
    for (let i = 0; i < samples.n; i++) total += (2 * w[k]! * distance(codes, k, samples, i)) / samples.n;
    for (let l = 0; l < codes.n; l++) total -= w[k]! * w[l]! * distance(codes, k, codes, l);
  }
  for (let i = 0; i < samples.n; i++)
    for (let j = 0; j < samples.n; j++) total -= distance(samples, i, samples, j) / samples.n ** 2;
  return total;
}

function gradientOf(codes: Points, samples: Points, w: ArrayLike<number>): number[] {
  return Array.from({ length: codes.n }, (_, k) => {
    let g = 0;
    for (let i = 0; i < samples.n; i++) g += distance(codes, k, samples, i) / samples.n;
    for (let l = 0; l < codes.n; l++) g -= w[l]! * distance(codes, k, codes, l);
    return g;
  });
}
