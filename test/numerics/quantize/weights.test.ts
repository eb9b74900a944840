import { describe, expect, it } from 'vitest';
import { sum } from '../../../src/numerics/math/sum.ts';
import { effectiveSampleSize, trainingWeights } from '../../../src/numerics/quantize/weights.ts';

const masses = [
  [0.5, 0.3, 0.2],
  [0.1, 0.9],
];

describe('effectiveSampleSize', () => {
  it('is the number of equal weights, 1 for one alone, and free of scale', () => {
    expect(effectiveSampleSize([0.25, 0.25, 0.25, 0.25])).toBeCloseTo(4, 14);
    expect(effectiveSampleSize([0, 1, 0])).toBe(1);
    expect(effectiveSampleSize([3, 6])).toBeCloseTo(1.8, 14);
  });

  it.each([[[0, 0]], [[-1, 2]], [[NaN]], [[]]])('refuses %j', (weights) => {
    expect(() => effectiveSampleSize(weights)).toThrow(/expected/);
  });
});

describe('trainingWeights', () => {
  it.each([0, 0.5, 1])('has mean 1 over all points and the classes their shares, a = %d', (exponent) => {
    const weights = trainingWeights(masses, { exponent, classShares: [0.6, 0.4] });
    expect(sum(weights.map(sum))).toBeCloseTo(5, 12);
    expect(sum(weights[0]!)).toBeCloseTo(3, 12);
    expect(weights[0]![0]! / weights[0]![1]!).toBeCloseTo((5 / 3) ** exponent, 12);
  });

  it('is 1 everywhere for one point per class in balanced classes, and at a = 0 with equal K', () => {
    expect(trainingWeights([[1], [1], [1]], { exponent: 1 }).map((w) => w[0])).toEqual([1, 1, 1]);
    expect(Array.from(trainingWeights([[0.9, 0.1, 0]], { exponent: 0 })[0]!)).toEqual([1, 1, 1]);
  });

  it('refuses shares that are no distribution', () => {
    expect(() => trainingWeights(masses, { exponent: 1, classShares: [1, 1] })).toThrow('sum to 1, got 2');
    expect(() => trainingWeights(masses, { exponent: 1, classShares: [1] })).toThrow('expected 2 class shares');
    expect(() => trainingWeights(masses, { exponent: 2 })).toThrow('exponent from 0 to 1');
    expect(() => trainingWeights([[0, 0]], { exponent: 1 })).toThrow('masses of class 0 with a positive sum');
  });
});
