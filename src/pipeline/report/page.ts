import { type JsonObject } from '../../base/json.ts';
import { describeImages } from '../dataset/describe.ts';
import { diagnostics, type DiagnosedClass } from './diagnostics.ts';
import { type Made } from './made.ts';
import { escape } from './plots/svg.ts';

/** What the page shows. Seconds and costs are those of the attempts that made the artifacts, whichever run paid them. */
export interface ReportFigures {
  title: string;
  datasetVersion: Made['datasetVersion'];
  prior: Made['prior'];
  classes: ClassRow[];
  stages: StageRow[];
  /** Points in all. */
  images: number;
  weightExponent: number;
  recipe: JsonObject;
}

export interface ClassRow extends DiagnosedClass {
  n: number;
  w2Uniform: number;
  heldoutN: number;
  heldoutW2: number | null;
  /** Null of a quantizer that has no restarts. */
  restartSpread: number | null;
  teacherAgreement: number | null;
}

export interface StageRow {
  name: string;
  artifacts: number;
  items: number;
  seconds: number;
  costUsd: number;
}

/** One self-contained HTML page: no script, no font and no picture from elsewhere. */
export function reportPage(figures: ReportFigures, contactSheetPng: Uint8Array): string {
  const { classes, stages } = figures;
  const labelled = classes.some((row) => row.teacherAgreement !== null);
  const cost = sum(stages, (row) => row.costUsd);
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
${tile('Compute cost', dollars(cost))}
</section>
<section>
<h2>Synthetic images and their weights</h2>
<p class="muted">A row per class, heaviest point first. A weight is the share of the class's samples in the point's Voronoi cell.</p>
<img class="sheet" alt="Contact sheet: ${count(figures.images)} synthetic images of ${classes.length} classes with their weights" src="data:image/png;base64,${Buffer.from(contactSheetPng).toString('base64')}">
</section>
<section>
<h2>Wasserstein-2 distance per class</h2>
<p class="muted">Between the latents and the codebook: with its weights, and with the same points weighted uniformly (exact transport).
Reduction = 1 - weighted / uniform. ESS = effective sample size of the weights, in points. Held-out: samples the quantizer never saw.</p>
<table>
<thead><tr><th scope="col">Class</th><th scope="col">Images</th><th scope="col">K</th><th scope="col">W2 weighted</th><th scope="col">W2 uniform</th>
<th scope="col">Reduction</th><th scope="col">ESS</th><th scope="col">W2 held-out</th><th scope="col">Spread over restarts</th>${labelled ? '<th scope="col">Teacher agrees</th>' : ''}</tr></thead>
<tbody>
${classes.map((row) => classRow(row, Math.max(...classes.map((other) => other.w2Uniform)), labelled)).join('\n')}
</tbody>
</table>
</section>
${diagnostics(classes)}<section>
<h2>What it took</h2>
<p class="muted">Seconds and cost of the attempts that made these artifacts. A later run that reuses them pays nothing for them.</p>
<table>
<thead><tr><th scope="col">Stage</th><th scope="col">Artifacts</th><th scope="col">Images</th><th scope="col">Allocated seconds</th><th scope="col">Images per second</th><th scope="col">Cost</th></tr></thead>
<tbody>
${stages.map(stageRow).join('\n')}
</tbody>
<tfoot><tr><th scope="row">All</th><td></td><td></td><td>${sum(stages, (row) => row.seconds).toFixed(1)}</td><td></td><td>${dollars(cost)}</td></tr></tfoot>
</table>
</section>
<section>
<h2>Where it comes from</h2>
<dl>
<dt>Dataset version</dt><dd><code>${escape(figures.datasetVersion.digest)}</code></dd>
<dt>Its images</dt><dd>${escape(describeImages(figures.datasetVersion))}</dd>
<dt>Prior</dt><dd>${escape(figures.prior.name)} ${escape(figures.prior.version)} (${escape(figures.prior.license)}), <code>${escape(figures.prior.id)}</code></dd>
<dt>Exponent of the training weights</dt><dd>a = ${figures.weightExponent}</dd>
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

function classRow(row: ClassRow, widest: number, labelled: boolean): string {
  const share = (value: number) => (widest > 0 ? (100 * value) / widest : 0).toFixed(1);
  return (
    `<tr><th scope="row">${escape(row.name)}</th><td>${count(row.n)}</td><td>${row.k}</td>` +
    `<td class="bar"><span style="--share:${share(row.w2Weighted)}%">${row.w2Weighted.toFixed(4)}</span></td>` +
    `<td class="bar grey"><span style="--share:${share(row.w2Uniform)}%">${row.w2Uniform.toFixed(4)}</span></td>` +
    `<td>${percent(row.reduction)}</td><td>${row.ess.toFixed(1)}</td>` +
    `<td>${row.heldoutW2 === null ? 'none held out' : row.heldoutW2.toFixed(4)}</td><td>${row.restartSpread === null ? 'one search' : percent(row.restartSpread)}</td>` +
    `${labelled ? `<td>${row.teacherAgreement === null ? '' : percent(row.teacherAgreement)}</td>` : ''}</tr>`
  );
}

function stageRow(row: StageRow): string {
  const speed = row.seconds > 0 ? (row.items / row.seconds).toFixed(1) : '';
  return (
    `<tr><th scope="row">${escape(row.name)}</th><td>${count(row.artifacts)}</td><td>${count(row.items)}</td>` +
    `<td>${row.seconds.toFixed(1)}</td><td>${speed}</td><td>${dollars(row.costUsd)}</td></tr>`
  );
}

const sum = <T>(rows: readonly T[], of: (row: T) => number): number => rows.reduce((total, row) => total + of(row), 0);
const mean = <T>(rows: readonly T[], of: (row: T) => number): number => sum(rows, of) / rows.length;
const count = (value: number): string => value.toLocaleString('en-US');
const percent = (value: number): string => `${(100 * value).toFixed(2)}%`;
const dollars = (value: number): string => `$${value.toFixed(value < 1 ? 5 : 2)}`;

const STYLE = `
:root { color-scheme: light; --ink: #1b1f24; --muted: #5b6472; --line: #e5e7eb; --blue: #2563eb; }
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
th:first-child { text-align: left; } thead th { font-weight: 600; color: var(--muted); font-size: 13px; white-space: normal; vertical-align: bottom; }
tfoot th, tfoot td { border-bottom: 0; font-weight: 650; }
.bar span { display: inline-block; min-width: 90px; padding: 0 4px; background: linear-gradient(#bfd3fb, #bfd3fb) left / var(--share) 100% no-repeat; }
.bar.grey span { background-image: linear-gradient(#dfe3e8, #dfe3e8); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 6px 20px; margin: 0 0 12px; } dt { color: var(--muted); } dd { margin: 0; overflow-wrap: anywhere; }
pre { background: #f8f9fb; padding: 12px; border-radius: 6px; overflow-x: auto; } code { font-size: 13px; }
`;
