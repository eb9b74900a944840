import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { diagnostics } from '../../../../src/pipeline/report/diagnostics.ts';
import { curvePlots, type ClassCurve } from '../../../../src/pipeline/report/plots/curves.ts';
import { MOST_CLASSES } from '../../../../src/pipeline/report/plots/panels.ts';
import { enclosingScale, linearScale, logScale } from '../../../../src/pipeline/report/plots/scale.ts';
import { weightsPlot } from '../../../../src/pipeline/report/plots/weights.ts';
import { weightsMap } from '../../../../src/pipeline/report/plots/weights-map.ts';
import { classRow, CURVE as curve, SURVEYED } from '../../../support/class-row.ts';

const HOSTILE = `<script>alert("1")</script> & 'x'`;
const classCurve = (name: string): ClassCurve => ({ name, curve, slope: -0.15, chosen: { k: 4, w2: 2.4 } });

describe('a scale', () => {
  const domain = fc
    .tuple(fc.double({ min: 1e-6, max: 1e6, noNaN: true }), fc.double({ min: 1.01, max: 1e5, noNaN: true }))
    .map(([low, factor]): [number, number] => [low, low * factor]);

  it.each([
    ['linear', linearScale],
    ['logarithmic', logScale],
  ])('that is %s puts its domain on its range, and rising ticks within', (_name, scale) => {
    fc.assert(
      fc.property(domain, ([low, high]) => {
        const of = scale([low, high], [100, 20]);
        expect(of(low)).toBeCloseTo(100, 9);
        expect(of(high)).toBeCloseTo(20, 9);
        expect(of.ticks.length).toBeGreaterThanOrEqual(2);
        expect(of.ticks.length).toBeLessThanOrEqual(12);
        of.ticks.forEach((tick, i) => {
          if (i > 0) expect(tick).toBeGreaterThan(of.ticks[i - 1]!);
          expect(tick).toBeGreaterThanOrEqual(low * (1 - 1e-9));
          expect(tick).toBeLessThanOrEqual(high * (1 + 1e-9));
        });
      }),
    );
  });
});

describe('a scale around values', () => {
  it.each([
    [
      [0, 14.7],
      ['0', '5', '10', '15'],
    ],
    [
      [0, 0.034],
      ['0.00', '0.01', '0.02', '0.03', '0.04'],
    ],
    [
      [-1.2, 3],
      ['\u22122', '\u22121', '0', '1', '2', '3'],
    ],
    [
      [0, 0],
      ['0.0', '0.2'],
    ],
  ])('of %j ends at round ticks', (values, labels) => {
    const scale = enclosingScale(values, [100, 200], 5);
    expect(scale.ticks.map(scale.label)).toEqual(labels);
    expect([scale(scale.ticks[0]!), scale(scale.ticks.at(-1)!)]).toEqual([100, 200]);
    for (const value of values) {
      expect(scale(value)).toBeGreaterThanOrEqual(100);
      expect(scale(value)).toBeLessThanOrEqual(200);
    }
  });
});

describe('the plot of curves', () => {
  const panels = (svg: string) => svg.match(/<g transform/g)?.length ?? 0;

  it.each([1, 2, 10, 100])('has a panel for each of %i classes, side by side and without overlap', (c) => {
    const svg = curvePlots(Array.from({ length: c }, (_, i) => classCurve(`class ${i}`)));
    const [, width] = /width="(\d+)"/.exec(svg)!;
    const places = [...svg.matchAll(/translate\((\d+) (\d+)\)/g)].map((match) => match.slice(1).join(' '));
    expect(new Set(places).size).toBe(c);
    expect(places.every((place) => Number(place.split(' ')[0]) < Number(width))).toBe(true);
    expect(svg).toContain(`aria-label="W2 against the number of points K for ${c} classes`);
  });

  it('says which classes it leaves out, and shows names as text', () => {
    const svg = curvePlots(Array.from({ length: MOST_CLASSES + 7 }, (_, i) => classCurve(i === 0 ? HOSTILE : `${i}`)));
    expect(panels(svg)).toBe(MOST_CLASSES);
    expect(svg).toContain(`the first ${MOST_CLASSES} of ${MOST_CLASSES + 7} classes`);
    expect(svg).not.toContain('<script');
  });

  it('takes classes that their points reproduce exactly, and has no number that is none', () => {
    const exact = curve.map((point, i) => (i > 1 ? { ...point, distortion: 0, w2: 0, heldoutDistortion: 0 } : point));
    const svg = curvePlots([
      { ...classCurve('a'), curve: exact, slope: null, chosen: { k: 9, w2: 0 } },
      classCurve('b'),
    ]);
    expect(svg).not.toMatch(/NaN|Infinity/);
    expect(panels(svg)).toBe(2);
    const none = curve.map((point) => ({ ...point, distortion: 0, w2: 0, heldoutDistortion: null }));
    expect(curvePlots([{ ...classCurve('a'), curve: none, chosen: { k: 1, w2: 0 } }])).toBe('');
  });
});

