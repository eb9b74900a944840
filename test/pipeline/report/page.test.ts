import { describe, expect, it } from 'vitest';
import { createTextOutlines } from '../../../src/adapters/images/text.ts';
import { contactSheet } from '../../../src/pipeline/report/contact-sheet.ts';
import { type ReportFigures } from '../../../src/pipeline/report/figures.ts';
import { reportPage } from '../../../src/pipeline/report/page.ts';
import { classRow, SURVEYED } from '../../support/class-row.ts';
import { COMPARED, reportFigures } from '../../support/report-figures.ts';

const HOSTILE = `<script>alert("1")</script> & 'x'`;

const figures = (name: string): ReportFigures => reportFigures([classRow({ name })], name);
const PICTURED = { contactSheetPng: new Uint8Array([1, 2, 3]), masses: [[0.75, 0.25]] };

describe('the page', () => {
  it('shows what it is given as text, never as markup', () => {
    const page = reportPage(figures(HOSTILE), PICTURED);
    expect(page).not.toContain('<script');
    expect(page).toContain('&#60;script&#62;');
  });

  it('shows the figures, and a dash of words where nothing was held out', () => {
    const page = reportPage(figures('cat'), PICTURED);
    expect(page).toContain('<td>25.00%</td>');
    expect(page).toContain('none held out');
    expect(page).toContain(
      '<dd>1,000 images (2.5 MB) of 2 classes, from 400 (dog) to 600 (cat), 1.5 to 1, as even as 2.0 classes; duplicates: 3 within classes</dd>',
    );
    expect(page).toContain('<td>4.0</td><td>250</td><td>$0.00200</td>');
    expect(page).not.toContain('Teacher agrees');
    expect(page).not.toContain('Slope');
  });

  it('has what a survey found and how far teachers agree, where there are such figures', () => {
    const of = figures('cat');
    const classes = [
      classRow({ ...SURVEYED, restartSpread: null, teacherAgreement: 0.5 }),
      classRow({ name: 'dog', n: 3, k: 1 }),
    ];
    const page = reportPage({ ...of, classes }, { ...PICTURED, masses: [[0.75, 0.25], [1]] });
    expect(page).toContain(
      '<td>1,000</td><td>2</td><td>0</td><td>one ended</td><td>8.0 (7.0 to 9.0)</td>' +
        '<td>\u22120.150 (\u22120.200 to \u22120.100)</td><td>\u22120.125</td><td>50.00%</td>',
    );
    expect(page).toContain(
      '<th scope="row">dog</th><td>3</td><td>1</td><td>0</td><td>1.00%</td><td>not found</td><td>not found</td><td></td><td></td>',
    );
    const order = [
      'Synthetic images and',
      'Wasserstein-2 distance',
      'What more points',
      'Where weights pay',
      '<h2>Classes',
    ];
    const places = [...order, 'What it took'].map((title) => page.indexOf(title));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(places[0]).toBeGreaterThan(0);
  });
});

describe('the page of a run that was compared', () => {
  const compared = (more: object = {}, weights = { exponent: 1, refit: false }) => {
    const of = figures('cat');
    return reportPage({ ...of, weights, classes: [{ ...of.classes[0]!, ...COMPARED, ...more }] }, PICTURED);
  };

  it('has the baselines in table and plot, and their means', () => {
    const page = compared();
    expect(page).toContain('<td>1.6000</td><td>6.25%</td><td>2.500 \u00b1 0.100</td><td>40.00%</td>');
    expect(page).toContain('<tfoot><tr><th scope="row">Mean</th>');
    expect(page).toMatch(/<svg role="img" aria-label="[^"]*weighted 1\.500; balanced 1\.600; .*40\.0% below D4M/);
  });

  it('warns of images that lie on training images', () => {
    expect(compared()).toContain('Nothing stands out');
    const page = compared({ name: HOSTILE, nearestRatio: 0.1 });
    expect(page).toMatch(
      /class="warning"><strong>Images may be copies of training images<\/strong> in 1 of 1 class: &#60;script&#62;/,
    );
    expect(page).not.toContain('<script');
  });

  it('says which weights the dataset has', () => {
    expect(compared()).toContain("share of the class's samples");
    const page = compared({}, { exponent: 0.5, refit: true });
    expect(page).toContain('Weights are refitted on the decoded images');
    expect(page).toContain('exponent a = 0.5 of masses refitted on the decoded images');
  });

  it('leaves it out where nothing was compared', () => {
    const page = reportPage(figures('cat'), PICTURED);
    expect(page).not.toContain('W2 balanced');
    expect(page).not.toContain('What the decoder did');
    expect(page).toContain('aria-label="Bars of W2');
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
