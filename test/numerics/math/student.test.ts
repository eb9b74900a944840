import { describe, expect, it } from 'vitest';
import { normalQuantile } from '../../../src/numerics/math/normal.ts';
import { studentQuantile } from '../../../src/numerics/math/student.ts';

describe('studentQuantile', () => {
  it.each([
    [0.975, 1, 12.706204736174694],
    [0.975, 2, 4.302652729749462],
    [0.975, 3, 3.1824463052837078],
    [0.995, 4, 4.604094871349992],
    [0.9, 7, 1.4149239276505086],
    [0.05, 12, -1.7822875556493194],
    [0.975, 30, 2.0422724563012378],
  ])('at %d with %d degrees is that of scipy 1.17.1', (p, degrees, expected) => {
    expect(studentQuantile(p, degrees) / expected).toBeCloseTo(1, 12);
  });

  it('is zero in the middle, odd about it, and near the normal one with many degrees', () => {
    expect(studentQuantile(0.5, 5)).toBe(0);
    expect(studentQuantile(0.2, 5)).toBeCloseTo(-studentQuantile(0.8, 5), 12);
    expect(studentQuantile(0.9, 100_001)).toBeCloseTo(normalQuantile(0.9), 4);
  });
});
