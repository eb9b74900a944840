import { type CurvePoint } from '../../curve.ts';
import { CONTEXT, HELD_OUT, INK, LINE, WEIGHTED } from '../colors.ts';
import { signed } from '../html.ts';
import { LEFT, MOST_CLASSES, type Panels, panelsOf, TOP } from './panels.ts';
import { logScale, paddedLog, type Scale } from './scale.ts';
import { dot, fitted, legend, type LegendEntry, line, PAGE_WIDTH, polyline, ring, svg, text } from './svg.ts';

/** A class in the plot of distortion curves. */
export interface ClassCurve {
  name: string;
  curve: readonly CurvePoint[];
  /** Of log W2 against log K; null where there are too few points. */
  slope: number | null;
  /** What the run chose: so many points, and the W2 that its quantizer reached with them. */
  chosen: { k: number; w2: number };
}

/**
 * W2 against K, both logarithmic, a panel per class on the same axes: so ten are read one by one and a hundred at a glance. The
 * median over all classes is in every panel, and the run's own choice is marked.
 */
export function curvePlots(classes: readonly ClassCurve[]): string {
  const shown = classes.slice(0, MOST_CLASSES);
  const panels = panelsOf(shown.length, { small: 62, large: 140 });
  const { columns, panelWidth, panelHeight, gapX, gapY, small } = panels;
  const values = shown.flatMap(({ curve, chosen }) =>
    [...curve.flatMap((point) => [point.w2, heldOutW2(point) ?? point.w2]), chosen.w2].filter((w2) => w2 > 0),
  );
  if (values.length === 0) return '';
  const largest = Math.max(2, ...shown.flatMap(({ curve, chosen }) => [chosen.k, ...curve.map(({ k }) => k)]));
  const x = logScale([1 / 1.1, largest * 1.1], [0, panelWidth], small ? 3 : 5);
  const y = logScale(paddedLog(values), [small ? panelHeight : panelHeight - MARK_ROOM, 0], small ? 3 : 4);
  const median = shown.length > 2 ? medianCurve(shown) : [];

  const parts = [legend(LEFT, 16, entries(shown, small))];
  shown.forEach((one, index) => {
    const [left, top] = panels.place(index);
    parts.push(`<g transform="translate(${left} ${top})">${panel(one, x, y, median, panels.axes(index), panels)}</g>`);
  });
  const height = TOP + panels.height + 6;
  const middle = TOP + panels.height / 2 - gapY / 2;
  parts.push(
    text(12, middle, 'W2 to the latents', { anchor: 'middle', rotate: -90 }),
    text(LEFT + (Math.min(columns, shown.length) * (panelWidth + gapX)) / 2, height - 4, 'number of points K', {
      anchor: 'middle',
    }),
  );
  return svg({ width: PAGE_WIDTH, height, description: described(classes, shown), parts });
}

/** The root of the held-out distortion, which is W2 to the points with the weights that would serve the held-out latents best. */
export function heldOutW2({ heldoutDistortion }: CurvePoint): number | null {
  return heldoutDistortion === null ? null : Math.sqrt(heldoutDistortion);
}

