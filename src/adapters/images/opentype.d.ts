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
  // a CommonJS package: Node finds its exports on the default alone
  const opentype: { parse(buffer: ArrayBuffer): Font };
  export default opentype;
}
