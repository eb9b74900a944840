import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { partitionOf, type Partition } from '../../../src/numerics/quantize/partition.ts';
import { rounded, type Rounded } from '../../../src/numerics/quantize/rounded.ts';
import { spaceOf } from '../../../src/numerics/quantize/space.ts';
import { cloud, gridPoints, product } from '../support.ts';

const open = (samples: Rounded, assignment: Int32Array, k: number) =>
  partitionOf(spaceOf(samples, product), assignment, k);

describe('partitionOf', () => {
  it('never raises the potential, knows it, and ends where no sample gains by moving', async () => {
    await fc.assert(
      fc.asyncProperty(gridPoints, fc.integer({ min: 1, max: 5 }), async (points, k) => {
        const samples = rounded(points);
        const partition = open(samples, start(points.n, k), k);
        let before = exactPotential(samples, partition);
        let moved = 1;
        for (let step = 0; step < 100 && moved > 0; step++) {
          moved = await partition.step();
          const after = exactPotential(samples, partition);
          expect(after).toBeLessThanOrEqual(before * (1 + 1e-12));
          expect(Math.abs(partition.potential() - after)).toBeLessThanOrEqual(1e-9 * (1 + totalNorm(samples)));
          before = after;
        }
        expect(moved).toBe(0);
        expect(Array.from(partition.counts).reduce((a, b) => a + b)).toBe(points.n);
        expectNoBetterMove(samples, partition);
      }),
    );
  });

  it('fills empty cells', async () => {
    const samples = rounded(cloud(150, 12, 5));
    const partition = open(samples, start(150, 1), 9);
    while ((await partition.step()) > 0);
    expect(Math.min(...partition.counts)).toBeGreaterThan(0);
    expectNoBetterMove(samples, partition);
  });

  it('finds the loss of merging two cells', () => {
    const samples = rounded(cloud(80, 5, 6));
    const before = open(samples, start(80, 4), 4);
    const merged = open(
      samples,
      before.assignment.map((c) => (c === 3 ? 1 : c)),
      4,
    );
    expect(before.mergingLoss(1, 3)).toBeCloseTo(merged.potential() - before.potential(), 4);
  });
});

const start = (n: number, k: number) => Int32Array.from({ length: n }, (_, i) => (i * 7) % k);

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

/** No single sample can change its cell and gain more than the rounding of means to the grid hides. */
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
      const unit = 2 ** Math.max(0, Math.ceil(Math.log2(Math.sqrt(samples.norms[i]!) / 4096)));
      const hidden = 2 * unit * Math.sqrt(samples.d * gain) + unit * unit * samples.d;
      expect(loss).toBeGreaterThanOrEqual(gain - hidden);
    }
  }
}
