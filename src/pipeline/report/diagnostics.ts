import { type CurvePoint } from '../curve.ts';
import { BALANCED, UNIFORM } from './colors.ts';
import { type ClassRow } from './figures.ts';
import { escape, percent, scrolled, table } from './html.ts';
import { curvePlots } from './plots/curves.ts';
import { MOST_CLASSES } from './plots/panels.ts';
import { PAGE_WIDTH } from './plots/svg.ts';
import { weightsMap, type WeightsMark } from './plots/weights-map.ts';

/** The sections of the page with plots: what more points would bring, and where weights pay. Empty where nothing was measured. */
export function diagnostics(classes: readonly ClassRow[]): string {
  return curveSection(classes) + mapSection(classes);
}

/** A class that was surveyed. */
type Measured = ClassRow & { curve: CurvePoint[] };

function curveSection(classes: readonly ClassRow[]): string {
  const measured = classes.flatMap((row) => (row.curve === null ? [] : [{ ...row, curve: row.curve }]));
  if (measured.length === 0) return '';
  const plot = curvePlots(
    measured.map(({ name, curve, slope, k, w2Weighted }) => ({ name, curve, slope, chosen: { k, w2: w2Weighted } })),
  );
  const omitted =
    measured.length > MOST_CLASSES ? ` Shown are the first ${MOST_CLASSES} of ${measured.length} classes.` : '';
  return `<section>
<h2>What more points would bring</h2>
<p class="muted">W2 of the latents to the best points found, by their number K, on logarithmic axes that all classes share: of the training latents, and of those that
the quantizer never saw (root of their mean squared distance). The best of two searches each, so the run's own codebook may lie a little below its curve.
For data of dimension d theory has slopes of &minus;1/d.${omitted}</p>
${scrolled(plot)}
<details><summary>As a table: W2 of the training latents, and how far searches ended apart</summary>
${curveTable(measured)}
</details>
</section>
`;
}

function curveTable(measured: readonly Measured[]): string {
  const ladder = [...new Set(measured.flatMap(({ curve }) => curve.map(({ k }) => k)))].sort((a, b) => a - b);
  return table(
    ['Class', ...ladder.map((k) => `K = ${k}`), 'Largest spread'],
    measured.map(({ name, curve }) => [
      escape(name),
      ...ladder.map((k) => curve.find((point) => point.k === k)?.w2.toFixed(4) ?? ''),
      percent(Math.max(...curve.map(({ spread }) => spread))),
    ]),
  );
}

const OVER_UNIFORM = { name: 'over the same points with uniform weights', color: UNIFORM };
const OVER_BALANCED = { name: 'over the balanced quantizer', color: BALANCED };

function mapSection(classes: readonly ClassRow[]): string {
  const marks = ({ name: series }: { name: string }, gain: (row: ClassRow) => number | null): WeightsMark[] =>
    classes.flatMap((row) => {
      const value = gain(row);
      return value === null ? [] : [{ name: row.name, unevenness: 1 - row.ess / row.k, gain: value, series }];
    });
  const balanced = marks(OVER_BALANCED, (row) => row.reductionBalanced ?? null);
  const uniform = marks(OVER_UNIFORM, (row) => row.reduction);
  const series = balanced.length > 0 ? [OVER_BALANCED, OVER_UNIFORM] : [OVER_UNIFORM];
  if (classes.every(({ k }) => k === 1)) return '';
  return `<section>
<h2>Where weights pay</h2>
<p class="muted">What weights gain in W2 against how unevenly the samples lie in the cells. Uneven cells leave more to gain, most where the class has modes that lie apart.
${balanced.length > 0 ? 'The balanced quantizer is the best that uniform weights can do; the same points with uniform weights are a weaker opponent.' : 'Against the best points for uniform weights the gain is smaller than this.'}</p>
${scrolled(weightsMap([...balanced, ...uniform], { series, gainOver: 'uniform weights', width: PAGE_WIDTH, height: 400 }))}
</section>
`;
}
