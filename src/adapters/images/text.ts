import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Font, parse } from 'opentype.js';
import { type TextOutlines } from '../../pipeline/ports.ts';

const require = createRequire(import.meta.url);

/** Roboto (SIL Open Font License), read once per process. */
export function createTextOutlines(): TextOutlines {
  const fonts = new Map<number, Font>();
  const font = (weight: 400 | 700): Font => {
    const known = fonts.get(weight);
    if (known) return known;
    const file = readFileSync(require.resolve(`@fontsource/roboto/files/roboto-latin-${weight}-normal.woff`));
    const loaded = parse(file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength));
    fonts.set(weight, loaded);
    return loaded;
  };

  return {
    path(text, { x, y, size, anchor = 'start', maxWidth = Infinity, bold = false }) {
      const face = font(bold ? 700 : 400);
      const shown = fit(face, text, size, maxWidth);
      const width = face.getAdvanceWidth(shown, size);
      const left = anchor === 'start' ? x : anchor === 'middle' ? x - width / 2 : x - width;
      return face.getPath(shown, left, y, size).toPathData(2);
    },
  };
}

function fit(face: Font, text: string, size: number, maxWidth: number): string {
  if (face.getAdvanceWidth(text, size) <= maxWidth) return text;
  let end = text.length;
  while (end > 1 && face.getAdvanceWidth(`${text.slice(0, end)}\u2026`, size) > maxWidth) end--;
  return `${text.slice(0, end)}\u2026`;
}
