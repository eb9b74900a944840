import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { squaredDistance } from '../../../src/numerics/math/distance.ts';
import { type Points } from '../../../src/numerics/math/points.ts';
import { lloyd } from '../../../src/numerics/quantize/lloyd.ts';
import { bytes, cloud, gridPoints, pointsOf } from '../support.ts';

const maxIterations = 300;

describe('lloyd', () => {
  it('never raises the distortion, and ends where centroids are means and samples in their nearest cells', async () => {
    const starts = fc.tuple(gridPoints, fc.integer({ min: 1, max: 6 }), fc.constantFrom(0, 1, 1000));
    await fc.assert(
      fc.asyncProperty(starts, async ([points, k, away]) => {
        const { centroids } = startAtFirst(points, k);
        const far = { centroids: centroids.map((x, p) => (p < points.d ? x : x * (1 + away))) };
        const result = await lloyd(points, Math.min(k, points.n), far, { maxIterations });
        expect(result.converged).toBe(true);
        expectNeverRises(result.distortions, points);
        expectMeans(points, result.centroids, result.assignment);
        expectNearest(points, result.centroids, result.assignment);
      }),
      { numRuns: 500 },
    );
  });

  it('fills many empty cells of a large cloud and still misses no nearer centroid', async () => {
    const points = cloud(300, 3);
    const { centroids } = startAtFirst(points, 12);
    centroids.fill(1e3, 3 * 3);
    const result = await lloyd(points, 12, { centroids }, { maxIterations });
    expect(new Set(result.assignment).size).toBe(12);
    expectNearest(points, result.centroids, result.assignment);
  });

  it('walks the path of the algorithm that measures every distance, to the same cells', async () => {
    for (const seed of [1, 2, 3]) {
      const points = cloud(200, 9, seed);
      const start = startAtFirst(points, 7);
      const fast = await lloyd(points, 7, start, { maxIterations });
      const slow = measuringAll(points, 7, start.centroids);
      expect(fast.assignment).toEqual(slow.assignment);
      expect(fast.distortions.length).toBe(slow.iterations);
      for (let p = 0; p < slow.centroids.length; p++) expect(fast.centroids[p]).toBeCloseTo(slow.centroids[p]!, 12);
    }
  });

  it('starts from what is known of the distances, or from nothing, to the same bytes', async () => {
    const points = cloud(150, 6);
    const { centroids } = startAtFirst(points, 5);
    const distances = Float64Array.from({ length: 150 * 5 }, (_, p) =>
      Math.sqrt(squaredDistance(points.values, Math.floor(p / 5), centroids, p % 5, 6)),
    );
    const known = await lloyd(points, 5, { centroids, lowerBounds: distances }, { maxIterations });
    const unknown = await lloyd(points, 5, { centroids }, { maxIterations });
    expect(bytes(known.centroids)).toBe(bytes(unknown.centroids));
  });

  it('fills empty cells with the samples farthest from their centroids', async () => {
    const points = pointsOf([[0], [1], [10], [20]]);
    const centroids = Float64Array.of(0, 500, 500);
    const result = await lloyd(points, 3, { centroids }, { maxIterations });
    expect(result.converged).toBe(true);
    expect(new Set(result.assignment).size).toBe(3);
    expect(result.distortion).toBe(0.125);
    expect(result.distortions.at(-1)).toBeCloseTo(0.125, 12);
  });

  it('forgets a distant sample that leaves its cell', async () => {
    const points = pointsOf([[1], [2], [3], [1e30]]);
    const result = await lloyd(points, 2, { centroids: Float64Array.of(-1e30, 0) }, { maxIterations });
    expect(Array.from(result.centroids).sort((a, b) => a - b)).toEqual([2, Math.fround(1e30)]);
  });

  it('stops at the limit of iterations and says so, and when cancelled', async () => {
    const points = cloud(100, 4);
    const start = startAtFirst(points, 6);
    expect(await lloyd(points, 6, start, { maxIterations: 1 })).toMatchObject({ converged: false });
    const signal = AbortSignal.abort();
    await expect(lloyd(points, 6, start, { maxIterations, signal })).rejects.toMatchObject({ code: 'CANCELLED' });
  });
});

function startAtFirst({ values, n, d }: Points, k: number) {
  return { centroids: Float64Array.from(values.subarray(0, Math.min(k, n) * d)) };
}

function expectNeverRises(distortions: readonly number[], points: Points): void {
  const largest = points.values.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
  const rounding = 1e-12 * points.d * largest * largest;
  for (let t = 1; t < distortions.length; t++)
    expect(distortions[t]).toBeLessThanOrEqual(distortions[t - 1]! + rounding);
}

function expectMeans(points: Points, centroids: Float64Array, assignment: Int32Array): void {
  const { values, n, d } = points;
  for (let c = 0; c < centroids.length / d; c++) {
    const members = Array.from({ length: n }, (_, i) => i).filter((i) => assignment[i] === c);
    if (members.length === 0) continue;
    for (let j = 0; j < d; j++) {
      const mean = members.reduce((total, i) => total + values[i * d + j]!, 0) / members.length;
      expect(Math.abs(centroids[c * d + j]! - mean)).toBeLessThanOrEqual(1e-14 * Math.abs(mean));
    }
  }
}

function expectNearest({ values, n, d }: Points, centroids: Float64Array, assignment: Int32Array): void {
  for (let i = 0; i < n; i++) {
    const own = squaredDistance(values, i, centroids, assignment[i]!, d);
    for (let c = 0; c < centroids.length / d; c++)
      expect(own).toBeLessThanOrEqual(squaredDistance(values, i, centroids, c, d));
  }
}

/** Lloyd without bounds or running sums; starts and ties as the real one. */
function measuringAll({ values, n, d }: Points, k: number, start: Float64Array) {
  const centroids = start.slice();
  const assignment = new Int32Array(n);
  for (let iterations = 1; ; iterations++) {
    let moved = 0;
    for (let i = 0; i < n; i++) {
      let nearest = assignment[i]!;
      for (let c = 0; c < k; c++)
        if (squaredDistance(values, i, centroids, c, d) < squaredDistance(values, i, centroids, nearest, d))
          nearest = c;
      if (nearest !== assignment[i]) moved++;
      assignment[i] = nearest;
    }
    if (moved === 0) return { centroids, assignment, iterations };
    for (let c = 0; c < k; c++) {
      const members = Array.from({ length: n }, (_, i) => i).filter((i) => assignment[i] === c);
      for (let j = 0; j < d; j++)
        centroids[c * d + j] = members.reduce((total, i) => total + values[i * d + j]!, 0) / members.length;
    }
  }
}
