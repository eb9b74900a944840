import { type TextOutlines } from '../ports.ts';

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
  width: number;
  height: number;
}

const MARGIN = 24;
const GAP = 8;
const LABEL_WIDTH = 116;
const CAPTION_HEIGHT = 22;
const CLASS_GAP = 14;

/**
 * Every synthetic image, a row per class, heaviest first; beneath each its weight as a number and as a bar relative to
 * the heaviest point of the sheet. Drawn with outlines, so it looks the same everywhere.
 */
export function contactSheet(title: string, classes: readonly SheetClass[], text: TextOutlines): SheetLayout {
  const most = Math.max(...classes.map((entry) => entry.points.length));
  const columns = Math.min(most, most <= 12 ? 12 : 20);
  const cell = columns <= 12 ? 72 : 48;
  const rowHeight = cell + CAPTION_HEIGHT + GAP;
  const heaviest = Math.max(...classes.flatMap((entry) => entry.points.map((point) => point.weight)));
  const width = Math.max(480, 2 * MARGIN + LABEL_WIDTH + columns * (cell + GAP) - GAP);

  const parts: string[] = [];
  let y = MARGIN + 22;
  parts.push(label(text.path(title, { x: MARGIN, y: y - 4, size: 18, bold: true, maxWidth: width - 2 * MARGIN }), INK));
  y += 18;
  for (const entry of classes) {
    const points = [...entry.points].sort((a, b) => b.weight - a.weight);
    parts.push(
      label(text.path(entry.name, { x: MARGIN, y: y + 18, size: 15, bold: true, maxWidth: LABEL_WIDTH - 12 }), INK),
      label(text.path(`${points.length} points`, { x: MARGIN, y: y + 36, size: 11 }), MUTED),
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

const INK = '#1b1f24';
const MUTED = '#6b7280';

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
    `<rect x="${x}" y="${y + cell + 3}" width="${cell}" height="4" rx="2" fill="#e5e7eb"/>` +
    `<rect x="${x}" y="${y + cell + 3}" width="${bar.toFixed(2)}" height="4" rx="2" fill="#2563eb"/>` +
    label(text.path(caption, { x: x + cell / 2, y: y + cell + 18, size: 10.5, anchor: 'middle' }), MUTED)
  );
}

const label = (path: string, fill: string): string => `<path d="${path}" fill="${fill}"/>`;
