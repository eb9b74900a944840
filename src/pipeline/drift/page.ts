import { count, escape, folded, percent, scrolled, table } from '../report/html.ts';
import { MOST_CLASSES } from '../report/plots/panels.ts';
import { STYLE } from '../report/style.ts';
import { type TestedClass } from './classes.ts';
import { type DriftFindings } from './document.ts';
import { driftPlot } from './plot.ts';
import { type ClassDrift, type OverallDrift } from './verdict.ts';

/** One self-contained HTML page: no script, no font and no picture from elsewhere. @param tests of the classes that were compared */
export function driftPage(findings: DriftFindings & { tests: readonly TestedClass[] }): string {
  const { made, rules, overall, classes } = findings;
  const title = overall.alarm ? 'Drift' : 'No drift';
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<style>${STYLE}</style>
</head>
<body>
<header>
<h1>${title}</h1>
<p class="muted">${count(made.datasetVersion.images)} images against ${escape(made.reference.against)}, with the prior ${escape(made.prior.name)} ${escape(made.prior.version)}</p>
</header>
<main>
<section class="tiles" aria-label="Summary">
${tile('New images', count(overall.fresh))}
${tile('Compared', count(overall.sampled))}
${tile('Classes compared', `${count(overall.classesTested)} of ${count(overall.classes)}`)}
${tile('Drifted', count(overall.classesDrifted))}
${tile('Least p-value, corrected', pValue(overall.minPValue))}
</section>
<section>
<h2>What was found</h2>
${sentences(overall, classes)
  .map((text) => `<p>${escape(text)}</p>`)
  .join('\n')}
</section>
${plotSection(findings)}<section>
<h2>Classes</h2>
<p class="muted">Distance: of the new images beside that of the held-out samples, by ranks (Wilcoxon). Mass: total variation of the cells beyond what chance makes of it, by chi-square.
p-values are ${CORRECTIONS[rules.correction]}; drift is what is at most ${rules.alpha}${effects(findings)}.</p>
${folded(classes.length, classTable(classes))}
</section>
<section>
<h2>Where it comes from</h2>
<dl>
<dt>Dataset version</dt><dd><code>${escape(made.datasetVersion.digest)}</code></dd>
<dt>Compared with</dt><dd>${escape(made.reference.against)}, run <code>${escape(made.reference.runId)}</code></dd>
<dt>Its codebooks</dt><dd><code>${escape(made.reference.codebooks)}</code></dd>
<dt>Sample</dt><dd>${count(made.samplesPerClass)} new images of each class at most, seed ${made.seed}</dd>
</dl>
</section>
</main>
</body>
</html>
`;
}

const tile = (name: string, value: string): string =>
  `<div class="tile"><div class="value">${value}</div><div class="muted">${name}</div></div>`;

const CORRECTIONS = {
  HOLM: 'corrected over classes and statistics (Holm)',
  BENJAMINI_HOCHBERG: 'corrected over classes and statistics (Benjamini and Hochberg)',
  NONE: 'not corrected',
};

function effects({ rules: { minEffect } }: DriftFindings): string {
  const parts = [
    ...(minEffect.distance > 0 ? [`a mean distance that changed by ${percent(minEffect.distance)}`] : []),
    ...(minEffect.mass > 0 ? [`${percent(minEffect.mass)} of the mass`] : []),
  ];
  return parts.length === 0 ? '' : ` with at least ${parts.join(', or ')}`;
}

/** What was found, in words: also what the commands print. */
export function sentences(overall: OverallDrift, classes: readonly ClassDrift[]): string[] {
  const named = (of: (one: ClassDrift) => boolean) => listed(classes.filter(of).map(({ className }) => className));
  const tell = (words: string, names: string) => (names === '' ? [] : [`${words}: ${names}.`]);
  const drifted = (one: ClassDrift) => one.state === 'TESTED' && one.drifted;
  return [
    ...(overall.classesDrifted === 0 && overall.classesTested > 0
      ? ['The new images are like those that were held out, as far as this sample can tell.']
      : []),
    ...tell('New images are not like those that were held out in', named(drifted)),
    ...tell(
      'Classes that nobody distilled',
      named(({ state }) => state === 'NEW'),
    ),
    ...tell(
      'Classes that are gone',
      named(({ state }) => state === 'VANISHED'),
    ),
    ...tell(
      'Without a new image',
      named(({ state }) => state === 'UNCHANGED'),
    ),
    ...tell(
      'Too few new or held-out images to compare',
      named(({ state }) => state === 'TOO_FEW'),
    ),
  ];
}

const NAMED = 20;

function listed(names: readonly string[]): string {
  const shown = names.slice(0, NAMED).join(', ');
  return names.length > NAMED ? `${shown} and ${names.length - NAMED} more` : shown;
}

function plotSection({ classes, tests }: DriftFindings & { tests: readonly TestedClass[] }): string {
  if (tests.length === 0) return '';
  const drifted = new Set(classes.filter((one) => one.drifted).map(({ className }) => className));
  const shown = tests.slice(0, MOST_CLASSES).map((one) => ({ ...one, drifted: drifted.has(one.className) }));
  const omitted = tests.length > MOST_CLASSES ? ` Shown are the first ${MOST_CLASSES} of ${tests.length} classes.` : '';
  return `<section>
<h2>Distances and masses</h2>
<p class="muted">Bars reach over the middle half of the samples, lines over nine tenths; the stroke is the median.${omitted}</p>
${scrolled(driftPlot(shown))}
</section>
`;
}

const STATES = {
  TESTED: 'no',
  UNCHANGED: 'no new image',
  TOO_FEW: 'too few to tell',
  NEW: 'new class',
  VANISHED: 'class is gone',
};

function classTable(classes: readonly ClassDrift[]): string {
  const or = (value: number | null, shown: (value: number) => string) => (value === null ? '' : shown(value));
  return table(
    [
      ...['Class', 'Drift', 'New images', 'Compared', 'Held out', 'Distance', 'p', 'Mass moved', 'p'],
      ...['Images kept', 'removed'],
    ],
    classes.map((one) => [
      escape(one.className),
      one.state === 'TESTED' && one.drifted ? '<strong>yes</strong>' : STATES[one.state],
      ...[count(one.fresh), count(one.sampled), count(one.referenceN)],
      or(one.distanceRatio, (ratio) => `\u00d7${ratio < 1e6 ? ratio.toFixed(3) : '\u221e'}`),
      pValue(one.distancePValueCorrected),
      or(one.massChange, percent),
      pValue(one.massPValueCorrected),
      ...[count(one.kept), count(one.removed)],
    ]),
  );
}

/** Two digits tell enough; below a millionth is certain. */
function pValue(value: number | null): string {
  if (value === null) return '';
  return value < 1e-6 ? '&lt;1e\u22126' : String(Number(value.toPrecision(2)));
}
