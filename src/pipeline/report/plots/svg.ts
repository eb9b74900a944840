import { CARD, INK, MUTED } from '../colors.ts';
import { escape } from '../html.ts';

/** What the plots draw with: SVG as text for a page of HTML, no font and no style from elsewhere. */

/** As wide as a section of the page. */
export const PAGE_WIDTH = 1070;

export interface Drawing {
  width: number;
  height: number;
  /** What one sees, for who does not. */
  description: string;
  parts: readonly string[];
}

export function svg({ width, height, description, parts }: Drawing): string {
  return (
    `<svg role="img" aria-label="${escape(description)}" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" ` +
    `font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif" class="plot">` +
    `${parts.join('')}</svg>`
  );
}

export function line(x1: number, y1: number, x2: number, y2: number, stroke: string, more = ''): string {
  return `<path d="M${px(x1)} ${px(y1)}L${px(x2)} ${px(y2)}" stroke="${stroke}"${more && ` ${more}`}/>`;
}

export function polyline(points: readonly (readonly [number, number])[], stroke: string, more = ''): string {
  const d = points.map(([x, y], i) => `${i === 0 ? 'M' : 'L'}${px(x)} ${px(y)}`).join('');
  return `<path d="${d}" fill="none" stroke="${stroke}" stroke-linejoin="round" stroke-linecap="round"${more && ` ${more}`}/>`;
}

/** From one value to another, with ends. */
export function whisker(from: number, to: number, y: number, stroke: string): string {
  return `<path d="M${px(from)} ${px(y)}H${px(to)}M${px(from)} ${px(y - 2.5)}v5M${px(to)} ${px(y - 2.5)}v5" stroke="${stroke}" stroke-width="1.2" fill="none"/>`;
}

export function rect(x: number, y: number, width: number, height: number, fill: string): string {
  return `<rect x="${px(x)}" y="${px(y)}" width="${px(width)}" height="${px(height)}" fill="${fill}"/>`;
}

export function dot(x: number, y: number, r: number, fill: string, more = ''): string {
  return `<circle cx="${px(x)}" cy="${px(y)}" r="${r}" fill="${fill}"${more && ` ${more}`}/>`;
}

/** A dot that is its outline alone. */
export function ring(x: number, y: number, r: number, stroke: string, width: number): string {
  return dot(x, y, r, CARD, `stroke="${stroke}" stroke-width="${width}"`);
}

/** @param title what is shown of it when it is pointed at: the words that were cut */
export function text(
  x: number,
  y: number,
  words: string,
  { anchor = 'start', fill = MUTED, bold = false, size = 11, rotate = 0, title = words } = {},
): string {
  const turned = rotate === 0 ? '' : ` transform="rotate(${rotate} ${px(x)} ${px(y)})"`;
  const weight = bold ? ' font-weight="600"' : '';
  const whole = title === words ? '' : `<title>${escape(title)}</title>`;
  return `<text x="${px(x)}" y="${px(y)}" text-anchor="${anchor}" fill="${fill}" font-size="${size}"${weight}${turned}>${whole}${escape(words)}</text>`;
}

/** What a sign means. */
export interface LegendEntry {
  words: string;
  /** Draws it, from `x` on and around `y`. */
  sign: (x: number, y: number) => string;
  /** How wide it is drawn. */
  width: number;
}

/** One line of signs and words. */
export function legend(left: number, y: number, entries: readonly LegendEntry[]): string {
  let x = left;
  return entries
    .map(({ words, sign, width }) => {
      const at = x + width + (width > 0 ? 7 : 0);
      const drawn = sign(x, y) + text(at, y + 4, words, { fill: INK });
      x = at + 6.2 * words.length + 24;
      return drawn;
    })
    .join('');
}

/** As much of a text as fits about this width, by the mean width of a letter. */
export function fitted(words: string, width: number, size = 11): string {
  const most = Math.max(2, Math.floor(width / (0.56 * size)));
  const letters = [...words];
  return letters.length <= most ? words : `${letters.slice(0, most - 1).join('')}\u2026`;
}

const px = (value: number): string => String(Number(value.toFixed(1)));
