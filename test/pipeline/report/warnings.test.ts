import { expect, it } from 'vitest';
import { warningsSection } from '../../../src/pipeline/report/warnings.ts';
import { classRow } from '../../support/class-row.ts';
import { COMPARED } from '../../support/report-figures.ts';

const fine = (name: string, more: object = {}) => classRow({ ...COMPARED, name, ...more });
const warnings = (...rows: ReturnType<typeof fine>[]) =>
  [...warningsSection(rows).matchAll(/<li class="warning">([^]*?)<\/li>/g)].map((match) => match[1]!);

it('says that nothing stands out, and what was looked at', () => {
  const html = warningsSection([fine('a')]);
  expect(html).toContain('Nothing stands out.');
  expect(html).toMatch(/above 1\.5 times.*below 0\.35 of.*more than 5\.00% of the distortion/);
  expect(html).not.toContain('could not be');
});

it.each([
  ['a prior that draws something else', { w2Decoded: 3 }, /The prior draws.*: bad \(2\.00 times\)\..*weights\.refit/s],
  ['copies of training images', { nearestRatio: 0.2 }, /may be copies.*: bad \(0\.20\)\..*decoder\.strength/s],
  ['searches that end apart', { restartSpread: 0.07 }, /ended apart.*: bad \(7\.00%\)\..*quantizer\.restarts/s],
])('warns of %s', (_, more, message) => {
  const [found, ...others] = warnings(fine('a'), fine('bad', more), fine('c'));
  expect(others).toEqual([]);
  expect(found).toMatch(message);
  expect(found).toContain('in 1 of 3 classes');
});

it('names the worst first, not more than can be read, and as text', () => {
  const rows = Array.from({ length: 30 }, (_, i) =>
    fine(i === 29 ? '<i>' : `c${i}`, { restartSpread: 0.06 + i / 1000 }),
  );
  const [found] = warnings(...rows);
  expect(found).toMatch(/in 30 of 30 classes: &#60;i&#62; \(8\.90%\), c28 \(8\.80%\), .* and 22 more\./);
});

it('does not judge what was not measured', () => {
  const html = warningsSection([classRow({ restartSpread: null })]);
  expect(html).toContain('Nothing could be looked at');
  expect(warningsSection([classRow()])).toMatch(/Looked at: restarts.*could not be/s);
});
