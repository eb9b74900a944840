import { decodedSection } from './decoded.ts';
import { diagnostics } from './diagnostics.ts';
import { type ClassRow, comparedRows, type ReportFigures, type StageRow } from './figures.ts';
import { count, dollars, escape, folded, interval, mean, percent, scrolled, signed, sum, table } from './html.ts';
import { describeMadeFrom } from './made.ts';
import { lineagePlot } from './plots/lineage.ts';
import { MOST_CLASSES } from './plots/panels.ts';
import { timelinePlot } from './plots/timeline.ts';
import { weightsPlot, type ClassWeights } from './plots/weights.ts';
import { STYLE } from './style.ts';
import { PAUSE_SECONDS } from './timeline.ts';
import { w2Section } from './w2.ts';
import { warningsSection } from './warnings.ts';

/** What the page shows beside its figures. */
export interface Pictured {
  contactSheetPng: Uint8Array;
  /** Masses of the points of each class, in the order of the classes. */
  masses: readonly ArrayLike<number>[];
}

/** One self-contained HTML page: no script, no font and no picture from elsewhere. */
export function reportPage(figures: ReportFigures, { contactSheetPng, masses }: Pictured): string {
  const { classes, stages } = figures;
  const compared = comparedRows(classes);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escape(figures.title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${escape(figures.title)}</h1>
<p class="muted">Dataset distilled by optimal quantization with the prior ${escape(figures.prior.name)} ${escape(figures.prior.version)}</p>
</header>
<main>
<section class="tiles" aria-label="Summary">
${tile('Images in', count(figures.datasetVersion.images))}
${tile('Synthetic images', count(figures.images))}
${tile('Kept', percent(figures.images / figures.datasetVersion.images))}
${tile('W2, mean over classes', mean(classes, (row) => row.w2Weighted).toFixed(4))}
${tile('Reduction by weights', percent(mean(classes, (row) => row.reduction)))}
${tile('Compute cost', dollars(sum(stages, (row) => row.costUsd)))}
</section>
${warningsSection(classes)}
<section>
<h2>Synthetic images and their weights</h2>
<p class="muted">A row per class, heaviest point first. ${
    figures.weights.refit
      ? 'Weights are refitted on the decoded images: those that bring them nearest to the training latents in energy distance.'
      : "A weight is the share of the class's samples in the point's Voronoi cell."
  }</p>
<div class="scroll tall"><img class="sheet" alt="Contact sheet: ${count(figures.images)} synthetic images of ${classes.length} classes with their weights" src="data:image/png;base64,${Buffer.from(contactSheetPng).toString('base64')}"></div>
</section>
${w2Section(classes)}
${compared ? decodedSection(compared, figures.weights.refit) : ''}
${diagnostics(classes)}${weightsSection(classes, masses)}${classesSection(classes)}
<section>
<h2>What it took</h2>
<p class="muted">Seconds and cost of the attempts that made these artifacts. A later run that reuses them pays nothing for them.${figures.timeline ? TIMELINE_NOTE : ''}</p>
${tookPlot(figures)}${stagesTable(stages)}
</section>
<section>
<h2>Where it comes from</h2>
${scrolled(lineagePlot(figures.lineage, lineageWords(figures)))}
<dl>
<dt>Dataset version</dt><dd><code>${escape(figures.datasetVersion.digest)}</code></dd>
<dt>Its images</dt><dd>${escape(describeMadeFrom(figures.datasetVersion))}</dd>
<dt>Prior</dt><dd>${escape(figures.prior.name)} ${escape(figures.prior.version)} (${escape(figures.prior.license)}), <code>${escape(figures.prior.id)}</code></dd>
<dt>Training weights</dt><dd>exponent a = ${figures.weights.exponent} of ${figures.weights.refit ? 'masses refitted on the decoded images' : "the cells' masses"}</dd>
</dl>
<details><summary>Recipe</summary><pre>${escape(JSON.stringify(figures.recipe, null, 2))}</pre></details>
</section>
</main>
</body>
</html>
`;
}

const tile = (name: string, value: string): string =>
  `<div class="tile"><div class="value">${value}</div><div class="muted">${name}</div></div>`;

function classesSection(classes: readonly ClassRow[]): string {
  const labelled = classes.some((row) => row.teacherAgreement !== null);
  const surveyed = classes.some((row) => row.curve !== null);
  const columns: Column[] = [
    ['Images', (row) => count(row.n)],
    ['K', (row) => count(row.k)],
    ['Held out', (row) => count(row.heldoutN)],
    ['Spread over restarts', (row) => (row.restartSpread === null ? 'one ended' : percent(row.restartSpread))],
    ...(surveyed ? SURVEYED : []),
    ...(labelled ? [TEACHER] : []),
  ];
  return `<section>
<h2>Classes</h2>
<p class="muted">Spread: of the distortion, over restarts of the quantizer that ran to their end; what is behind is given up.${surveyed ? SURVEY_NOTE : ''}</p>
${folded(
  classes.length,
  table(
    ['Class', ...columns.map(([title]) => title)],
    classes.map((row) => [escape(row.name), ...columns.map(([, of]) => of(row))]),
  ),
)}
</section>`;
}

const TIMELINE_NOTE = ` Times are of a clock that stands while nothing of it is made for more than ${PAUSE_SECONDS} seconds; dashed lines are where it stood.`;

function tookPlot({ timeline, stages }: ReportFigures): string {
  return timeline ? `${scrolled(timelinePlot(timeline, stages))}\n` : '';
}

function lineageWords({ datasetVersion, prior, images }: ReportFigures): Record<string, string> {
  return {
    datasetVersion: `${count(datasetVersion.images)} images`,
    prior: `${prior.name} ${prior.version}`,
    dataset: `${count(images)} images`,
    page: 'figures and plots',
  };
}

function weightsSection(classes: readonly ClassRow[], masses: readonly ArrayLike<number>[]): string {
  const all = classes.map(({ name }, c): ClassWeights => ({ name, weights: masses[c]! }));
  if (all.every(({ weights }) => weights.length === 1)) return '';
  const omitted = all.length > MOST_CLASSES ? ` Shown are the first ${MOST_CLASSES} of ${all.length} classes.` : '';
  return `<section>
<h2>Weights of the points</h2>
<p class="muted">The heaviest point of a class first, each as a multiple of an even share of the class. ESS: effective sample size of the weights, in points.${omitted}</p>
${scrolled(weightsPlot(all))}
</section>
`;
}

type Column = [title: string, of: (row: ClassRow) => string];

const SURVEY_NOTE = `
Dimension d: intrinsic dimension of the latents, estimated from the two nearest neighbours of each. Slope: of log W2 against log K, for which theory has &minus;1/d.
Both with 95% intervals.`;

const SURVEYED: Column[] = [
  ['Dimension d', (row) => interval(row.intrinsicDimension, row.intrinsicDimensionLow, row.intrinsicDimensionHigh, 1)],
  ['Slope', (row) => interval(row.slope, row.slopeLow, row.slopeHigh, 3)],
  ['&minus;1/d', ({ intrinsicDimension: d }) => (d === null ? '' : signed(-1 / d, 3))],
];

const perSecond = (rate: number): string => (rate < 100 ? rate.toFixed(1) : count(Math.round(rate)));

const TEACHER: Column = ['Teacher agrees', ({ teacherAgreement: share }) => (share === null ? '' : percent(share))];

function stagesTable(stages: readonly StageRow[]): string {
  return table(
    ['Stage', 'Artifacts', 'Images', 'Allocated seconds', 'Images per second', 'Cost'],
    stages.map(({ name, artifacts, items, seconds, costUsd }) => [
      escape(name),
      count(artifacts),
      count(items),
      seconds.toFixed(1),
      seconds > 0 ? perSecond(items / seconds) : '',
      dollars(costUsd),
    ]),
    ['All', '', '', sum(stages, (row) => row.seconds).toFixed(1), '', dollars(sum(stages, (row) => row.costUsd))],
  );
}
