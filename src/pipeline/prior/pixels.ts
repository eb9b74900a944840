import { type Extent } from './description.ts';

/**
 * Bytes to what a network takes: `(pixel / 255 - mean) / std` per channel.
 * @param pixels (b, H, W, C) @param mean (C,) @param std (C,) @returns (b, C, H, W)
 */
export function toPlanes(
  pixels: Uint8Array,
  image: Extent,
  mean: readonly number[],
  std: readonly number[],
): Float32Array {
  const { channels } = image;
  const area = image.height * image.width;
  const planes = new Float32Array(pixels.length);
  const tables = Array.from({ length: channels }, (_, channel) =>
    Float32Array.from({ length: 256 }, (_, level) => (level / 255 - mean[channel]!) / std[channel]!),
  );
  for (let start = 0; start < pixels.length; start += area * channels) {
    for (let channel = 0; channel < channels; channel++) {
      const table = tables[channel]!;
      const plane = start + channel * area;
      for (let i = 0, from = start + channel; i < area; i++, from += channels)
        planes[plane + i] = table[pixels[from]!]!;
    }
  }
  return planes;
}

/**
 * A decoder's [-1, 1] to bytes, cut at the ends, halves rounded to even.
 * @param planes (b, C, H, W) @returns (b, H, W, C)
 */
export function toPixels(planes: Float32Array, image: Extent): Uint8Array {
  const { channels } = image;
  const area = image.height * image.width;
  // A clamped array rounds and cuts while it is written.
  const pixels = new Uint8ClampedArray(planes.length);
  for (let start = 0; start < planes.length; start += area * channels) {
    for (let channel = 0; channel < channels; channel++) {
      const plane = start + channel * area;
      for (let i = 0, to = start + channel; i < area; i++, to += channels)
        pixels[to] = planes[plane + i]! * 127.5 + 127.5;
    }
  }
  return new Uint8Array(pixels.buffer);
}
