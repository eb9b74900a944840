import { type TextOutlines } from '../ports.ts';
import { ON_WHITE } from './colors.ts';

/** One class of the sheet: its points, heaviest first. */
export interface SheetClass {
  name: string;
  points: readonly SheetPoint[];
}

export interface SheetPoint {
  png: Uint8Array;
  /** Share of the class's samples in the point's cell, 0 to 1. */
  weight: number;
}

export interface SheetLayout {
  svg: string;
  /** In pixels; a renderer may scale it up to `MAX_HEIGHT * 2`. */
  width: number;
  height: number;
}

const { ink: INK, line: LINE, muted: MUTED, weighted: WEIGHTED } = ON_WHITE;

const MARGIN = 24;
const GAP = 8;
const LABEL_WIDTH = 116;
const CAPTION_HEIGHT = 22;
const CLASS_GAP = 14;
const HEADER_HEIGHT = 66;
/** Renderers and viewers give up at 32,767 pixels; twice this leaves room. */
const MAX_HEIGHT = 15_000;

/**
 * The synthetic images, rows of them per class, heaviest first; beneath each its weight as a number and as a bar relative to
 * the heaviest point of the sheet. Drawn with outlines, so it looks the same everywhere. Where all of them would make too
 * tall a sheet it shows the heaviest of each class, and says so.
 */
export function contactSheet(title: string, classes: readonly SheetClass[], text: TextOutlines): SheetLayout {
  const most = classes.reduce((max, entry) => Math.max(max, entry.points.length), 0);
  const columns = most <= 12 ? most : 20;
  const cell = most <= 12 ? 72 : 48;
  const rowHeight = cell + CAPTION_HEIGHT + GAP;
  const shown = fitting(classes, columns, rowHeight);
  const heaviest = Math.max(...shown.map((entry) => entry.points[0]!.weight));
  const width = Math.max(480, 2 * MARGIN + LABEL_WIDTH + columns * (cell + GAP) - GAP);

  const parts: string[] = [];
  let y = MARGIN + 22;
  parts.push(label(text.path(title, { x: MARGIN, y: y - 4, size: 18, bold: true, maxWidth: width - 2 * MARGIN }), INK));
  const note = omission(classes, shown);
  if (note) parts.push(label(text.path(note, { x: MARGIN, y: y + 14, size: 11, maxWidth: width - 2 * MARGIN }), MUTED));
  y += note ? 30 : 18;
  for (const { name, all, points } of shown) {
    const counted = points.length < all ? `${points.length} of ${all} points` : `${all} points`;
    parts.push(
      label(text.path(name, { x: MARGIN, y: y + 18, size: 15, bold: true, maxWidth: LABEL_WIDTH - 12 }), INK),
      label(text.path(counted, { x: MARGIN, y: y + 36, size: 11 }), MUTED),
    );
    points.forEach((point, index) => {
      const x = MARGIN + LABEL_WIDTH + (index % columns) * (cell + GAP);
      parts.push(drawPoint(point, x, y + Math.floor(index / columns) * rowHeight, cell, heaviest, text));
    });
    y += Math.ceil(points.length / columns) * rowHeight + CLASS_GAP;
  }
  const height = y + MARGIN - CLASS_GAP;
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">` +
    `<rect width="${width}" height="${height}" fill="#ffffff"/>${parts.join('')}</svg>`;
  return { svg, width, height };
}

interface ShownClass extends SheetClass {
  /** Points that the class has, shown or not. */
  all: number;
}

/** As many rows of each class as fit, heaviest points first; where not even one row of each fits, the first classes. */
function fitting(classes: readonly SheetClass[], columns: number, rowHeight: number): ShownClass[] {
  const room = MAX_HEIGHT - HEADER_HEIGHT - MARGIN;
  const rowsEach = (room / classes.length - CLASS_GAP) / rowHeight;
  const rowsNeeded = classes.reduce((sum, { points }) => sum + Math.ceil(points.length / columns), 0);
  const allFit = rowsNeeded * rowHeight + classes.length * CLASS_GAP <= room;
  const limit = allFit ? Infinity : columns * Math.max(1, Math.floor(rowsEach));
  const fits = allFit ? classes.length : Math.floor(room / (rowHeight + CLASS_GAP));
  return classes.slice(0, fits).map(({ name, points }) => ({
    name,
    all: points.length,
    points: [...points].sort((a, b) => b.weight - a.weight).slice(0, limit),
  }));
}

function omission(classes: readonly SheetClass[], shown: readonly ShownClass[]): string | null {
  const count = (of: readonly SheetClass[]) => of.reduce((sum, { points }) => sum + points.length, 0);
  if (count(shown) === count(classes)) return null;
  const which =
    shown.length < classes.length ? `of the first ${shown.length} of ${classes.length} classes` : 'of each class';
  return `Showing ${count(shown).toLocaleString('en-US')} of ${count(classes).toLocaleString('en-US')} images: the heaviest ${which}.`;
}

function drawPoint(
  point: SheetPoint,
  x: number,
  y: number,
  cell: number,
  heaviest: number,
  text: TextOutlines,
): string {
  const href = `data:image/png;base64,${Buffer.from(point.png).toString('base64')}`;
  const bar = Math.max(1, (cell * point.weight) / heaviest);
  const caption = `${(100 * point.weight).toFixed(point.weight < 0.0995 ? 2 : 1)}%`;
  return (
    `<image x="${x}" y="${y}" width="${cell}" height="${cell}" image-rendering="optimizeSpeed" href="${href}"/>` +
    `<rect x="${x}" y="${y + cell + 3}" width="${cell}" height="4" rx="2" fill="${LINE}"/>` +
    `<rect x="${x}" y="${y + cell + 3}" width="${bar.toFixed(2)}" height="4" rx="2" fill="${WEIGHTED}"/>` +
    label(text.path(caption, { x: x + cell / 2, y: y + cell + 18, size: 10.5, anchor: 'middle' }), MUTED)
  );
}

const label = (path: string, fill: string): string => `<path d="${path}" fill="${fill}"/>`;
