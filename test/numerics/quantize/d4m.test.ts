import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Points } from '../../../src/numerics/math/points.ts';
import { d4m, shuffledOrders } from '../../../src/numerics/quantize/d4m.ts';
import { cloud, squared } from '../support.ts';

/** By scikit-learn 1.9.1 with numpy 2.4.6, see d4m_reference.py. */
const references = JSON.parse(readFileSync(join(import.meta.dirname, 'd4m_reference.json'), 'utf8')) as {
  n: number;
  d: number;
  modes: number;
  rare: number;
  k: number;
  centroids: number[][];
}[];

describe('d4m', () => {
  it.each(references)(
    'gives the centroids of scikit-learn: n=$n d=$d k=$k rare=$rare',
    ({ n, d, modes, rare, k, centroids }) => {
      const found = d4m(samples(n, d, modes, rare), k, inOrder(n));
      const rows = Array.from({ length: k }, (_, c) => Array.from(found.centroids.values.slice(c * d, (c + 1) * d)));
      rows.sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]!);
      rows.forEach((row, c) => row.forEach((x, j) => expect(Math.abs(x - centroids[c]![j]!)).toBeLessThan(1e-4)));
      if (rare > 0) expect(found.reassigned).toBeGreaterThan(0);
    },
  );

  it('sees whole batches only, and forgets nothing that it was given', () => {
    const points = cloud(57, 4);
    const { centroids, steps, reassigned } = d4m(points, 5, inOrder(57));
    expect({ steps, reassigned }).toEqual({ steps: 11, reassigned: 0 });
    expect(d4m(points, 5, inOrder(55)).centroids).toEqual(centroids);
    const one = d4m(points, 1, inOrder(57)).centroids.values;
    for (let j = 0; j < 4; j++) {
      const mean = Array.from({ length: 57 }, (_, i) => points.values[i * 4 + j]!).reduce((a, b) => a + b) / 57;
      expect(one[j]).toBeCloseTo(mean, 6);
    }
  });

  it('is another for every shuffle, and worse than the samples it has seen would allow', () => {
    const points = cloud(400, 6);
    const orders = shuffledOrders(400, 10, { seed: 1, classIndex: 0 });
    const found = orders.map((order) => distortion(points, d4m(points, 10, order).centroids));
    expect(new Set(found).size).toBe(10);
    for (const order of orders) expect(Array.from(order).sort((a, b) => a - b)).toEqual(Array.from(inOrder(400)));
    expect(shuffledOrders(400, 2, { seed: 1, classIndex: 0 })[1]).toEqual(orders[1]);
  });

  it('refuses fewer samples than centroids, and samples that are not there', () => {
    expect(() => d4m(cloud(9, 2), 4, [0, 1, 2])).toThrow('expected 1 to 3 centroids, got 4');
    expect(() => d4m(cloud(9, 2), 2, [0, 1, 9])).toThrow('samples 0 to 8, got 9 at index 2');
  });
});

const inOrder = (n: number) => Int32Array.from({ length: n }, (_, i) => i);

/** As in d4m_reference.py. */
function samples(n: number, d: number, modes: number, rare: number): Points {
  const values = new Float32Array(n * d);
  let state = 1;
  for (let i = 0; i < n; i++)
    for (let j = 0; j < d; j++) {
      state = (state * 16807) % 2147483647;
      values[i * d + j] = state / 2147483647 + 3 * ((7 * i + j) % modes);
      if (rare && i % rare === 1) values[i * d + j]! += 32;
    }
  return { values, n, d };
}

function distortion(points: Points, centroids: Points): number {
  let total = 0;
  for (let i = 0; i < points.n; i++)
    total += Math.min(...Array.from({ length: centroids.n }, (_, c) => squared(points, i, centroids, c)));
  return total / points.n;
}
