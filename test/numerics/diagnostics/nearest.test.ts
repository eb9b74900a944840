import fc from 'fast-check';
import { expect, it } from 'vitest';
import { nearestDistances } from '../../../src/numerics/diagnostics/nearest.ts';
import { bytes, cloud, gridPoints, product, roughProduct, squared } from '../support.ts';

it('is the least of all distances, with and without the query itself', async () => {
  await fc.assert(
    fc.asyncProperty(gridPoints, async (points) => {
      const self = Int32Array.from({ length: points.n }, (_, i) => i);
      const all = await nearestDistances(points, points, { product });
      expect(Array.from(all)).toEqual(new Array(points.n).fill(0));
      const others = await nearestDistances(points, points, { product, except: self });
      for (const i of self) {
        const distances = Array.from(
          self.filter((j) => j !== i),
          (j) => Math.sqrt(squared(points, i, points, j)),
        );
        expect(others[i]).toBe(Math.min(...distances));
      }
    }),
  );
});

it('gives the same bytes with any product', async () => {
  const [queries, points] = [cloud(9, 30, 1), cloud(200, 30, 2)];
  const [a, b] = await Promise.all(
    [product, roughProduct].map((by) => nearestDistances(queries, points, { product: by })),
  );
  expect(bytes(a!)).toBe(bytes(b!));
});

it('refuses points of another space, and ends when it is told to', async () => {
  await expect(nearestDistances(cloud(3, 2), cloud(3, 4), { product })).rejects.toMatchObject({
    code: 'INVALID_INPUT',
  });
  const signal = AbortSignal.abort();
  await expect(nearestDistances(cloud(3, 2), cloud(3, 2), { product, signal })).rejects.toMatchObject({
    code: 'CANCELLED',
  });
});
