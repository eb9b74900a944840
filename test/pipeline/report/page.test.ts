import { describe, expect, it } from 'vitest';
import { createTextOutlines } from '../../../src/adapters/images/text.ts';
import { classBalance } from '../../../src/pipeline/dataset/balance.ts';
import { contactSheet } from '../../../src/pipeline/report/contact-sheet.ts';
import { reportPage, type ReportFigures } from '../../../src/pipeline/report/page.ts';

const HOSTILE = `<script>alert("1")</script> & 'x'`;

const figures = (name: string): ReportFigures => ({
  title: name,
  datasetVersion: {
    digest: 'd',
    images: 1000,
    bytes: 2_500_000,
    balance: classBalance([
      { name, images: 600 },
      { name: 'dog', images: 400 },
    ]),
    duplicates: { withinClass: 3, acrossClasses: 0 },
  },
  prior: { id: 'p', name, version: '1', license: name },
  classes: [
    {
      name,
      n: 1000,
      k: 2,
      w2Weighted: 1.5,
      w2Uniform: 2,
      reduction: 0.25,
      ess: 1.6,
      heldoutN: 0,
      heldoutW2: null,
      restartSpread: 0.01,
      intrinsicDimension: 12.34,
      intrinsicDimensionLow: 11.5,
      intrinsicDimensionHigh: 13.21,
      reductionBalanced: null,
      slope: -0.161,
      slopeLow: -0.182,
      slopeHigh: -0.139,
      curve: null,
      teacherAgreement: null,
    },
  ],
  stages: [{ name: 'encode', artifacts: 1, items: 1000, seconds: 4, costUsd: 0.002 }],
  images: 2,
  weightExponent: 1,
  recipe: { note: name },
});

describe('the page', () => {
  it('shows what it is given as text, never as markup', () => {
    const page = reportPage(figures(HOSTILE), new Uint8Array([1, 2, 3]));
    expect(page).not.toContain('<script');
    expect(page).toContain('&#60;script&#62;');
  });

  it('shows the figures, and a dash of words where nothing was held out', () => {
    const page = reportPage(figures('cat'), new Uint8Array([1, 2, 3]));
    expect(page).toContain('<td>25.00%</td>');
    expect(page).toContain('none held out');
    expect(page).toContain(
      '<dd>1,000 images (2.5 MB) of 2 classes, from 400 (dog) to 600 (cat), 1.5 to 1, as even as 2 classes; duplicates: 3 within classes</dd>',
    );
    expect(page).toContain('<td>4.0</td><td>250.0</td><td>$0.00200</td>');
    expect(page).not.toContain('Teacher agrees');
  });
});

describe('the contact sheet', () => {
  const point = (weight: number) => ({ png: new Uint8Array([weight * 100]), weight });
  const sheet = (k: number) =>
    contactSheet(HOSTILE, [{ name: HOSTILE, points: Array.from({ length: k }, (_, i) => point((i + 1) / 100)) }], text);
  const text = createTextOutlines();

  it('draws every image once, heaviest first, with outlines alone', () => {
    const { svg } = sheet(10);
    const drawn = [...svg.matchAll(/base64,([^"]+)"/g)].map((match) => Buffer.from(match[1]!, 'base64')[0]);
    expect(drawn).toEqual([10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    expect(svg).not.toMatch(/<text|<script/);
  });

  it.each([
    [10, 500],
    [100, 50],
    [1000, 10],
    [1000, 300],
  ])('of %i classes with %i points stays below what renderers take, and says what it leaves out', (c, k) => {
    const points = Array.from({ length: k }, (_, i) => point((i + 1) / (k * k)));
    const classes = Array.from({ length: c }, (_, i) => ({ name: `class ${i}`, points }));
    const said: string[] = [];
    const spy = { path: (line: string) => (said.push(line), '') };
    const { svg, height } = contactSheet('title', classes, spy);
    expect(2 * height).toBeLessThanOrEqual(32_767);
    const drawn = svg.match(/<image/g)!.length;
    expect(said.some((line) => line.startsWith('Showing '))).toBe(drawn < c * k);
    expect(drawn).toBeGreaterThan(1000);
  });

  it('wraps many points and grows downwards', () => {
    expect(sheet(45).width).toBe(sheet(20).width);
    expect(sheet(45).height).toBeGreaterThan(sheet(20).height);
  });
});
