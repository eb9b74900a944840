import { type CurvePoint } from '../curve.ts';
import { curvePlots, MOST_CLASSES } from './plots/curves.ts';
import { escape, signed } from './plots/svg.ts';
import { weightsMap, type WeightsMark } from './plots/weights-map.ts';

/** What the plots show of a class. */
export interface DiagnosedClass {
  name: string;
  k: number;
  w2Weighted: number;
  /** Of W2 against the same points with uniform weights, a fraction. */
  reduction: number;
  /** Of W2 against the balanced quantizer, a fraction; null where that was not compared. */
  reductionBalanced: number | null;
  ess: number;
  /** Null where it was not measured, or could not be. */
  intrinsicDimension: number | null;
  /** Its 95% interval. */
  intrinsicDimensionLow: number | null;
  intrinsicDimensionHigh: number | null;
  /** Of log W2 against log K; null where there are too few numbers of points. */
  slope: number | null;
  /** Its 95% interval. */
  slopeLow: number | null;
  slopeHigh: number | null;
  /** Null where it was not measured. */
  curve: CurvePoint[] | null;
}

/** The sections of the page with plots: what more points would bring, and where weights pay. Empty where nothing was measured. */
export function diagnostics(classes: readonly DiagnosedClass[]): string {
  return curveSection(classes) + mapSection(classes);
}

function curveSection(classes: readonly DiagnosedClass[]): string {
  const measured = classes.flatMap((row) => (row.curve === null ? [] : [{ ...row, curve: row.curve }]));
  if (measured.length === 0) return '';
  const plot = curvePlots(
    measured.map(({ name, curve, slope, k, w2Weighted }) => ({ name, curve, slope, chosen: { k, w2: w2Weighted } })),
  );
  const omitted =
    measured.length > MOST_CLASSES ? ` Shown are the first ${MOST_CLASSES} of ${measured.length} classes.` : '';
  const ladder = [...new Set(measured.flatMap(({ curve }) => curve.map(({ k }) => k)))].sort((a, b) => a - b);
  return `<section>
<h2>What more points would bring</h2>
<p class="muted">W2 of the latents to the best points found, by their number K, on logarithmic axes that all classes share: of the training latents, and of those that
the quantizer never saw (root of their mean squared distance). The best of two searches each, so the run's own codebook may lie a little below its curve.
For data of dimension d theory has slopes of −1/d; d is estimated from the two nearest neighbours of each latent.${omitted}</p>
${plot}
<table>
<thead><tr><th scope="col">Class</th><th scope="col">Slope of log W2 against log K, 95% interval</th><th scope="col">Intrinsic dimension d, 95% interval</th><th scope="col">−1/d</th><th scope="col">Largest spread over searches</th></tr></thead>
<tbody>
${measured.map(classRow).join('\n')}
</tbody>
</table>
<details><summary>As a table: W2 of the training latents</summary>
<table>
<thead><tr><th scope="col">Class</th>${ladder.map((k) => `<th scope="col">K = ${k}</th>`).join('')}</tr></thead>
<tbody>
${measured.map(({ name, curve }) => `<tr><th scope="row">${escape(name)}</th>${ladder.map((k) => cell(curve, k)).join('')}</tr>`).join('\n')}
</tbody>
</table>
</details>
</section>
`;
}

function classRow(row: DiagnosedClass & { curve: CurvePoint[] }): string {
  const { intrinsicDimension: d, intrinsicDimensionLow, intrinsicDimensionHigh } = row;
  const spread = Math.max(...row.curve.map((point) => point.spread));
  return (
    `<tr><th scope="row">${escape(row.name)}</th><td>${interval(row.slope, row.slopeLow, row.slopeHigh, 3)}</td>` +
    `<td>${interval(d, intrinsicDimensionLow, intrinsicDimensionHigh, 1)}</td><td>${d === null ? '' : signed(-1 / d, 3)}</td>` +
    `<td>${(100 * spread).toFixed(2)}%</td></tr>`
  );
}

function interval(value: number | null, low: number | null, high: number | null, digits: number): string {
  if (value === null || low === null || high === null) return 'not found';
  return `${signed(value, digits)} (${signed(low, digits)} to ${signed(high, digits)})`;
}

function cell(curve: readonly CurvePoint[], k: number): string {
  const point = curve.find((one) => one.k === k);
  return `<td>${point ? point.w2.toFixed(4) : ''}</td>`;
}

const UNIFORM = 'over the same points with uniform weights';
const BALANCED = 'over the balanced quantizer';

function mapSection(classes: readonly DiagnosedClass[]): string {
  const marks = (series: string, gain: (row: DiagnosedClass) => number | null): WeightsMark[] =>
    classes.flatMap((row) => {
      const value = gain(row);
      return value === null ? [] : [{ name: row.name, unevenness: 1 - row.ess / row.k, gain: value, series }];
    });
  const balanced = marks(BALANCED, (row) => row.reductionBalanced);
  const uniform = marks(UNIFORM, (row) => row.reduction);
  const series = balanced.length > 0 ? [BALANCED, UNIFORM] : [UNIFORM];
  if (classes.every(({ k }) => k === 1)) return '';
  return `<section>
<h2>Where weights pay</h2>
<p class="muted">What weights gain in W2 against how unevenly the samples lie in the cells. Uneven cells leave more to gain, most where the class has modes that lie apart.
${balanced.length > 0 ? 'The balanced quantizer is the best that uniform weights can do; the same points with uniform weights are a weaker opponent.' : 'Against the best points for uniform weights the gain is smaller than this.'}</p>
${weightsMap([...balanced, ...uniform], { series, gainOver: 'uniform weights', width: 1070, height: 400 })}
</section>
`;
}
