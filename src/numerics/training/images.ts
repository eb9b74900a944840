import { type RandomStream } from '../math/random.ts';

/** (channels, height, width), row-major. */
export interface ImageShape {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
}

/** Changes one image in place. @param draw numbers that belong to this image of this epoch alone */
export type Change = (image: Float32Array, shape: ImageShape, draw: RandomStream) => void;

/** Mirrored in half of the cases. */
export const flip: Change = (image, { channels, height, width }, draw) => {
  if (draw.uniform(0) < 0.5) return;
  for (let row = 0; row < channels * height; row++) image.subarray(row * width, (row + 1) * width).reverse();
};

/** Moved by up to an eighth of its size along each axis, zeros where nothing was. */
export const crop: Change = (image, shape, draw) => {
  const along = (length: number, index: number) => {
    const most = Math.floor(length / 8 + 0.5);
    return Math.floor(draw.uniform(index) * (2 * most + 1)) - most;
  };
  const [down, right] = [along(shape.height, 1), along(shape.width, 2)];
  resample(image, shape, (y, x) => [y + down, x + right], 'nearest');
};

/** A square of half the size is zero, wherever its centre falls. DeVries and Taylor, arXiv 1708.04552. */
export const cutout: Change = (image, { channels, height, width }, draw) => {
  const begin = (length: number, index: number) =>
    Math.floor(draw.uniform(index) * (length + 1)) - Math.floor(length / 4);
  const [top, left] = [begin(height, 3), begin(width, 4)];
  const [bottom, right] = [top + Math.floor(height / 2), left + Math.floor(width / 2)];
  for (let c = 0; c < channels; c++)
    for (let y = Math.max(0, top); y < Math.min(height, bottom); y++)
      image.fill(
        0,
        (c * height + y) * width + Math.max(0, left),
        (c * height + y) * width + Math.max(0, Math.min(width, right)),
      );
};

/** Brightness, saturation and contrast, as far as DSA has them: shift by up to 1/2, factors of 0 to 2, and of 1/2 to 3/2. */
export const color: Change = (image, { channels, height, width }, draw) => {
  const places = height * width;
  const shift = draw.uniform(5) - 0.5;
  for (let i = 0; i < image.length; i++) image[i]! += shift;
  const saturation = 2 * draw.uniform(6);
  for (let i = 0; i < places; i++) {
    let mean = 0;
    for (let c = 0; c < channels; c++) mean += image[c * places + i]! / channels;
    for (let c = 0; c < channels; c++) image[c * places + i] = mean + (image[c * places + i]! - mean) * saturation;
  }
  const contrast = 0.5 + draw.uniform(7);
  let mean = 0;
  for (let i = 0; i < image.length; i++) mean += image[i]! / image.length;
  for (let i = 0; i < image.length; i++) image[i] = mean + (image[i]! - mean) * contrast;
};

/** Each axis by a factor of 1 / 1.2 to 1.2, about the centre. */
export const scale: Change = (image, shape, draw) => {
  const factor = (index: number) => 1 / 1.2 + draw.uniform(index) * (1.2 - 1 / 1.2);
  const [down, right] = [factor(8), factor(9)];
  about(image, shape, ([y, x]) => [y * down, x * right]);
};

/** By up to 15 degrees either way, about the centre. */
export const rotate: Change = (image, shape, draw) => {
  const angle = ((draw.uniform(10) - 0.5) * 2 * 15 * Math.PI) / 180;
  const [sine, cosine] = [Math.sin(angle), Math.cos(angle)];
  about(image, shape, ([y, x]) => [cosine * y + sine * x, cosine * x - sine * y]);
};

const DSA: readonly Change[] = [color, crop, cutout, flip, scale, rotate];

/**
 * One of these changes. Zhao and Bilen, "Dataset condensation with differentiable Siamese augmentation", arXiv
 * 2102.08259, with the sizes of its code, which draws one for a batch where this draws one for an image.
 */
export const dsa: Change = (image, shape, draw) => {
  DSA[Math.floor(draw.uniform(11) * DSA.length)]!(image, shape, draw);
};

/** @param from where a place, told from the centre, has its value from */
function about(image: Float32Array, shape: ImageShape, from: (place: [number, number]) => [number, number]): void {
  const [middleY, middleX] = [(shape.height - 1) / 2, (shape.width - 1) / 2];
  const place = (y: number, x: number): [number, number] => {
    const [dy, dx] = from([y - middleY, x - middleX]);
    return [middleY + dy, middleX + dx];
  };
  resample(image, shape, place, 'bilinear');
}

/** Zeros outside of the image. */
function resample(
  image: Float32Array,
  { channels, height, width }: ImageShape,
  from: (y: number, x: number) => [number, number],
  by: 'nearest' | 'bilinear',
): void {
  const before = image.slice();
  const at = (c: number, y: number, x: number) =>
    y >= 0 && y < height && x >= 0 && x < width ? before[(c * height + y) * width + x]! : 0;
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const [sourceY, sourceX] = from(y, x);
      const [top, left] = [Math.floor(sourceY), Math.floor(sourceX)];
      const [down, right] = by === 'nearest' ? [0, 0] : [sourceY - top, sourceX - left];
      for (let c = 0; c < channels; c++)
        image[(c * height + y) * width + x] =
          (1 - down) * ((1 - right) * at(c, top, left) + right * at(c, top, left + 1)) +
          down * ((1 - right) * at(c, top + 1, left) + right * at(c, top + 1, left + 1));
    }
}
