import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import opentype, { type Font } from 'opentype.js';
import { type TextOutlines } from '../../pipeline/ports.ts';

const require = createRequire(import.meta.url);

/**
 * Roboto (SIL Open Font License), read once per process. Glyph by glyph, without kerning or ligatures: labels need
 * neither, and the shaping of opentype.js refuses the substitution tables of most current fonts.
 */
export function createTextOutlines(): TextOutlines {
  const fonts = new Map<number, Font>();
  const font = (weight: 400 | 700): Font => {
    const known = fonts.get(weight);
    if (known) return known;
    const file = readFileSync(require.resolve(`@fontsource/roboto/files/roboto-latin-${weight}-normal.woff`));
    const loaded = opentype.parse(file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength));
    fonts.set(weight, loaded);
    return loaded;
  };

  return {
    path(text, { x, y, size, anchor = 'start', maxWidth = Infinity, bold = false }) {
      const face = font(bold ? 700 : 400);
      const shown = fit(face, text, size, maxWidth);
      const width = advance(face, shown, size);
      let pen = anchor === 'start' ? x : anchor === 'middle' ? x - width / 2 : x - width;
      let data = '';
      for (const character of shown) {
        data += face.charToGlyph(character).getPath(pen, y, size).toPathData(2);
        pen += advance(face, character, size);
      }
      return data;
    },
  };
}

function advance(face: Font, text: string, size: number): number {
  let units = 0;
  for (const character of text) units += face.charToGlyph(character).advanceWidth;
  return (units * size) / face.unitsPerEm;
}

function fit(face: Font, text: string, size: number, maxWidth: number): string {
  if (advance(face, text, size) <= maxWidth) return text;
  const characters = [...text];
  while (characters.length > 1 && advance(face, `${characters.join('')}\u2026`, size) > maxWidth) characters.pop();
  return `${characters.join('')}\u2026`;
}
