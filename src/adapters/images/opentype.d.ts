/** The part of opentype.js that we use; the package ships no types. */
declare module 'opentype.js' {
  export interface Glyph {
    /** In font units. */
    advanceWidth: number;
    getPath(x: number, y: number, fontSize: number): { toPathData(decimalPlaces?: number): string };
  }
  export interface Font {
    unitsPerEm: number;
    charToGlyph(character: string): Glyph;
  }
  export function parse(buffer: ArrayBuffer): Font;
}
