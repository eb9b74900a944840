import { BALANCED, D4M, INK, LINE, MUTED, UNIFORM, WEIGHTED } from '../colors.ts';
import { type ClassRow } from '../figures.ts';
import { mean } from '../html.ts';
import { enclosingScale, type Scale } from './scale.ts';
import { dot, fitted, legend, line, PAGE_WIDTH, rect, svg, text, whisker } from './svg.ts';

/**
 * W2 per class as bars, ours and the baselines', and beside them how far ours is below each: from zero the bars hardly differ.
 * Rows grow downwards, so that a hundred classes are as readable as ten.
 *
 * @param rows at least one
 */
export function w2Plot(rows: readonly ClassRow[]): string {
  const series = SERIES.filter(({ w2 }) => rows.every((row) => w2(row) !== undefined));
  const layout = layoutOf(rows.length, series.length);
  const bars = enclosingScale([0, ...rows.flatMap((row) => series.map((of) => highest(of, row)))], BARS, 8);
  const gained = rows.flatMap((row) => series.slice(1).flatMap((of) => reductions(of, row)));
  const gains = enclosingScale([0, ...gained], GAINS, 5);
  const bar = (color: string) => (x: number, y: number) => rect(x, y - 6, 14, 11, color);
  return svg({
    width: PAGE_WIDTH,
    height: layout.bottom + FOOT_HEIGHT,
    description: described(rows, series),
    parts: [
      legend(
        BARS[0],
        12,
        series.map(({ name, color }) => ({ words: name, sign: bar(color), width: 14 })),
      ),
      panel('W2 to the training latents, in latent units', bars, BARS[0], layout),
      panel('Reduction by the weighted points, in percent', gains, GAINS[0], layout),
      ...rows.map((row, i) => drawRow(row, layout.top + i * layout.rowHeight, layout, series, { bars, gains })),
    ],
  });
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

const SERIES: readonly Series[] = [
  { name: 'weighted', color: WEIGHTED, w2: (row) => row.w2Weighted, reduction: () => 0 },
  { name: 'balanced', color: BALANCED, w2: (row) => row.w2Balanced, reduction: (row) => row.reductionBalanced! },
  {
    name: 'same points, uniform weights',
    color: UNIFORM,
    w2: (row) => row.w2Uniform,
    reduction: (row) => row.reduction,
  },
  {
    name: 'D4M, mean and deviation',
    color: D4M,
    w2: (row) => row.w2D4mMean,
    reduction: (row) => row.reductionD4m!,
    deviation: (row) => row.w2D4mDeviation,
  },
];

const LABEL_WIDTH = 128;
/** Pixels that the two panels reach from and to. */
const BARS = [LABEL_WIDTH + 8, 610] as const;
const GAINS = [660, PAGE_WIDTH - 20] as const;
const HEAD_HEIGHT = 82;
const FOOT_HEIGHT = 30;

interface Layout {
  top: number;
  bottom: number;
  rowHeight: number;
  barHeight: number;
}

function layoutOf(classes: number, series: number): Layout {
  const barHeight = classes <= 20 ? 7 : 4;
  const rowHeight = Math.max(16, series * barHeight + (classes <= 20 ? 12 : 6));
  return { top: HEAD_HEIGHT, bottom: HEAD_HEIGHT + classes * rowHeight, rowHeight, barHeight };
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
  { bars, gains }: { bars: Scale; gains: Scale },
): string {
  const middle = y + rowHeight / 2;
  const first = middle - (series.length * barHeight) / 2;
  const name = fitted(row.name, LABEL_WIDTH - 16, 12);
  const parts = [
    text(LABEL_WIDTH, middle + 4, name, { anchor: 'end', fill: INK, size: 12, title: row.name }),
    line(GAINS[0], middle, GAINS[1], middle, LINE),
  ];
  series.forEach((of, i) => {
    const top = first + i * barHeight;
    parts.push(rect(bars(0), top, bars(of.w2(row)!) - bars(0), barHeight - 1, of.color));
    const spread = of.deviation?.(row) ?? 0;
    if (spread > 0)
      parts.push(whisker(bars(of.w2(row)! - spread), bars(highest(of, row)), top + (barHeight - 1) / 2, INK));
    if (i === 0) return;
    const [value, ...ends] = reductions(of, row).map(gains);
    if (ends.length > 0) parts.push(whisker(ends[0]!, ends[1]!, middle, of.color));
    parts.push(dot(value!, middle, barHeight > 4 ? 4.5 : 3.5, of.color));
  });
  return parts.join('');
}

/** Title, grid and labels above and below. */
function panel(title: string, scale: Scale, left: number, { top, bottom }: Layout): string {
  const lines = scale.ticks.map((tick) => {
    const label = (y: number) => text(scale(tick), y, scale.label(tick), { anchor: 'middle' });
    return line(scale(tick), top, scale(tick), bottom, tick === 0 ? MUTED : LINE) + label(top - 8) + label(bottom + 17);
  });
  return text(left, top - 28, title, { bold: true, fill: INK, size: 12 }) + lines.join('');
}

function described(rows: readonly ClassRow[], series: readonly Series[]): string {
  const values = series.map(({ name, w2 }) => `${name} ${mean(rows, (row) => w2(row)!).toFixed(3)}`);
  const gains = series
    .slice(1)
    .map((of) => `${mean(rows, (row) => reductions(of, row)[0]!).toFixed(1)}% below ${of.name.split(',')[0]}`);
  return (
    `Bars of W2 to the training latents for each of ${rows.length} classes. Means over classes: ${values.join('; ')}. ` +
    `The weighted points are ${gains.join(', ')} on average. The table below has the numbers.`
  );
}
