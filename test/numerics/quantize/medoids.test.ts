import { expect, it } from 'vitest';
import { medoids } from '../../../src/numerics/quantize/medoids.ts';
import { fitQuantizer } from '../../../src/numerics/quantize/quantize.ts';
import { cloud, pointsOf, product, squared } from '../support.ts';

it('is the sample of the cell that is nearest to the centroid', async () => {
  const points = cloud(60, 4);
  const { centroids, assignment } = await fitQuantizer(points, { k: 5, seed: 1, classIndex: 0 }, { product });
  const found = medoids(points, centroids, assignment);
  found.forEach((medoid, c) => {
    expect(assignment[medoid]).toBe(c);
    for (let i = 0; i < 60; i++)
      if (assignment[i] === c)
        expect(squared(points, medoid, centroids, c)).toBeLessThanOrEqual(squared(points, i, centroids, c));
  });
  expect(new Set(found).size).toBe(5);
});

it('takes a sample of its own cell even where another is nearer', () => {
  const found = medoids(pointsOf([[0], [4], [5], [9]]), pointsOf([[4.4], [4.6]]), [0, 1, 0, 1]);
  expect(Array.from(found)).toEqual([2, 1]);
});

it('gives an empty cell the nearest sample of all, and ties to the first', () => {
  const found = medoids(pointsOf([[0], [2], [2]]), pointsOf([[1], [9]]), [0, 0, 0]);
  expect(Array.from(found)).toEqual([0, 1]);
});

it('refuses cells that are not of these samples', () => {
  expect(() => medoids(cloud(3, 2), cloud(2, 2), [0])).toThrow('expected the cells of 3 samples, got 1');
  expect(() => medoids(cloud(3, 2), cloud(2, 3), [0, 0, 1])).toThrow('expected points of shape (n, 3), got (n, 2)');
});
