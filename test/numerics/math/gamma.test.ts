import { describe, expect, it } from 'vitest';
import { chiSquareTail, logGamma, upperGamma } from '../../../src/numerics/math/gamma.ts';

describe('logGamma', () => {
  it.each([
    [0.5, 0.5723649429247],
    [3.5, 1.2009736023470743],
    [10, 12.801827480081469],
    [171.5, 709.1431630309283],
    [10_000, 82099.71749644238],
  ])('at %d is that of scipy 1.17.1', (x, expected) => {
    expect(logGamma(x) / expected).toBeCloseTo(1, 12);
  });

  it('goes up by log x from x to x + 1, below 1 too', () => {
    for (const x of [0.01, 0.3, 1, 7.7]) expect(logGamma(x + 1) - logGamma(x)).toBeCloseTo(Math.log(x), 11);
  });
});

describe('chiSquareTail', () => {
  it.each([
    [3.841458820694124, 1, 0.04999999999999989],
    [400, 1, 5.507248237212379e-89],
    [2.5, 9, 0.9808834914028134],
    [40, 9, 7.598525229464264e-6],
    [49, 49, 0.4731282956547652],
    [150, 49, 3.5574159128318413e-12],
    [1e-8, 1, 0.9999202115440526],
    [1200, 999, 1.112935044825893e-5],
  ])('of %d with %d degrees is that of scipy 1.17.1', (x, degrees, expected) => {
    expect(chiSquareTail(x, degrees) / expected).toBeCloseTo(1, 10);
  });

  it('is exponential with two degrees, falls from 1, and does not break where series and fraction meet', () => {
    for (const x of [0, 0.1, 3, 60]) expect(chiSquareTail(x, 2) / Math.exp(-x / 2)).toBeCloseTo(1, 12);
    const values = Array.from({ length: 400 }, (_, i) => upperGamma(5, i / 20));
    expect(values[0]).toBe(1);
    values.slice(1).forEach((value, i) => expect(value).toBeLessThan(values[i]!));
    expect(upperGamma(5, 6 - 1e-9) / upperGamma(5, 6 + 1e-9)).toBeCloseTo(1, 8);
  });
});
