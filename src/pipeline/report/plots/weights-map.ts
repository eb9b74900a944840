import { CONTEXT, LINE, MUTED } from '../colors.ts';
import { linearScale } from './scale.ts';
import { dot, fitted, legend, line, ring, svg, text } from './svg.ts';

/** Where weights pay: one mark of the map. */
export interface WeightsMark {
  name: string;
  /** 1 - ESS/K of the Voronoi weights: 0 where all cells hold the same. */
  unevenness: number;
  /** 1 - W2 weighted / W2 of the other, a fraction. */
  gain: number;
  /** Which series it belongs to. */
  series: string;
}

export interface MapOptions {
  /** In the order of the legend, the most important first: it is filled, the next ones are outlines. */
  series: readonly { name: string; color: string }[];
  /** What the gain is over, for the axis. */
  gainOver: string;
  width?: number;
  height?: number;
}

/** More names than this cannot be read: then the extremes alone are named. */
const MOST_NAMES = 24;

/** The gain of W2 by weights against how uneven the cells are, a mark per class. Names go where they cover nothing. */
export function weightsMap(
  marks: readonly WeightsMark[],
  { series, gainOver, width = 760, height = 380 }: MapOptions,
): string {
  const [left, right, top, bottom] = [70, 24, 40, 48];
  const gains = marks.map(({ gain }) => 100 * gain);
  const low = Math.min(0, ...gains);
  const high = Math.max(0.5, ...gains);
  const widest = Math.max(0.05, ...marks.map(({ unevenness }) => unevenness));
  const x = linearScale([0, Math.min(1, 1.12 * widest)], [left, width - right]);
  const y = linearScale([low - 0.04 * (high - low), high + 0.08 * (high - low)], [height - bottom, top]);
  const axisY = y(0);
  const parts = [
    ...x.ticks.map((tick) => line(x(tick), top, x(tick), height - bottom, LINE)),
    ...y.ticks.map((tick) => line(left, y(tick), width - right, y(tick), LINE)),
    line(left, axisY, width - right, axisY, CONTEXT),
    ...x.ticks.map((tick) => text(x(tick), height - bottom + 16, x.label(tick), { anchor: 'middle' })),
    ...y.ticks.map((tick) => text(left - 8, y(tick) + 4, `${y.label(tick)}%`, { anchor: 'end' })),
    text((left + width - right) / 2, height - 10, 'unevenness of the cells, 1 \u2212 ESS / K', { anchor: 'middle' }),
    text(16, (top + height - bottom) / 2, `W2 gained over ${gainOver}`, { anchor: 'middle', rotate: -90 }),
    legend(
      left,
      16,
      series.map(({ name, color }, index) => ({
        words: name,
        sign: (cx, cy) => sign(index, color, cx + 5, cy),
        width: 8,
      })),
    ),
  ];
  const placed = marks.map((mark) => ({ mark, cx: x(mark.unevenness), cy: y(100 * mark.gain) }));
  for (const { mark, cx, cy } of [...placed].reverse()) {
    const index = series.findIndex(({ name }) => name === mark.series);
    parts.push(sign(index, series[index]!.color, cx, cy));
  }
  parts.push(...names(placed, width - right, top));
  return svg({
    width,
    height,
    description: described(
      marks,
      series.map(({ name }) => name),
      gainOver,
    ),
    parts,
  });
}

function sign(index: number, color: string, cx: number, cy: number): string {
  return index === 0 ? dot(cx, cy, 4, color, 'fill-opacity="0.9"') : ring(cx, cy, 3.6, color, 1.7);
}

interface Placed {
  mark: WeightsMark;
  cx: number;
  cy: number;
}

/** To the right of a mark, else to its left, above or below; not at all where it would lie on a name or a mark. */
function names(placed: readonly Placed[], rightmost: number, topmost: number): string[] {
  const boxes = placed.map(({ cx, cy }) => ({ x1: cx - 4, x2: cx + 4, y1: cy - 4, y2: cy + 4 }));
  const first = placed[0]?.mark.series;
  const own = placed.filter(({ mark }) => mark.series === first);
  const byGain = [...own].sort((a, b) => b.mark.gain - a.mark.gain);
  const named = byGain.length <= MOST_NAMES ? byGain : [...byGain.slice(0, 8), ...byGain.slice(-4)];
  return named.flatMap(({ mark, cx, cy }) => {
    const words = fitted(mark.name, 130, 10);
    const wide = 5.8 * words.length;
    const spots = [
      { x: cx + 8, y: cy + 3.5, anchor: 'start' as const, x1: cx + 7 },
      { x: cx - 8, y: cy + 3.5, anchor: 'end' as const, x1: cx - 9 - wide },
      { x: cx, y: cy - 8, anchor: 'middle' as const, x1: cx - wide / 2 },
      { x: cx, y: cy + 16, anchor: 'middle' as const, x1: cx - wide / 2 },
    ].map((spot) => ({ ...spot, x2: spot.x1 + wide + 2, y1: spot.y - 8, y2: spot.y + 2 }));
    const free = spots.find(
      (spot) =>
        spot.x2 <= rightmost &&
        spot.y1 >= topmost &&
        boxes.every((box) => box.x2 < spot.x1 || box.x1 > spot.x2 || box.y2 < spot.y1 || box.y1 > spot.y2),
    );
    if (!free) return [];
    boxes.push(free);
    return [text(free.x, free.y, words, { anchor: free.anchor, fill: MUTED, size: 10 })];
  });
}

function described(marks: readonly WeightsMark[], series: readonly string[], gainOver: string): string {
  const percent = (value: number) => `${(100 * value).toFixed(1)}%`;
  const said = series.map((name) => {
    const gains = marks.filter((mark) => mark.series === name).map(({ gain }) => gain);
    return gains.length === 0 ? '' : `${name}: ${percent(Math.min(...gains))} to ${percent(Math.max(...gains))}`;
  });
  return `Gain of W2 over ${gainOver} against the unevenness of the cells, a mark per class; ${said.filter(Boolean).join(', ')}.`;
}
