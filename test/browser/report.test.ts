import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createImageCodec } from '../../src/adapters/images/codec.ts';
import { createTextOutlines } from '../../src/adapters/images/text.ts';
import { contactSheet } from '../../src/pipeline/report/contact-sheet.ts';
import { reportPage } from '../../src/pipeline/report/page.ts';
import { BROWSER_MISSING, chromium, openTab, type Screen, type Tab } from '../support/browser.ts';
import { picture } from '../support/image-sources.ts';
import { skippedWithout } from '../support/needed.ts';
import { fullFigures } from '../support/report-figures.ts';
import { ROOT } from '../support/service-process.ts';

const program = await chromium();
const SCREENSHOTS = join(ROOT, 'node_modules/.cache/screenshots');
const K = 10;

const SCREENS: Record<string, Screen> = {
  light: { width: 1280, height: 900, scheme: 'light' },
  dark: { width: 1280, height: 900, scheme: 'dark' },
  narrow: { width: 360, height: 740, scheme: 'light' },
};

describe.skipIf(skippedWithout(program === null ? BROWSER_MISSING : null))('the report in a browser', () => {
  let tab: Tab;
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pushforward-report-'));
    tab = await openTab(program!);
  });
  afterAll(async () => {
    await tab?.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function pageOf(classes: number): Promise<string> {
    const figures = fullFigures(classes);
    const masses = figures.classes.map((_, c) => geometric(0.65 + (c % 6) / 20));
    const png = await picture(1);
    const text = createTextOutlines();
    const shown = figures.classes.map(({ name }, c) => ({
      name,
      points: Array.from(masses[c]!, (weight) => ({ png, weight })),
    }));
    const { svg, width } = contactSheet(figures.title, shown, text);
    const contactSheetPng = await createImageCodec().renderSvg(svg, width);
    const path = join(folder, `${classes}.html`);
    await writeFile(path, reportPage(figures, { contactSheetPng, masses }));
    return pathToFileURL(path).href;
  }

  describe.each([2, 10, 100])('of %i classes', (classes) => {
    let url: string;
    beforeAll(async () => {
      url = await pageOf(classes);
    });

    it.each(Object.keys(SCREENS))('fits a %s screen, is all there and can be read', async (name) => {
      const screen = SCREENS[name]!;
      await tab.open(url, screen);
      await tab.screenshot(join(SCREENSHOTS, `report-${classes}-${name}.png`));
      expect(tab.requests.filter((asked) => asked !== url && !asked.startsWith('data:'))).toEqual([]);
      expect(tab.complaints).toEqual([]);
      expect(await tab.read('document.documentElement.scrollWidth')).toBe(screen.width);
      expect(await tab.read('[...document.querySelectorAll("h2")].map((one) => one.textContent)')).toEqual([
        'What to look at',
        'Synthetic images and their weights',
        'Wasserstein-2 distance per class',
        'What the decoder did',
        'What more points would bring',
        'Where weights pay',
        'Weights of the points',
        'Classes',
        'What it took',
        'Where it comes from',
      ]);
      expect(await tab.read('document.querySelector("img").naturalWidth')).toBeGreaterThan(400);
      expect(await tab.read(PLOTS)).toEqual(Array(6).fill('told'));
      expect(await tab.read(CUT_TEXTS)).toEqual([]);
      expect(await tab.read(OVERLAPPING_TEXTS)).toEqual([]);
      expect(await tab.read(FAINT_TEXTS)).toEqual([]);
    });
  });
});

/** Masses that sum to 1, each so much smaller than the one before. */
function geometric(ratio: number): Float64Array {
  const weights = Float64Array.from({ length: K }, (_, i) => ratio ** i);
  const sum = weights.reduce((all, weight) => all + weight, 0);
  return weights.map((weight) => weight / sum);
}

const PLOTS = `[...document.querySelectorAll('svg')].map((plot) =>
  plot.getAttribute('role') === 'img' && plot.getAttribute('aria-label').length > 60 ? 'told' : plot.outerHTML.slice(0, 200))`;

/** Words that stick out of their plot. */
const CUT_TEXTS = `[...document.querySelectorAll('svg')].flatMap((plot) => {
  const all = plot.getBoundingClientRect();
  return [...plot.querySelectorAll('text')].filter((text) => {
    const box = text.getBoundingClientRect();
    return box.left < all.left - 1 || box.right > all.right + 1 || box.top < all.top - 1 || box.bottom > all.bottom + 1;
  }).map((text) => text.textContent);
})`;

/** Pairs of words of a plot that lie on one another. */
const OVERLAPPING_TEXTS = `[...document.querySelectorAll('svg')].flatMap((plot) => {
  const scale = plot.getBoundingClientRect().width / plot.viewBox.baseVal.width;
  const texts = [...plot.querySelectorAll('text')].map((text) => ({ text, box: text.getBoundingClientRect() }));
  const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 2 * scale
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 5 * scale;
  return texts.flatMap((one, i) => texts.slice(i + 1).filter((other) => over(one.box, other.box))
    .map((other) => one.text.textContent + ' / ' + other.text.textContent));
})`;

/** Words with less contrast than 4.5 to 1 (WCAG AA) to what stands behind them. */
const FAINT_TEXTS = `(() => {
  const rgb = (css) => css.match(/[\\d.]+/g).slice(0, 3).map(Number);
  const light = (css) => rgb(css).map((c) => c / 255).map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const { backgroundColor } = getComputedStyle(at);
      if (backgroundColor !== 'rgba(0, 0, 0, 0)') return backgroundColor;
    }
    return 'rgb(255, 255, 255)';
  };
  const found = new Set();
  for (const element of document.querySelectorAll('h1, h2, p, li, th, td, dt, dd, summary, code, .value, svg text')) {
    const style = getComputedStyle(element);
    const [a, b] = [light(element.closest('svg') ? style.fill : style.color), light(behind(element))].sort((x, y) => y - x);
    const contrast = (a + 0.05) / (b + 0.05);
    if (contrast < 4.5) found.add(element.tagName + ' ' + element.textContent.slice(0, 30) + ' ' + contrast.toFixed(2));
  }
  return [...found];
})()`;