function panel(
  { name, curve, slope, chosen }: ClassCurve,
  x: Scale,
  y: Scale,
  median: readonly (readonly [number, number])[],
  axes: { x: boolean; y: boolean },
  { panelWidth, panelHeight, small }: Panels,
): string {
  const size = small ? 9 : 11;
  const place = ([k, w2]: readonly [number, number]) => [x(k), y(w2)] as const;
  const training = curve.filter(({ w2 }) => w2 > 0).map(({ k, w2 }) => place([k, w2]));
  const heldOut = curve.flatMap((point) => {
    const w2 = heldOutW2(point);
    return w2 !== null && w2 > 0 ? [place([point.k, w2])] : [];
  });
  const slopeText = slope === null ? '' : `${small ? '' : 'slope '}${signed(slope, 2)}`;
  const grid = [
    ...x.ticks.map((tick) => line(x(tick), 0, x(tick), panelHeight, LINE)),
    ...y.ticks.map((tick) => line(0, y(tick), panelWidth, y(tick), LINE)),
    line(0, panelHeight, panelWidth, panelHeight, CONTEXT),
  ];
  const labels = [
    text(0, -8, fitted(name, panelWidth - (small ? 0 : 78), size + 1), { fill: INK, bold: true, size: size + 1 }),
    small ? text(2, panelHeight - 4, slopeText, { size }) : text(panelWidth, -8, slopeText, { anchor: 'end', size }),
    ...(axes.x
      ? x.ticks.map((tick) => text(x(tick), panelHeight + size + 4, x.label(tick), { anchor: 'middle', size }))
      : []),
    ...(axes.y ? y.ticks.map((tick) => text(-6, y(tick) + size / 3, y.label(tick), { anchor: 'end', size })) : []),
  ];
  const run = chosen.w2 > 0 ? mark(chosen.k, place([chosen.k, chosen.w2]), panelHeight, small) : '';
  const width = small ? 1.3 : 1.8;
  return [
    ...grid,
    polyline(median.map(place), CONTEXT, `stroke-width="${width}"`),
    polyline(heldOut, HELD_OUT, `stroke-width="${width}" stroke-dasharray="4 3"`),
    polyline(training, WEIGHTED, `stroke-width="${width}"`),
    ...(small ? [] : training.map(([cx, cy]) => dot(cx, cy, 2, WEIGHTED))),
    run,
    ...labels,
  ].join('');
}

/** Below all curves: how many points the run chose stands there. */
const MARK_ROOM = 20;

/** The run's own choice. */
function mark(k: number, [cx, cy]: readonly [number, number], bottom: number, small: boolean): string {
  return (
    line(cx, cy, cx, bottom, WEIGHTED, 'stroke-dasharray="1.5 2.5"') +
    ring(cx, cy, small ? 2.8 : 4, WEIGHTED, small ? 1.4 : 2) +
    (small ? '' : text(cx - 5, bottom - 5, `K = ${k}`, { anchor: 'end', fill: WEIGHTED, size: 10 }))
  );
}

function entries(shown: readonly ClassCurve[], small: boolean): LegendEntry[] {
  const heldOut = shown.some(({ curve }) => curve.some((point) => point.heldoutDistortion !== null));
  const stroke = (words: string, color: string, more = ''): LegendEntry => ({
    words,
    sign: (x, y) => line(x, y, x + 24, y, color, `stroke-width="1.8"${more}`),
    width: 24,
  });
  return [
    stroke('training', WEIGHTED),
    ...(heldOut ? [stroke('held out', HELD_OUT, ' stroke-dasharray="4 3"')] : []),
    ...(shown.length > 2 ? [stroke('median of classes, training', CONTEXT)] : []),
    { words: "the run's codebook", sign: (x, y) => ring(x + 5, y, 4, WEIGHTED, 2), width: 10 },
    ...(small ? [{ words: 'number in a panel: its slope', sign: () => '', width: 0 }] : []),
  ];
}

/** At numbers of points that most classes were measured at. */
function medianCurve(classes: readonly ClassCurve[]): [number, number][] {
  const at = Map.groupBy(
    classes.flatMap(({ curve }) => curve),
    ({ k }) => k,
  );
  return [...at]
    .filter(([, points]) => 2 * points.length > classes.length)
    .map(([k, points]): [number, number] => {
      const sorted = points.map(({ w2 }) => w2).sort((a, b) => a - b);
      return [k, sorted[Math.floor(sorted.length / 2)]!];
    })
    .filter(([, w2]) => w2 > 0)
    .sort(([a], [b]) => a - b);
}

function described(classes: readonly ClassCurve[], shown: readonly ClassCurve[]): string {
  const slopes = classes.flatMap(({ slope }) => (slope === null ? [] : [slope]));
  const which =
    shown.length < classes.length
      ? `the first ${shown.length} of ${classes.length} classes`
      : `${classes.length} classes`;
  const range =
    slopes.length > 0 ? `; slopes from ${Math.min(...slopes).toFixed(2)} to ${Math.max(...slopes).toFixed(2)}` : '';
  return `W2 against the number of points K for ${which}, both on logarithmic axes, a panel each${range}. The table below has the numbers.`;
}
