import { type ClassRow } from './figures.ts';
import { escape, percent } from './html.ts';

/** What may be wrong with what a run made. */
interface Check {
  title: string;
  /** What is looked at, and from where on it is warned of. */
  what: string;
  /** Above 1 it is warned of. Undefined: not measured. */
  excess(row: ClassRow): number | undefined;
  /** Of a class that is warned of. */
  told(row: ClassRow): string;
  meaning: string;
  remedy: string;
}

/** W2 of the decoded images over that of their points. */
const BIASED = 1.5;
/** Below this an image is nearer to one training image than means of many are, see `nearestTraining`. */
const MEMORISED = 0.35;
/** Of the distortion, over restarts that converged; the best is kept, and a few percent are usual. */
const UNEVEN = 0.05;

const CHECKS: readonly Check[] = [
  {
    title: 'The prior draws something else',
    what: `W2 of the decoded images, encoded again, above ${BIASED} times that of their points`,
    excess: ({ w2Decoded, w2Weighted }) => w2Decoded && w2Decoded / w2Weighted / BIASED,
    told: ({ w2Decoded, w2Weighted }) => `${(w2Decoded! / w2Weighted).toFixed(2)} times`,
    meaning:
      'The images are further from the data than the points that they were made from: what was gained there may be lost.',
    remedy:
      'Lower <code>decoder.strength</code> or <code>decoder.guidance</code>, refit the weights (<code>weights.refit</code>), or take a prior that was trained on such images.',
  },
  {
    title: 'Images may be copies of training images',
    what: `median distance of the images to the nearest training image below ${MEMORISED} of that between training images`,
    excess: ({ nearestRatio }) => nearestRatio && MEMORISED / nearestRatio,
    told: ({ nearestRatio }) => nearestRatio!.toFixed(2),
    meaning: 'What was asked to stand for many images is one of them: treat these images as you would real ones.',
    remedy: 'Raise <code>decoder.strength</code>, or ask for fewer points.',
  },
  {
    title: 'Searches for the points ended apart',
    what: `restarts of the quantizer that ended more than ${percent(UNEVEN)} of the distortion apart`,
    excess: ({ restartSpread }) => (restartSpread === null ? undefined : restartSpread / UNEVEN),
    told: ({ restartSpread }) => percent(restartSpread!),
    meaning: 'The best one was kept, but there may be better ones still.',
    remedy: 'Raise <code>quantizer.restarts</code>.',
  },
];

const MOST_NAMES = 8;

/** What stands out, with what to do; where nothing does, what was looked at. */
export function warningsSection(rows: readonly ClassRow[]): string {
  const measured = CHECKS.filter(({ excess }) => rows.some((row) => excess(row) !== undefined));
  const found = measured.flatMap((check) => {
    const classes = rows
      .filter((row) => (check.excess(row) ?? 0) > 1)
      .sort((a, b) => check.excess(b)! - check.excess(a)!);
    return classes.length > 0 ? [warning(check, classes, rows.length)] : [];
  });
  return `<section>
<h2>What to look at</h2>
${found.length > 0 ? `<ul class="warnings">\n${found.join('\n')}\n</ul>` : measured.length > 0 ? '<p>Nothing stands out.</p>' : ''}
<p class="muted">${lookedAt(measured)}</p>
</section>`;
}

function lookedAt(measured: readonly Check[]): string {
  if (measured.length === 0) return 'Nothing could be looked at: this run compared nothing, and searched once alone.';
  const rest = measured.length < CHECKS.length ? ' What was not compared, or searched once alone, could not be.' : '';
  return `Looked at: ${measured.map(({ what }) => what).join('; ')}.${rest}`;
}

function warning({ title, told, meaning, remedy }: Check, worstFirst: readonly ClassRow[], all: number): string {
  const names = worstFirst.slice(0, MOST_NAMES).map((row) => `${escape(row.name)} (${told(row)})`);
  const more = worstFirst.length > names.length ? ` and ${worstFirst.length - names.length} more` : '';
  return `<li class="warning"><strong>${title}</strong> in ${worstFirst.length} of ${all} ${all === 1 ? 'class' : 'classes'}: ${names.join(', ')}${more}.
${meaning} ${remedy}</li>`;
}
