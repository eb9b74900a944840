import { D4M, HELD_OUT, INK, LINE, MUTED, WEIGHTED } from '../report/colors.ts';
import { enclosingScale, type Scale } from '../report/plots/scale.ts';
import { dot, fitted, legend, line, PAGE_WIDTH, rect, svg, text, whisker } from '../report/plots/svg.ts';
import { type TestedClass } from './classes.ts';

const LABEL_WIDTH = 128;
/** Pixels that the two panels reach from and to. */
const DISTANCES = [LABEL_WIDTH + 8, 680] as const;
const MASSES = [740, PAGE_WIDTH - 20] as const;
const TOP = 82;
const FOOT = 30;
const ROW = 30;

/**
 * How far held-out samples and new images of each class lie from their points, as the middle half and the reach of nine tenths; beside it how much
 * mass has moved, and what chance would move.
 *
 * @param classes at least one
 */
export function driftPlot(classes: readonly (TestedClass & { drifted: boolean })[]): string {
  const bottom = TOP + classes.length * ROW;
  const all = classes.flatMap(({ quantiles }) => [...quantiles.reference, ...quantiles.sample]);
  const distances = enclosingScale([0, ...all], DISTANCES, 8);
  const masses = enclosingScale([0, ...classes.map((one) => 100 * one.totalVariation)], MASSES, 4);
  const bar = (color: string) => (x: number, y: number) => rect(x, y - 5, 14, 9, color);
  return svg({
    width: PAGE_WIDTH,
    height: bottom + FOOT,
    description: described(classes),
    parts: [
      legend(DISTANCES[0], 12, [
        { words: 'held out', sign: bar(HELD_OUT), width: 14 },
        { words: 'new images', sign: bar(WEIGHTED), width: 14 },
        { words: 'new images, drift', sign: bar(D4M), width: 14 },
        { words: 'by chance', sign: (x, y) => line(x + 1, y - 6, x + 1, y + 6, MUTED), width: 3 },
      ]),
      panel('Distance to the nearest point, in latent units', distances, DISTANCES[0], bottom),
      panel('Mass that moved, in percent', masses, MASSES[0], bottom),
      ...classes.map((one, i) => row(one, TOP + i * ROW, { distances, masses })),
    ],
  });
}

function row(
  one: TestedClass & { drifted: boolean },
  y: number,
  { distances, masses }: { distances: Scale; masses: Scale },
): string {
  const middle = y + ROW / 2;
  const name = fitted(one.className, LABEL_WIDTH - 8, 12);
  const color = one.drifted ? D4M : WEIGHTED;
  const spread = ([low, q1, half, q3, high]: readonly number[], at: number, fill: string) =>
    whisker(distances(low!), distances(high!), at + 4.5, fill) +
    rect(distances(q1!), at, Math.max(1, distances(q3!) - distances(q1!)), 9, fill) +
    line(distances(half!), at, distances(half!), at + 9, INK);
  const expected = masses(100 * one.expectedVariation);
  return [
    text(LABEL_WIDTH, middle + 4, name, { anchor: 'end', fill: INK, size: 12, title: one.className }),
    spread(one.quantiles.reference, middle - 10, HELD_OUT),
    spread(one.quantiles.sample, middle + 1, color),
    line(MASSES[0], middle, MASSES[1], middle, LINE),
    line(expected, middle - 7, expected, middle + 7, MUTED),
    dot(masses(100 * one.totalVariation), middle, 4.5, color),
  ].join('');
}

/** Title, grid and labels above and below. */
function panel(title: string, scale: Scale, left: number, bottom: number): string {
  const lines = scale.ticks.map((tick) => {
    const label = (y: number) => text(scale(tick), y, scale.label(tick), { anchor: 'middle' });
    return line(scale(tick), TOP, scale(tick), bottom, tick === 0 ? MUTED : LINE) + label(TOP - 8) + label(bottom + 17);
  });
  return text(left, TOP - 28, title, { bold: true, fill: INK, size: 12 }) + lines.join('');
}

function described(classes: readonly (TestedClass & { drifted: boolean })[]): string {
  const drifted = classes.filter((one) => one.drifted).map(({ className }) => className);
  const ratios = classes.map(({ distanceRatio }) => distanceRatio);
  return (
    `Distances of held-out samples and of new images for each of ${classes.length} classes: ratios of their means from ` +
    `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}. ` +
    `${drifted.length === 0 ? 'No class has drifted.' : `Drifted: ${drifted.join(', ')}.`} The table below has the numbers.`
  );
}
