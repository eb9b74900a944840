import { describe, expect, it } from 'vitest';
import { assertPoints } from '../../../src/numerics/math/points.ts';
import { softmax } from '../../../src/numerics/math/softmax.ts';
import { deviation, mean, median, sum } from '../../../src/numerics/math/sum.ts';
import { pointsOf } from '../support.ts';

describe('sum', () => {
  it('keeps what plain summation loses', () => {
    expect(sum([1, 1e100, 1, -1e100])).toBe(2);
    expect(sum(new Float64Array(10_000).fill(0.1))).toBe(1000);
    expect(sum([])).toBe(0);
    expect(mean([1, 2, 6])).toBe(3);
  });
});

describe('deviation and median', () => {
  it('are those of a sample', () => {
    expect(deviation([2, 4, 4, 4, 5, 5, 7, 9])).toBeCloseTo(Math.sqrt(32 / 7), 12);
    expect(deviation([3])).toBe(0);
    expect(median([9, 10, 1])).toBe(9);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([5])).toBe(5);
  });
});

describe('assertPoints', () => {
  it('names row and column of the first value that is not finite', () => {
    const points = pointsOf([
      [1, 2],
      [3, NaN],
      [Infinity, 0],
    ]);
    expect(() => assertPoints(points, 'latents')).toThrow(
      'expected finite latents, got NaN at index 3 (row 1, column 1)',
    );
  });

  it('refuses shapes that do not fit', () => {
    expect(() => assertPoints({ values: new Float32Array(5), n: 2, d: 3 }, 'latents')).toThrow(
      '(2, 3), 6 values, got 5',
    );
    expect(() => assertPoints({ values: new Float32Array(0), n: 0, d: 3 }, 'latents')).toThrow('got (0, 3)');
  });
});

describe('softmax', () => {
  it('sums to 1, keeps ratios exp(difference / temperature), and does not overflow', () => {
    const p = softmax([1, 3, 2], 2);
    expect(sum(p)).toBeCloseTo(1, 14);
    expect(p[1]! / p[0]!).toBeCloseTo(Math.exp(1), 12);
    expect(Array.from(softmax([1000, 1000, -1000]))).toEqual([0.5, 0.5, 0]);
    expect(() => softmax([1], 0)).toThrow('temperature > 0');
  });
});
