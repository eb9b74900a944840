import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type MatrixProduct } from '../../../src/numerics/math/product.ts';
import { randomStream } from '../../../src/numerics/math/random.ts';
import { directSpace } from '../../../src/numerics/quantize/direct.ts';
import { gramSpace } from '../../../src/numerics/quantize/gram.ts';
import { partitionOf, type Partition } from '../../../src/numerics/quantize/partition.ts';
import { rounded, type Rounded } from '../../../src/numerics/quantize/rounded.ts';
import { search } from '../../../src/numerics/quantize/search.ts';
import { cloud, gridPoints, pointsOf, product, roughProduct } from '../support.ts';

const spaces: [string, (samples: Rounded, product: MatrixProduct) => unknown][] = [
  ['direct', directSpace],
  ['gram', gramSpace],
];
const open = async (kind: string, samples: Rounded, anyProduct = product) =>
  kind === 'gram' ? await gramSpace(samples, anyProduct) : directSpace(samples, anyProduct);

describe.each(spaces.map(([kind]) => kind))('%s space', (kind) => {
  it('never raises the potential, and knows it', async () => {
    await fc.assert(
      fc.asyncProperty(gridPoints, fc.integer({ min: 1, max: 5 }), fc.boolean(), async (points, k, hartigan) => {
        const samples = rounded(points);
        const assignment = Int32Array.from({ length: points.n }, (_, i) => (i * 7) % k);
        const partition = partitionOf(await open(kind, samples), assignment, k);
        let before = exactPotential(samples, partition);
        for (let step = 0; step < 100; step++) {
          const moved = await (hartigan ? partition.hartiganStep() : partition.lloydStep());
          const after = exactPotential(samples, partition);
          expect(after).toBeLessThanOrEqual(before * (1 + 1e-12));
          expect(Math.abs(partition.potential() - after)).toBeLessThanOrEqual(1e-9 * (1 + totalNorm(samples)));
          before = after;
          if (moved === 0) break;
        }
        expect(Array.from(partition.counts).reduce((a, b) => a + b)).toBe(points.n);
        if (hartigan) expectNoBetterMove(samples, partition);
      }),
    );
  });

  it('moves what measuring every distance would move', async () => {
    const samples = rounded(cloud(150, 12, 4));
    const partition = partitionOf(await open(kind, samples), start(150, 6), 6);
    for (let step = 0; step < 30; step++) {
      const expected = everyNearest(samples, partition);
      const moved = await partition.lloydStep();
      expect(Array.from(partition.assignment)).toEqual(expected);
      if (moved === 0) break;
    }
  });

  it('ends where Lloyd would end too, with cells that are not empty', async () => {
    const samples = rounded(cloud(150, 12, 5));
    const partition = partitionOf(await open(kind, samples), start(150, 1), 9);
    while ((await partition.hartiganStep()) > 0);
    expect(Math.min(...partition.counts)).toBeGreaterThan(0);
    expect(await partition.lloydStep()).toBe(0);
  });

  it('finds the loss of merging two cells', async () => {
    const samples = rounded(cloud(80, 5, 6));
    const before = partitionOf(await open(kind, samples), start(80, 4), 4);
    const merged = partitionOf(
      await open(kind, samples),
      before.assignment.map((c) => (c === 3 ? 1 : c)),
      4,
    );
    expect(before.mergingLoss(1, 3)).toBeCloseTo(merged.potential() - before.potential(), 4);
  });
});

describe('the two spaces', () => {
  it('walk the same way to the same cells, with any product, outliers or not', async () => {
    for (const points of [cloud(160, 24, 2), cloud(60, 90, 3), withOutliers()]) {
      const samples = rounded(points);
      const ways = [];
      for (const [kind, anyProduct] of [
        ['direct', product],
        ['direct', roughProduct],
        ['gram', product],
        ['gram', roughProduct],
      ] as const) {
        const space = await open(kind, samples, anyProduct);
        ways.push(await search(space, { ...options, given: [start(points.n, 7)] }));
      }
      for (const way of ways) expect(way).toEqual(ways[0]);
      expect(ways[0]!.swaps.tried).toBeGreaterThanOrEqual(3);
    }
  });
});

const stream = (purpose: string, item = 0) => randomStream({ seed: 2, classIndex: 0, purpose, item });
const options = {
  k: 7,
  streams: Array.from({ length: 6 }, (_, item) => stream('seeding', item)),
  maxIterations: 300,
  finalists: 2,
  patience: 3,
  swapStream: stream('swaps'),
};

const start = (n: number, k: number) => Int32Array.from({ length: n }, (_, i) => (i * 7) % k);

function withOutliers() {
  const { values, d } = cloud(200, 6, 8);
  const rows = Array.from({ length: 200 }, (_, i) => Array.from(values.subarray(i * d, (i + 1) * d)));
  return pointsOf([...rows, rows[0]!.map((x) => 1e4 * x), rows[1]!.map((x) => 1e9 * x)]);
}

const totalNorm = ({ norms }: Rounded) => norms.reduce((a, b) => a + b, 0);

function meansOf({ values, n, d }: Rounded, assignment: Int32Array, k: number): Float64Array[] {
  return Array.from({ length: k }, (_, c) => {
    const members = Array.from({ length: n }, (_, i) => i).filter((i) => assignment[i] === c);
    return Float64Array.from({ length: d }, (_, j) =>
      members.length === 0 ? NaN : members.reduce((t, i) => t + values[i * d + j]!, 0) / members.length,
    );
  });
}

const squaredTo = ({ values, d }: Rounded, i: number, mean: Float64Array) =>
  mean.reduce((total, x, j) => total + (values[i * d + j]! - x) ** 2, 0);

function exactPotential(samples: Rounded, { assignment, k }: Partition): number {
  const means = meansOf(samples, assignment, k);
  let total = 0;
  for (let i = 0; i < samples.n; i++) total += squaredTo(samples, i, means[assignment[i]!]!);
  return total;
}

function everyNearest(samples: Rounded, { assignment, k }: Partition): number[] {
  const means = meansOf(samples, assignment, k);
  return Array.from(assignment, (own, i) => {
    const all = means.map((mean) => squaredTo(samples, i, mean));
    return all.reduce((best, x, c) => (x < all[best]! * (1 - 1e-12) ? c : best), own);
  });
}

/** No single sample can change its cell and lower the potential by more than rounding. */
function expectNoBetterMove(samples: Rounded, partition: Partition): void {
  const { assignment, counts, k } = partition;
  const means = meansOf(samples, assignment, k);
  for (let i = 0; i < samples.n; i++) {
    const a = assignment[i]!;
    if (counts[a]! === 1) continue;
    const gain = (counts[a]! / (counts[a]! - 1)) * squaredTo(samples, i, means[a]!);
    for (let b = 0; b < k; b++) {
      if (b === a) continue;
      const loss = counts[b]! === 0 ? 0 : (counts[b]! / (counts[b]! + 1)) * squaredTo(samples, i, means[b]!);
      expect(loss).toBeGreaterThanOrEqual(gain * (1 - 1e-9) - 1e-9 * (1 + samples.norms[i]!));
    }
  }
}
