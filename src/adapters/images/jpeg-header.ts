const START_OF_SCAN = 0xda;
/** Frame headers, of which those of differential and lossless coding are left to the general way. */
const FRAMES = new Set([0xc0, 0xc1, 0xc2]);
/** EXIF (orientation), ICC profile, Adobe (CMYK): whatever makes the pixels mean something else. */
const MEANINGFUL = new Set([0xe1, 0xe2, 0xee]);

/**
 * The size of a JPEG whose pixels are plain YCbCr: three channels of 8 bits, no orientation, no profile. Null for any
 * other, and for what is no JPEG.
 */
export function plainJpegSize(bytes: Uint8Array): { width: number; height: number } | null {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return null;
  const word = (at: number) => (bytes[at]! << 8) | bytes[at + 1]!;
  let size: { width: number; height: number } | null = null;
  for (let at = 2; at + 10 < bytes.length; at += 2 + word(at + 2)) {
    const marker = bytes[at + 1]!;
    if (bytes[at] !== 0xff || MEANINGFUL.has(marker)) return null;
    if (marker === START_OF_SCAN) return size;
    if (!FRAMES.has(marker)) continue;
    if (bytes[at + 4] !== 8 || bytes[at + 9] !== 3) return null;
    size = { height: word(at + 5), width: word(at + 7) };
  }
  return null;
}
