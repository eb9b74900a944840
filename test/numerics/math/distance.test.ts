import { describe, expect, it } from 'vitest';
import {
  approximateSquaredDistances,
  errorBound,
  frameOf,
  normalize,
  squaredDistance,
} from '../../../src/numerics/math/distance.ts';
import { cloud, product, roughProduct, squared } from '../support.ts';

describe('squaredDistance', () => {
  it.each([1, 3, 8, 13, 32])('is the definition at d = %d', (d) => {
    const points = cloud(6, d);
    for (let i = 0; i < 6; i++)
      for (let k = 0; k < 6; k++) {
        const expected = squared(points, i, points, k);
        expect(Math.abs(squaredDistance(points.values, i, points.values, k, d) - expected)).toBeLessThanOrEqual(
          1e-14 * expected,
        );
      }
  });
});

describe('approximate squared distances', () => {
  it.each([
    ['plain', product],
    ['rough', roughProduct],
  ])('stay within their error bound: %s product, far from the origin', async (_, anyProduct) => {
    const { values, n, d } = cloud(40, 50);
    const points = { values: values.map((x) => 3e4 + x), n, d };
    const normalized = normalize(points.values, n, d, frameOf(points));
    const approximate = await approximateSquaredDistances(normalized, normalized, anyProduct);
    const { scale } = normalized.frame;
    for (let i = 0; i < n; i++)
      for (let k = 0; k < n; k++) {
        const exact = squared(points, i, points, k) * scale * scale;
        const bound = errorBound(normalized.norms[i]!, normalized.norms[k]!, d);
        expect(Math.abs(approximate[i * n + k]! - exact)).toBeLessThanOrEqual(bound);
        expect(bound).toBeLessThan(1e-4 * d);
      }
  });

  it.each([1e-38, 1e-20, 1, 1e20, 1e37])('has values up to 1 in the frame at scale %d', (scale) => {
    const { values, n, d } = cloud(20, 4);
    const points = { values: values.map((x) => x * scale), n, d };
    const largest = normalize(points.values, n, d, frameOf(points)).values.reduce(
      (a, b) => Math.max(a, Math.abs(b)),
      0,
    );
    expect(largest).toBeLessThanOrEqual(1);
    expect(largest).toBeGreaterThan(0.49);
  });
});
