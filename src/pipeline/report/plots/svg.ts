import { escape } from '../html.ts';

/** What the plots draw with: SVG as text for a page of HTML, no font and no style from elsewhere. */

export const INK = '#1b1f24';
export const MUTED = '#5b6472';
export const GRID = '#e9ecf0';
export const CONTEXT = '#c3c9d2';
export const BLUE = '#2563eb';
export const AMBER = '#c2570c';

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
    `font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="11" style="max-width:100%;height:auto">` +
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

export function dot(x: number, y: number, r: number, fill: string, more = ''): string {
  return `<circle cx="${px(x)}" cy="${px(y)}" r="${r}" fill="${fill}"${more && ` ${more}`}/>`;
}

export function text(
  x: number,
  y: number,
  words: string,
  { anchor = 'start', fill = MUTED, bold = false, size = 11, rotate = 0 } = {},
): string {
  const turned = rotate === 0 ? '' : ` transform="rotate(${rotate} ${px(x)} ${px(y)})"`;
  const weight = bold ? ' font-weight="600"' : '';
  return `<text x="${px(x)}" y="${px(y)}" text-anchor="${anchor}" fill="${fill}" font-size="${size}"${weight}${turned}>${escape(words)}</text>`;
}

/** As much of a text as fits about this width, by the mean width of a letter. */
export function fitted(words: string, width: number, size = 11): string {
  const most = Math.max(2, Math.floor(width / (0.56 * size)));
  return words.length <= most ? words : `${words.slice(0, most - 1)}\u2026`;
}

const px = (value: number): string => String(Number(value.toFixed(1)));
