import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { squaredNorms } from '../../../src/numerics/math/distance.ts';
import { type Points } from '../../../src/numerics/math/points.ts';
import { lloyd, type LloydResult } from '../../../src/numerics/quantize/lloyd.ts';
import { bytes, cloud, gridPoints, pointsOf, product, roughProduct, squared } from '../support.ts';

const run = (points: Points, k: number, start: Int32Array, maxIterations = 300, anyProduct = product) =>
  lloyd(points, squaredNorms(points), k, start, maxIterations, { product: anyProduct });
const spread = (n: number, k: number) => Int32Array.from({ length: n }, (_, i) => (i * 11) % k);

describe('lloyd', () => {
  it('never raises the distortion, and ends where centroids are means and samples in their nearest cells', async () => {
    await fc.assert(
      fc.asyncProperty(gridPoints, fc.integer({ min: 1, max: 6 }), async (points, k) => {
        const start = spread(points.n, k);
        let before = Infinity;
        for (let iterations = 1; ; iterations++) {
          const result = await run(points, k, start, iterations);
          expect(result.iterations).toBe(iterations);
          expect(result.distortion).toBeLessThanOrEqual(before * (1 + 1e-6));
          expectNearest(points, result);
          before = result.distortion;
          if (!result.converged) continue;
          expectMeans(points, result);
          break;
        }
      }),
      { numRuns: 200 },
    );
  });

  it('walks the path of the algorithm that measures every distance, to the same cells', async () => {
    for (const seed of [1, 2, 3]) {
      const points = cloud(200, 9, seed);
      const fast = await run(points, 7, spread(200, 7));
      const slow = measuringAll(points, 7, spread(200, 7));
      expect(fast.assignment).toEqual(slow.assignment);
      expect(fast.iterations).toBe(slow.iterations);
      expectMeans(points, fast);
    }
  });

  it('gives the same bytes with any product, wherever the samples lie', async () => {
    for (const offset of [0, 1e4]) {
      const { values, ...shape } = cloud(150, 6);
      const points = { values: values.map((x) => x + offset), ...shape };
      const found = await run(points, 5, spread(150, 5));
      const rough = await run(points, 5, spread(150, 5), 300, roughProduct);
      expect(bytes(rough.centroids.values)).toBe(bytes(found.centroids.values));
      expect(rough.assignment).toEqual(found.assignment);
    }
  });

  it('leaves a cell that is empty where it is', async () => {
    const { centroids, assignment } = await run(pointsOf([[1], [2], [9]]), 3, Int32Array.of(1, 1, 2));
    expect(Array.from(centroids.values)).toEqual([1, 2, 9]);
    expect(Array.from(assignment)).toEqual([0, 1, 2]);
  });

  it('forgets a distant sample that leaves its cell', async () => {
    const points = pointsOf([[1], [2], [3], [1e30]]);
    const { centroids } = await run(points, 2, Int32Array.of(0, 0, 1, 1));
    expect(Array.from(centroids.values)).toEqual([2, Math.fround(1e30)]);
  });

  it('stops at the limit of iterations and says so, and when cancelled', async () => {
    const points = cloud(100, 4);
    expect(await run(points, 6, spread(100, 6), 1)).toMatchObject({ converged: false, iterations: 1 });
    const cancelled = lloyd(points, squaredNorms(points), 6, spread(100, 6), 300, {
      product,
      signal: AbortSignal.abort(),
    });
    await expect(cancelled).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

function meanOf({ values, d }: Points, members: readonly number[]): number[] {
  return Array.from({ length: d }, (_, j) => members.reduce((t, i) => t + values[i * d + j]!, 0) / members.length);
}

const membersOf = (assignment: Int32Array, c: number) =>
  Array.from(assignment.keys()).filter((i) => assignment[i] === c);

function expectMeans(points: Points, { centroids, assignment }: LloydResult): void {
  for (let c = 0; c < centroids.n; c++) {
    const members = membersOf(assignment, c);
    if (members.length === 0) continue;
    meanOf(points, members).forEach((mean, j) => {
      expect(Math.abs(centroids.values[c * points.d + j]! - mean)).toBeLessThanOrEqual(2 ** -23 * Math.abs(mean));
    });
  }
}

function expectNearest(points: Points, { centroids, assignment, distortion }: LloydResult): void {
  let total = 0;
  for (let i = 0; i < points.n; i++) {
    const all = Array.from({ length: centroids.n }, (_, c) => squared(points, i, centroids, c));
    expect(all[assignment[i]!]).toBe(Math.min(...all));
    total += Math.min(...all);
  }
  expect(Math.abs(distortion - total / points.n)).toBeLessThanOrEqual(1e-12 * distortion);
}

function measuringAll(points: Points, k: number, start: Int32Array) {
  let assignment = start;
  for (let iterations = 1; ; iterations++) {
    const rows = Array.from({ length: k }, (_, c) => meanOf(points, membersOf(assignment, c)));
    const centroids = pointsOf(rows);
    const next = assignment.map((_, i) => {
      const all = Array.from({ length: k }, (__, c) => squared(points, i, centroids, c));
      return all.indexOf(Math.min(...all));
    });
    if (next.every((c, i) => c === assignment[i])) return { assignment: next, iterations };
    assignment = next;
  }
}
