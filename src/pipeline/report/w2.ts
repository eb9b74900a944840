import { type ClassRow, comparedRows, type ComparedRow } from './figures.ts';
import { escape, folded, mean, percent, scrolled, table } from './html.ts';
import { w2Plot } from './plots/w2.ts';

/** W2 of every class, as a plot and as a table: of the weighted points, and of what they are compared with. */
export function w2Section(rows: readonly ClassRow[]): string {
  const compared = comparedRows(rows);
  return `<section>
<h2>Wasserstein-2 distance per class</h2>
<p class="muted">Between the training latents and the codebook, by exact transport. <em>Weighted</em>: with its weights. <em>Uniform</em>: the same points weighted
uniformly. ${compared ? COMPARED : ''}Reductions are 1&nbsp;&minus;&nbsp;weighted&nbsp;/&nbsp;other. Held-out: samples the quantizer never saw. ESS: effective sample size of the weights, in points.</p>
${scrolled(w2Plot(rows))}
${folded(rows.length, w2Table(rows, compared))}
</section>`;
}

const COMPARED =
  '<em>Balanced</em>: the best points found for uniform weights. <em>D4M</em>: its quantizer, with uniform weights; mean and standard deviation over shuffles. ';

function w2Table(rows: readonly ClassRow[], compared: readonly ComparedRow[] | null): string {
  const columns: Column[] = [
    ['W2 weighted', (row) => row.w2Weighted, fixed],
    ['W2 uniform', (row) => row.w2Uniform, fixed],
    ['Reduction', (row) => row.reduction, percent],
    ...(compared ? COMPARED_COLUMNS : []),
    ['ESS', (row) => row.ess, (value) => value.toFixed(1)],
  ];
  const heldOut = (row: ClassRow) => (row.heldoutW2 === null ? 'none held out' : fixed(row.heldoutW2));
  const allHeldOut = rows.every((row) => row.heldoutW2 !== null);
  return table(
    ['Class', 'K', ...columns.map(([title]) => title), 'W2 held-out'],
    rows.map((row) => [
      escape(row.name),
      String(row.k),
      ...columns.map(([, of, shown]) => shown(of(row as ComparedRow), row as ComparedRow)),
      heldOut(row),
    ]),
    [
      'Mean',
      '',
      ...columns.map(([, of, shown]) => shown(mean(rows, (row) => of(row as ComparedRow)))),
      allHeldOut ? fixed(mean(rows, (row) => row.heldoutW2!)) : '',
    ],
  );
}

/** Title, value, and how it is written: of one class, or of the mean over classes. */
type Column = [title: string, of: (row: ComparedRow) => number, shown: (value: number, row?: ComparedRow) => string];

const fixed = (value: number): string => value.toFixed(4);

const COMPARED_COLUMNS: Column[] = [
  ['W2 balanced', (row) => row.w2Balanced, fixed],
  ['Reduction', (row) => row.reductionBalanced, percent],
  [
    'W2 D4M',
    (row) => row.w2D4mMean,
    (value, row) => (row ? `${value.toFixed(3)} \u00b1 ${row.w2D4mDeviation.toFixed(3)}` : value.toFixed(3)),
  ],
  ['Reduction', (row) => row.reductionD4m, percent],
];