describe('the map of where weights pay', () => {
  it('draws a mark for each, higher for more gain and further right for more unevenness', () => {
    const marks = [
      { name: 'even', unevenness: 0.05, gain: 0.01, series: 's' },
      { name: HOSTILE, unevenness: 0.5, gain: 0.2, series: 's' },
      { name: 'other', unevenness: 0.5, gain: -0.01, series: 't' },
    ];
    const svg = weightsMap(marks, {
      series: [
        { name: 's', color: 'red' },
        { name: 't', color: 'blue' },
      ],
      gainOver: 'uniform weights',
    });
    const filled = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)" r="4"/g)].map((match) =>
      match.slice(1).map(Number),
    );
    const [, uneven, even] = filled;
    expect(filled).toHaveLength(3); // one is the legend's
    expect(uneven![0]).toBeGreaterThan(even![0]!);
    expect(uneven![1]).toBeLessThan(even![1]!);
    expect(svg).not.toContain('<script');
    expect(svg).toContain('s: 1.0% to 20.0%, t: -1.0% to -1.0%');
  });
});

describe('the sections of diagnostics', () => {
  const row = classRow({ k: 4, w2Weighted: 2.4, ess: 3, ...SURVEYED });

  it('are the curves with their numbers and the map', () => {
    const html = diagnostics([row]);
    expect(html).toContain('<th scope="col">K = 10</th><th scope="col">Largest spread</th>');
    expect(html).toContain('<th scope="row">cat</th><td>3.0000</td>');
    expect(html).toContain('<td>10.00%</td>');
    expect(html).toContain('smaller than this');
    expect(html).not.toMatch(/https?:|href=|src=/);
    expect(diagnostics([{ ...row, reductionBalanced: 0.01 }])).toContain('over the balanced quantizer');
  });

  it('are no more than was measured', () => {
    expect(diagnostics([{ ...row, curve: null }])).not.toContain('What more points');
    expect(diagnostics([{ ...row, curve: null, k: 1 }])).toBe('');
  });
});

describe('the plot of weights', () => {
  it.each([1, 3, 100, 130])('has a panel for each of %i classes, a hundred at most, and says what it shows', (c) => {
    const classes = Array.from({ length: c }, (_, i) => ({
      name: i === 0 ? HOSTILE : `${i}`,
      weights: [0.1, 0.7, 0.2],
    }));
    const svg = weightsPlot(classes);
    expect(svg.match(/<g transform/g)).toHaveLength(Math.min(c, 100));
    expect(svg).toContain('The heaviest has 2.1 times that.');
    expect(svg).toContain(c > 100 ? 'the first 100 of 130 classes' : `of ${c} classes`);
    expect(svg).not.toMatch(/NaN|<script/);
  });

  it('has one bar for each point, and no more than pixels of many', () => {
    const bars = (k: number) =>
      weightsPlot([{ name: 'a', weights: new Float64Array(k).fill(1 / k) }]).match(/V[\d.]+H[\d.]+V[\d.]+z/g)!.length;
    expect([bars(2), bars(30)]).toEqual([2, 30]);
    expect(bars(5000)).toBeLessThan(500);
  });
});
