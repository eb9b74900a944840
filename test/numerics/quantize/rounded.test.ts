import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ROW_NORM, rounded } from '../../../src/numerics/quantize/rounded.ts';
import { cloud, gridPoints, pointsOf, squared } from '../support.ts';

describe('rounded', () => {
  it('gives rows whose dot products need no more than 24 bits on their way', () => {
    fc.assert(
      fc.property(gridPoints, fc.integer({ min: 0, max: 1e6 }), (points, far) => {
        points.values[0]! *= far;
        const { values, norms, n, d } = rounded(points);
        norms.forEach((norm, i) => {
          const row = Array.from(values.subarray(i * d, (i + 1) * d));
          expect(norm).toBe(row.reduce((total, x) => total + x * x, 0));
          const unit = 2 ** Math.max(0, Math.ceil(Math.log2(Math.sqrt(norm) / ROW_NORM)));
          expect(row.every((x) => Number.isInteger(x / unit))).toBe(true);
        });
        for (let i = 0; i < n; i++)
          for (let e = 0; e < n; e++) {
            let exact = 0;
            let float = 0;
            for (let j = d - 1; j >= 0; j--) {
              exact += values[i * d + j]! * values[e * d + j]!;
              float = Math.fround(float + Math.fround(values[i * d + j]! * values[e * d + j]!));
            }
            expect(float).toBe(exact);
          }
      }),
    );
  });

  it('keeps distances to about d / 12 in squared units of the grid', () => {
    const points = cloud(60, 40);
    const grid = rounded(points);
    expect(Math.sqrt(Math.max(...grid.norms))).toBeGreaterThan(ROW_NORM / 2);
    let error = 0;
    for (let i = 1; i < 60; i++) {
      const exact = Math.sqrt(squared(points, 0, points, i)) * grid.scale;
      error = Math.max(error, Math.abs(Math.sqrt(squared(grid, 0, grid, i)) - exact));
    }
    expect(error).toBeLessThan(Math.sqrt(40));
  });

  it('sees the rest of the samples beside outliers, however far these are', () => {
    const rows = Array.from({ length: 120 }, (_, i) => [i % 2 ? 1 : -1, 0.01 * (i % 5)]);
    for (const far of [100, 1e12, 1e37]) {
      const { norms, values } = rounded(pointsOf([...rows, [far, 0]]));
      expect(norms[120]).toBeGreaterThan(1e3 * norms[0]!);
      expect(Math.abs(values[0]! - values[2]!)).toBeGreaterThan(1000);
      expect(values.every(Number.isFinite)).toBe(true);
    }
  });

  it('takes equal samples, and one', () => {
    expect(Array.from(rounded(pointsOf([[3, 4]])).values)).toEqual([0, 0]);
    expect(rounded(pointsOf(new Array<number[]>(9).fill([1e30, -1e30]))).norms.every((norm) => norm === 0)).toBe(true);
  });
});
