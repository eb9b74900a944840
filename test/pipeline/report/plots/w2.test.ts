import { describe, expect, it } from 'vitest';
import { type ClassRow } from '../../../../src/pipeline/report/figures.ts';
import { w2Plot } from '../../../../src/pipeline/report/plots/w2.ts';
import { classRow } from '../../../support/class-row.ts';

const row = (name: string, w2: number, compared = true): ClassRow =>
  classRow({
    name,
    w2Weighted: w2,
    w2Uniform: w2 * 1.1,
    reduction: 1 - 1 / 1.1,
    ...(compared && {
      w2Balanced: w2 * 0.99,
      reductionBalanced: 1 - 1 / 0.99,
      w2D4mMean: w2 * 1.2,
      w2D4mDeviation: w2 / 20,
      reductionD4m: 1 - 1 / 1.2,
    }),
  });

/** Widths of the bars of a plot, in pixels. */
const bars = (svg: string) =>
  [...svg.matchAll(/<rect x="136" y="[\d.]+" width="([\d.]+)" height="[36]"/g)].map((found) => Number(found[1]));

describe('the plot of W2', () => {
  it('has a bar per class and quantizer, as long as the distance says', () => {
    const drawn = bars(w2Plot([row('a', 10), row('b', 5)]));
    expect(drawn).toHaveLength(8);
    const unit = drawn[0]! / 10;
    [10, 9.9, 11, 12, 5, 4.95, 5.5, 6].forEach((w2, i) => expect(drawn[i]! / unit).toBeCloseTo(w2, 1));
    expect(bars(w2Plot([row('a', 10, false)]))).toHaveLength(2);
  });

  it('grows with the classes and stays inside of its frame', () => {
    for (const classes of [1, 10, 100]) {
      const svg = w2Plot(Array.from({ length: classes }, (_, i) => row(`class ${i}`, 1 + i)));
      const [, width, height] = /viewBox="0 0 (\d+) ([\d.]+)"/.exec(svg)!.map(Number);
      for (const [, x] of svg.matchAll(/ (?:x|x1|x2|cx)="(-?[\d.]+)"/g)) {
        expect(Number(x)).toBeGreaterThanOrEqual(0);
        expect(Number(x)).toBeLessThanOrEqual(width!);
      }
      for (const [, y] of svg.matchAll(/ (?:y|y1|y2|cy)="(-?[\d.]+)"/g)) {
        expect(Number(y)).toBeGreaterThanOrEqual(0);
        expect(Number(y)).toBeLessThanOrEqual(height!);
      }
      for (const [, x, y] of svg.matchAll(/[ML](-?[\d.]+) (-?[\d.]+)/g)) {
        expect(Number(x)).toBeLessThanOrEqual(width!);
        expect(Number(x)).toBeGreaterThanOrEqual(0);
        expect(Number(y)).toBeLessThanOrEqual(height!);
        expect(Number(y)).toBeGreaterThanOrEqual(0);
      }
      expect(bars(svg)).toHaveLength(4 * classes);
    }
  });

  it('shows names as text, shortened, and takes distances of zero', () => {
    const svg = w2Plot([row('<b>&"a very long name of a class', 0)]);
    expect(svg).not.toContain('<b>');
    expect(svg).toContain('<title>&#60;b&#62;&#38;&#34;a very long name of a class</title>');
    expect(svg).not.toContain('NaN');
  });
});
