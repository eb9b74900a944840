import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/numerics/math/random.ts';
import { partitionOf } from '../../../src/numerics/quantize/partition.ts';
import { rounded } from '../../../src/numerics/quantize/rounded.ts';
import { search } from '../../../src/numerics/quantize/search.ts';
import { spaceOf } from '../../../src/numerics/quantize/space.ts';
import { cloud, pointsOf, product, roughProduct } from '../support.ts';

const stream = (purpose: string, item = 0) => randomStream({ seed: 2, classIndex: 0, purpose, item });
const options = (starts: number) => ({
  k: 7,
  streams: Array.from({ length: starts }, (_, item) => stream('seeding', item)),
  given: [],
  maxIterations: 300,
  finalists: 2,
  patience: 3,
  swapStream: (group: number) => stream('swaps', group),
});

describe('search', () => {
  it('walks the same way with any product, outliers or not', async () => {
    for (const points of [cloud(160, 24, 2), cloud(60, 90, 3), withOutliers()]) {
      const ways = [];
      for (const anyProduct of [product, roughProduct]) {
        const given = [Int32Array.from({ length: points.n }, (_, i) => (i * 11) % 7)];
        ways.push(await search(spaceOf(rounded(points), anyProduct), { ...options(6), given }));
      }
      expect(ways[1]).toEqual(ways[0]);
      expect(ways[0]!.starts).toHaveLength(7);
      expect(ways[0]!.swaps.tried).toBeGreaterThanOrEqual(3);
    }
  });

  it('hands on the ends of its groups, the best first, and tells of every start', async () => {
    const space = spaceOf(rounded(cloud(120, 6, 4)), product);
    const found = await search(space, { ...options(45), patience: 0 });
    expect(found.starts).toHaveLength(45);
    expect(found.assignments).toHaveLength(5);
    const ends = found.assignments.map((assignment) => partitionOf(space, assignment.slice(), 7).potential());
    expect(ends).toEqual([...ends].sort((a, b) => a - b));
    const potentials = found.starts.map(({ potential }) => potential);
    expect(potentials[found.best]).toBe(Math.min(...potentials));
    expect(ends[0]).toBeCloseTo(potentials[found.best]!, 6);
    expect(found.starts[found.best]).toMatchObject({ converged: true });
    expect(found.swaps).toEqual({ tried: 0, accepted: 0 });
  });
});

function withOutliers() {
  const { values, d } = cloud(200, 6, 8);
  const rows = Array.from({ length: 200 }, (_, i) => Array.from(values.subarray(i * d, (i + 1) * d)));
  return pointsOf([...rows, rows[0]!.map((x) => 1e4 * x), rows[1]!.map((x) => 1e9 * x)]);
}
