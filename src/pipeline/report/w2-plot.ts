import { axis, type Axis } from './axis.ts';
import { type ClassRow } from './figures.ts';
import { escape, mean } from './html.ts';

/**
 * W2 per class as bars, ours and the baselines', and beside them how far ours is below each: from zero the bars hardly differ.
 * Rows grow downwards, so that a hundred classes are as readable as ten. Text is text, at the sizes of the page.
 *
 * @param rows at least one
 * @returns an inline SVG with title and description
 */
export function w2Plot(rows: readonly ClassRow[]): string {
  const series = SERIES.filter(({ w2 }) => rows.every((row) => w2(row) !== undefined));
  const layout = layoutOf(rows.length, series.length);
  const bars = axis([0, ...rows.flatMap((row) => series.map((of) => highest(of, row)))], BARS, 8);
  const gains = axis([0, ...rows.flatMap((row) => series.slice(1).flatMap((of) => reductions(of, row)))], GAINS, 5);
  const body = rows.map((row, i) => drawRow(row, layout.top + i * layout.rowHeight, layout, series, { bars, gains }));
  const { height } = layout;
  return `<svg class="plot" role="img" aria-labelledby="w2-title w2-description" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}">
<title id="w2-title">W2 to the training latents, per class</title>
<desc id="w2-description">${escape(description(rows, series))}</desc>
${legend(series)}
${panel('W2 to the training latents, in latent units', bars, BARS, layout)}
${panel('Reduction by the weighted points, in percent', gains, GAINS, layout)}
${body.join('\n')}
</svg>`;
}

interface Series {
  name: string;
  color: string;
  w2(row: ClassRow): number | undefined;
  /** 1 - weighted / this one. */
  reduction(row: ClassRow): number;
  /** Standard deviation. */
  deviation?(row: ClassRow): number | undefined;
}

/** Colours of Okabe and Ito, which people tell apart who see few. */
const SERIES: readonly Series[] = [
  { name: 'weighted', color: '#0072b2', w2: (row) => row.w2Weighted, reduction: () => 0 },
  { name: 'balanced', color: '#009e73', w2: (row) => row.w2Balanced, reduction: (row) => row.reductionBalanced! },
  {
    name: 'same points, uniform weights',
    color: '#9aa3af',
    w2: (row) => row.w2Uniform,
    reduction: (row) => row.reduction,
  },
  {
    name: 'D4M, mean and deviation',
    color: '#d55e00',
    w2: (row) => row.w2D4mMean,
    reduction: (row) => row.reductionD4m!,
    deviation: (row) => row.w2D4mDeviation,
  },
];

const WIDTH = 1040;
const LABEL_WIDTH = 128;
/** Pixels that the two panels reach from and to. */
const BARS = { from: LABEL_WIDTH + 8, to: 600 };
const GAINS = { from: 650, to: WIDTH - 16 };
const HEAD_HEIGHT = 82;
const FOOT_HEIGHT = 30;
const INK = '#1b1f24';
const MUTED = '#5b6472';
const LINE = '#e5e7eb';

interface Layout {
  top: number;
  bottom: number;
  height: number;
  rowHeight: number;
  barHeight: number;
}

function layoutOf(classes: number, series: number): Layout {
  const barHeight = classes <= 20 ? 7 : 4;
  const rowHeight = Math.max(16, series * barHeight + (classes <= 20 ? 12 : 6));
  const bottom = HEAD_HEIGHT + classes * rowHeight;
  return { top: HEAD_HEIGHT, bottom, height: bottom + FOOT_HEIGHT, rowHeight, barHeight };
}

const highest = ({ w2, deviation }: Series, row: ClassRow): number => w2(row)! + (deviation?.(row) ?? 0);

/** In percent: of the mean, and of the ends of the deviation where there is one. */
function reductions({ w2, deviation, reduction }: Series, row: ClassRow): number[] {
  const [value, spread, share] = [w2(row)!, deviation?.(row) ?? 0, reduction(row)];
  if (spread === 0) return [100 * share];
  const below = (other: number) => 100 * (1 - ((1 - share) * value) / other);
  return [100 * share, below(value - spread), below(value + spread)];
}

