import { PAGE_WIDTH } from './svg.ts';

/** More panels than this say nothing any more. */
export const MOST_CLASSES = 100;

/** A panel per class, side by side: larger ones for few, so that ten are read one by one and a hundred at a glance. */
export interface Panels {
  small: boolean;
  columns: number;
  panelWidth: number;
  panelHeight: number;
  gapX: number;
  gapY: number;
  /** Of all rows. */
  height: number;
  /** Left and top of a panel. */
  place(index: number): readonly [number, number];
  /** Whether it has nothing below it, and nothing to its left. */
  axes(index: number): { x: boolean; y: boolean };
}

export const LEFT = 58;
export const TOP = 54;

/** @param heights of a panel where they are many, and where they are few */
export function panelsOf(count: number, heights: { small: number; large: number }): Panels {
  const small = count > 20;
  const columns = small ? 10 : Math.max(3, Math.min(5, count));
  const [gapX, gapY] = small ? [12, 34] : [22, 46];
  const panelWidth = Math.floor((PAGE_WIDTH - LEFT - 8 - (columns - 1) * gapX) / columns);
  const panelHeight = small ? heights.small : heights.large;
  return {
    ...{ small, columns, panelWidth, panelHeight, gapX, gapY },
    height: Math.ceil(count / columns) * (panelHeight + gapY),
    place: (index) => [
      LEFT + (index % columns) * (panelWidth + gapX),
      TOP + Math.floor(index / columns) * (panelHeight + gapY),
    ],
    axes: (index) => ({ x: index + columns >= count, y: index % columns === 0 }),
  };
}
