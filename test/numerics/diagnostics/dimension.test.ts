import { describe, expect, it } from 'vitest';
import {
  intrinsicDimension,
  quantizationRate,
  type DimensionOptions,
} from '../../../src/numerics/diagnostics/dimension.ts';
import { type Points } from '../../../src/numerics/math/points.ts';
import { randomStream } from '../../../src/numerics/math/random.ts';
import { cloud, pointsOf, product, roughProduct } from '../support.ts';

const random = randomStream({ seed: 1, classIndex: 0, purpose: 'dimension test' });
const found = (points: Points, options: Partial<DimensionOptions> = {}) =>
  intrinsicDimension(points, { product, random, ...options });

/** Points even on the product of `circles` circles, which has no edge. */
function torus(n: number, circles: number, seed = 1): Points {
  const stream = randomStream({ seed, classIndex: 0, purpose: 'torus' });
  const values = Float32Array.from({ length: n * circles * 2 }, (_, p) => {
    const angle = 2 * Math.PI * stream.uniform(p >> 1);
    return p % 2 === 0 ? Math.cos(angle) : Math.sin(angle);
  });
  return { values, n, d: 2 * circles };
}

describe('intrinsicDimension', () => {
  it.each([1, 2, 4])('of a product of %d circles is that, within its interval', async (circles) => {
    const dimension = (await found(torus(1500, circles)))!;
    expect(dimension.n).toBe(1500);
    expect(Math.abs(dimension.value / circles - 1)).toBeLessThan(0.08);
    expect(dimension.low).toBeLessThan(circles * 1.02);
    expect(dimension.high).toBeGreaterThan(circles * 0.98);
    expect(dimension.high - dimension.low).toBeLessThan(0.25 * circles);
  });

  it('has an interval that holds the truth about as often as it says', async () => {
    let held = 0;
    for (let seed = 1; seed <= 100; seed++) {
      const { low, high } = (await found(torus(120, 2, seed), { confidence: 0.8 }))!;
      if (low <= 2 && 2 <= high) held++;
    }
    // Binomial with n = 100 and p = 0.8 is within this with probability above 0.999.
    expect(held).toBeGreaterThan(64);
    expect(held).toBeLessThan(94);
  });

  it('does not change with scale, place, repeated points or the product', async () => {
    const points = cloud(200, 4);
    const value = (await found(points))!.value;
    const moved = { ...points, values: points.values.map((x) => 2 ** -40 * x) };
    expect((await found(moved))!.value).toBeCloseTo(value, 12);
    expect((await found(points, { product: roughProduct }))!.value).toBe(value);
    const twice = { values: Float32Array.from([...points.values, ...points.values]), n: 400, d: 4 };
    expect(await found(twice)).toEqual(await found(points));
  });

  it('agrees with the definition, neighbour by neighbour', async () => {
    const points = cloud(60, 3);
    const ratios = Array.from({ length: 60 }, (_, i) => {
      const distances = Array.from({ length: 60 }, (_, j) =>
        Math.hypot(...[0, 1, 2].map((c) => points.values[i * 3 + c]! - points.values[j * 3 + c]!)),
      ).sort((a, b) => a - b);
      return Math.log(distances[2]! / distances[1]!);
    }).sort((a, b) => a - b);
    const time = ratios.slice(0, 54).reduce((a, b) => a + b) + 6 * ratios[53]!;
    expect((await found(points))!.value).toBeCloseTo(54 / time, 10);
  });

  it('takes at most as many points as it may, chosen by the random numbers', async () => {
    const points = cloud(300, 4);
    const first = (await found(points, { most: 100 }))!;
    expect(first.n).toBe(100);
    expect(await found(points, { most: 100 })).toEqual(first);
    const other = randomStream({ seed: 2, classIndex: 0, purpose: 'dimension test' });
    expect((await found(points, { most: 100, random: other }))!.value).not.toBe(first.value);
  });

  it('is null where there are too few neighbours, and refuses what is not finite', async () => {
    expect(await found(pointsOf([[1], [2], [4]]))).toBeNull();
    expect(await found({ values: new Float32Array(200), n: 100, d: 2 })).toBeNull();
    await expect(found(pointsOf([[1], [NaN]]))).rejects.toThrow('finite points, got NaN at index 1');
    await expect(found(cloud(50, 2), { signal: AbortSignal.abort() })).rejects.toThrow('cancelled');
  });
});

describe('quantizationRate', () => {
  it('is the exponent of a power law, without an interval where it is exact', () => {
    const ks = [10, 20, 50, 100];
    const rate = quantizationRate(ks, ks.map((k) => 3 * k ** -0.125)); // prettier-ignore
    for (const value of [rate.value, rate.low, rate.high]) expect(value).toBeCloseTo(-0.125, 10);
  });

  it('is least squares with a t interval', () => {
    // x = 0, 1, 2, 3 and y = 0, -1, -1, -2 in logarithms to base e: slope -0.6, residual sum 0.2, two degrees.
    const { value, low, high } = quantizationRate([0, 1, 2, 3].map(Math.exp), [0, -1, -1, -2].map(Math.exp));
    const margin = 4.302652729749462 * Math.sqrt(0.2 / 2 / 5);
    expect(value).toBeCloseTo(-0.6, 12);
    expect(low).toBeCloseTo(-0.6 - margin, 10);
    expect(high).toBeCloseTo(-0.6 + margin, 10);
  });

  it('refuses too few K and values without a logarithm', () => {
    expect(() => quantizationRate([10, 10, 20], [1, 1, 1])).toThrow('three different K');
    expect(() => quantizationRate([10, 20, 30], [1, 0, 1])).toThrow('above 0, got 0');
  });
});
