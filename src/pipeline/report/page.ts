import { D4M, INK, LINE, MUTED } from './colors.ts';
import { decodedSection } from './decoded.ts';
import { diagnostics } from './diagnostics.ts';
import { type ClassRow, comparedRows, type ReportFigures, type StageRow } from './figures.ts';
import { count, dollars, escape, interval, mean, percent, signed, sum, table } from './html.ts';
import { describeMadeFrom } from './made.ts';
import { w2Section } from './w2.ts';

/** One self-contained HTML page: no script, no font and no picture from elsewhere. */
export function reportPage(figures: ReportFigures, contactSheetPng: Uint8Array): string {
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
<section>
<h2>Synthetic images and their weights</h2>
<p class="muted">A row per class, heaviest point first. ${
    figures.weights.refit
      ? 'Weights are refitted on the decoded images: those that bring them nearest to the training latents in energy distance.'
      : "A weight is the share of the class's samples in the point's Voronoi cell."
  }</p>
<img class="sheet" alt="Contact sheet: ${count(figures.images)} synthetic images of ${classes.length} classes with their weights" src="data:image/png;base64,${Buffer.from(contactSheetPng).toString('base64')}">
</section>
${w2Section(classes)}
${compared ? decodedSection(compared, figures.weights.refit) : ''}
${diagnostics(classes)}${classesSection(classes)}
<section>
<h2>What it took</h2>
<p class="muted">Seconds and cost of the attempts that made these artifacts. A later run that reuses them pays nothing for them.</p>
${stagesTable(stages)}
</section>
<section>
<h2>Where it comes from</h2>
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
    ['Spread over restarts', (row) => (row.restartSpread === null ? 'one search' : percent(row.restartSpread))],
    ...(surveyed ? SURVEYED : []),
    ...(labelled ? [TEACHER] : []),
  ];
  return `<section>
<h2>Classes</h2>
<p class="muted">Spread: of the distortion, over restarts of the quantizer.${surveyed ? SURVEY_NOTE : ''}</p>
${table(
  ['Class', ...columns.map(([title]) => title)],
  classes.map((row) => [escape(row.name), ...columns.map(([, of]) => of(row))]),
)}
</section>`;
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

const TEACHER: Column = ['Teacher agrees', ({ teacherAgreement: share }) => (share === null ? '' : percent(share))];

function stagesTable(stages: readonly StageRow[]): string {
  return table(
    ['Stage', 'Artifacts', 'Images', 'Allocated seconds', 'Images per second', 'Cost'],
    stages.map(({ name, artifacts, items, seconds, costUsd }) => [
      escape(name),
      count(artifacts),
      count(items),
      seconds.toFixed(1),
      seconds > 0 ? (items / seconds).toFixed(1) : '',
      dollars(costUsd),
    ]),
    ['All', '', '', sum(stages, (row) => row.seconds).toFixed(1), '', dollars(sum(stages, (row) => row.costUsd))],
  );
}

const STYLE = `
:root { color-scheme: light; --ink: ${INK}; --muted: ${MUTED}; --line: ${LINE}; }
body { margin: 0; font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: #f8f9fb; }
header, main { max-width: 1120px; margin: 0 auto; padding: 0 24px; }
header { padding-top: 32px; }
h1 { font-size: 26px; margin: 0; } h2 { font-size: 18px; margin: 0 0 4px; }
section { background: #fff; border: 1px solid var(--line); border-radius: 10px; padding: 20px; margin: 20px 0; overflow-x: auto; }
.muted { color: var(--muted); margin: 0 0 12px; font-size: 13.5px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 16px; }
.tile .value { font-size: 24px; font-weight: 650; } .tile .muted { margin: 0; }
.sheet { max-width: 100%; height: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 6px 10px; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:first-child { text-align: left; white-space: normal; } thead th { font-weight: 600; color: var(--muted); font-size: 13px; white-space: normal; vertical-align: bottom; }
tfoot th, tfoot td { border-bottom: 0; font-weight: 650; }
section > svg { display: block; margin: 4px 0 16px; }
.warning { background: #fff4e5; border-left: 4px solid ${D4M}; padding: 8px 12px; margin: 0 0 12px; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 20px; margin: 0 0 12px; } dt { color: var(--muted); } dd { margin: 0; overflow-wrap: anywhere; }
pre { background: #f8f9fb; padding: 12px; border-radius: 6px; overflow-x: auto; } code { font-size: 13px; }
`;