function drawRow(
  row: ClassRow,
  y: number,
  { rowHeight, barHeight }: Layout,
  series: readonly Series[],
  { bars, gains }: { bars: Axis; gains: Axis },
): string {
  const middle = y + rowHeight / 2;
  const first = middle - (series.length * barHeight) / 2;
  const parts = [
    text(shortened(row.name), LABEL_WIDTH, middle + 4, { anchor: 'end', title: row.name }),
    `<line x1="${GAINS.from}" x2="${GAINS.to}" y1="${middle}" y2="${middle}" stroke="${LINE}"/>`,
  ];
  series.forEach((of, i) => {
    const top = first + i * barHeight;
    const width = bars.at(of.w2(row)!) - bars.at(0);
    parts.push(
      `<rect x="${bars.at(0)}" y="${top}" width="${width.toFixed(1)}" height="${barHeight - 1}" fill="${of.color}"/>`,
    );
    const spread = of.deviation?.(row) ?? 0;
    if (spread > 0)
      parts.push(whisker(bars.at(of.w2(row)! - spread), bars.at(highest(of, row)), top + (barHeight - 1) / 2, INK));
    if (i === 0) return;
    const [value, ...ends] = reductions(of, row).map((share) => gains.at(share));
    if (ends.length > 0) parts.push(whisker(ends[0]!, ends[1]!, middle, of.color));
    parts.push(
      `<circle cx="${value!.toFixed(1)}" cy="${middle}" r="${barHeight > 4 ? 4.5 : 3.5}" fill="${of.color}"/>`,
    );
  });
  return parts.join('');
}

const whisker = (from: number, to: number, y: number, color: string): string =>
  `<path d="M${from.toFixed(1)} ${y}H${to.toFixed(1)}M${from.toFixed(1)} ${y - 2.5}v5M${to.toFixed(1)} ${y - 2.5}v5" stroke="${color}" stroke-width="1.2" fill="none"/>`;

/** Title, grid and labels above and below. */
function panel(title: string, { at, ticks }: Axis, { from }: { from: number }, { top, bottom }: Layout): string {
  const lines = ticks.map(({ value, label }) => {
    const x = at(value).toFixed(1);
    return (
      `<line x1="${x}" x2="${x}" y1="${top}" y2="${bottom}" stroke="${value === 0 ? MUTED : LINE}"/>` +
      text(label, Number(x), top - 8, { anchor: 'middle', color: MUTED, size: 11 }) +
      text(label, Number(x), bottom + 17, { anchor: 'middle', color: MUTED, size: 11 })
    );
  });
  return text(title, from, top - 28, { bold: true }) + lines.join('');
}

function legend(series: readonly Series[]): string {
  let x = BARS.from;
  return series
    .map(({ name, color }) => {
      const at = x;
      x += 44 + 6.1 * name.length;
      return `<rect x="${at}" y="6" width="14" height="11" fill="${color}"/>${text(name, at + 20, 16)}`;
    })
    .join('');
}

function text(
  content: string,
  x: number,
  y: number,
  of: { anchor?: 'end' | 'middle'; bold?: boolean; color?: string; size?: number; title?: string } = {},
): string {
  const { anchor, bold, color = INK, size = 12, title } = of;
  return (
    `<text x="${x}" y="${y}" font-size="${size}" fill="${color}"${anchor ? ` text-anchor="${anchor}"` : ''}` +
    `${bold ? ' font-weight="600"' : ''}>${title && title !== content ? `<title>${escape(title)}</title>` : ''}${escape(content)}</text>`
  );
}

const shortened = (name: string): string => ([...name].length > 17 ? `${[...name].slice(0, 16).join('')}\u2026` : name);

function description(rows: readonly ClassRow[], series: readonly Series[]): string {
  const values = series.map(({ name, w2 }) => `${name} ${mean(rows, (row) => w2(row)!).toFixed(3)}`);
  const gains = series
    .slice(1)
    .map((of) => `${mean(rows, (row) => reductions(of, row)[0]!).toFixed(1)}% below ${of.name.split(',')[0]}`);
  return (
    `Bars of W2 for each of ${rows.length} classes. Means over classes: ${values.join('; ')}. ` +
    `The weighted points are ${gains.join(', ')} on average. The table below has the numbers.`
  );
}
