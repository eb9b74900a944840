import { effectiveSampleSize } from '../../../numerics/quantize/weights.ts';
import { CONTEXT, INK, LINE, WEIGHTED } from '../colors.ts';
import { LEFT, MOST_CLASSES, type Panels, panelsOf, TOP } from './panels.ts';
import { enclosingScale, type Scale } from './scale.ts';
import { fitted, legend, line, PAGE_WIDTH, svg, text } from './svg.ts';

/** The weights of a class's points. */
export interface ClassWeights {
  name: string;
  /** (k,) sum 1, in any order */
  weights: ArrayLike<number>;
}

/**
 * Weights from the heaviest point to the lightest as multiples of an even share, a panel per class on the same axes: so classes with other numbers
 * of points are compared too.
 */
export function weightsPlot(classes: readonly ClassWeights[]): string {
  const shown = classes
    .slice(0, MOST_CLASSES)
    .map(({ name, weights }) => ({ name, shares: sharesOf(weights), ess: effectiveSampleSize(weights) }));
  const panels = panelsOf(shown.length, { small: 46, large: 96 });
  const most = Math.max(...shown.map(({ shares }) => shares[0]!));
  const y = enclosingScale([0, 1, most], [panels.panelHeight, 0], panels.small ? 2 : 3);
  const key = [
    { words: 'weight of a point', sign: (x: number, at: number) => bar(x, at), width: 14 },
    {
      words: 'an even share, 1 / K',
      sign: (x: number, at: number) => line(x, at, x + 24, at, INK, DASHED),
      width: 24,
    },
    ...(panels.small ? [{ words: 'number in a panel: effective sample size', sign: () => '', width: 0 }] : []),
  ];
  const middle = TOP + panels.height / 2 - panels.gapY / 2;
  return svg({
    width: PAGE_WIDTH,
    height: TOP + panels.height - panels.gapY + 24,
    description: described(classes, shown, most),
    parts: [
      legend(LEFT, 16, key),
      ...shown.map((one, index) => {
        const [left, top] = panels.place(index);
        return `<g transform="translate(${left} ${top})">${panel(one, y, panels.axes(index).y, panels)}</g>`;
      }),
      text(12, middle, 'times an even share', { anchor: 'middle', rotate: -90 }),
    ],
  });
}

/** Heaviest first, as multiples of the mean; and the effective sample size, in points. */
interface Shown {
  name: string;
  shares: Float64Array;
  ess: number;
}

const DASHED = 'stroke-width="1.2" stroke-dasharray="4 3"';
const bar = (x: number, y: number): string => `<path d="M${x} ${y - 6}h14v11h-14z" fill="${WEIGHTED}"/>`;

function sharesOf(weights: ArrayLike<number>): Float64Array {
  return Float64Array.from(weights, (weight) => weight * weights.length).sort((a, b) => b - a);
}

function panel(
  { name, shares, ess }: Shown,
  y: Scale,
  labelled: boolean,
  { panelWidth, panelHeight, small }: Panels,
): string {
  const size = small ? 9 : 11;
  const uneven = `${small ? '' : 'ESS '}${ess.toFixed(1)} of ${shares.length}`;
  return [
    ...y.ticks.map((tick) => line(0, y(tick), panelWidth, y(tick), LINE)),
    steps(shares, panelWidth, y),
    line(0, panelHeight, panelWidth, panelHeight, CONTEXT),
    line(0, y(1), panelWidth, y(1), INK, DASHED),
    text(0, -8, fitted(name, panelWidth - (small ? 0 : 96), size + 1), {
      fill: INK,
      bold: true,
      size: size + 1,
      title: name,
    }),
    small
      ? text(panelWidth - 2, 10, uneven, { anchor: 'end', size })
      : text(panelWidth, -8, uneven, { anchor: 'end', size }),
    ...(labelled ? y.ticks.map((tick) => text(-6, y(tick) + size / 3, y.label(tick), { anchor: 'end', size })) : []),
  ].join('');
}

/** The area below the weights; of more points than there are pixels, one for each pixel. */
function steps(shares: Float64Array, width: number, y: Scale): string {
  const count = Math.min(shares.length, width);
  const gap = count <= width / 4 ? 1 : 0;
  const d = Array.from({ length: count }, (_, i) => {
    const share = shares[Math.floor((i * shares.length) / count)]!;
    const [left, right] = [(i * width) / count, ((i + 1) * width) / count - gap];
    return `M${round(left)} ${round(y(0))}V${round(y(share))}H${round(right)}V${round(y(0))}z`;
  });
  return `<path d="${d.join('')}" fill="${WEIGHTED}"/>`;
}

const round = (value: number): string => String(Number(value.toFixed(1)));

function described(classes: readonly ClassWeights[], shown: readonly unknown[], most: number): string {
  const shares = classes.map(({ weights }) => effectiveSampleSize(weights) / weights.length);
  const which =
    shown.length < classes.length
      ? `the first ${shown.length} of ${classes.length} classes`
      : `${classes.length} classes`;
  const percent = (value: number) => `${(100 * value).toFixed(0)}%`;
  return (
    `Weights of the points of ${which}, heaviest first, as multiples of an even share. The heaviest has ${most.toFixed(1)} times that. ` +
    `Effective sample sizes are from ${percent(Math.min(...shares))} to ${percent(Math.max(...shares))} of the points.`
  );
}
