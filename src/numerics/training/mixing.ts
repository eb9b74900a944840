import { type RandomStream } from '../math/random.ts';
import { type ImageShape } from './images.ts';

export interface Mixing {
  readonly kind: 'cutmix' | 'mixup';
  /** Both parameters of the beta distribution of the share that an image keeps. */
  readonly concentration: number;
}

/** What a batch is made of, each row of one image. */
export interface MixedBatch {
  /** (n, channels, height, width) */
  readonly images: Float32Array;
  /** (n, classes) probabilities */
  readonly targets: Float32Array;
  /** (n,) */
  readonly weights: Float32Array;
}

/**
 * Mixes each image with another of the batch, all in one proportion: Zhang et al., "mixup", arXiv 1710.09412, or Yun et al., "CutMix", arXiv
 * 1905.04899, where a rectangle comes from the other image and the proportion is that of the areas. Labels are mixed alike, and so are weights:
 * share w[i] + (1 - share) w[j].
 *
 * @param draw numbers that belong to this batch of this epoch alone
 * @returns a new batch, and the share that every image kept
 */
export function mixed(
  { images, targets, weights }: MixedBatch,
  shape: ImageShape,
  { kind, concentration }: Mixing,
  draw: RandomStream,
): MixedBatch & { share: number } {
  const n = weights.length;
  const partners = partnersOf(n, draw);
  const drawn = beta(concentration, draw, n);
  const size = shape.channels * shape.height * shape.width;
  let share = drawn;
  let mixedImages: Float32Array;
  if (kind === 'mixup') mixedImages = blended(images, size, partners, share);
  else {
    const box = boxOf(shape, drawn, draw);
    share = 1 - ((box.bottom - box.top) * (box.right - box.left)) / (shape.height * shape.width);
    mixedImages = pasted(images, shape, partners, box);
  }
  return {
    images: mixedImages,
    targets: blended(targets, targets.length / n, partners, share),
    weights: blended(weights, 1, partners, share),
    share,
  };
}

/** A permutation: each image gives to one, and may be its own partner. */
function partnersOf(n: number, draw: RandomStream): Int32Array {
  const partners = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor(draw.uniform(i) * (i + 1));
    [partners[i], partners[j]] = [partners[j]!, partners[i]!];
  }
  return partners;
}

/** Jöhnk's method: the pairs (u, v) with u^(1/a) + v^(1/a) <= 1, of which u's part of the sum is beta distributed. */
function beta(a: number, draw: RandomStream, n: number): number {
  for (let index = 2 * n; ; index += 2) {
    const [x, y] = [draw.uniform(index) ** (1 / a), draw.uniform(index + 1) ** (1 / a)];
    if (x + y <= 1 && x + y > 0) return x / (x + y);
  }
}

interface Box {
  top: number;
  left: number;
  bottom: number;
  right: number;
}

/** Of about the area that the other image gets, around a place anywhere, cut off at the border.. */
function boxOf({ height, width }: ImageShape, share: number, draw: RandomStream): Box {
  const side = Math.sqrt(1 - share);
  const along = (length: number, index: number): [number, number] => {
    const centre = Math.floor(draw.uniform(index) * length);
    const half = Math.floor((side * length) / 2);
    return [Math.max(0, centre - half), Math.min(length, centre + half)];
  };
  const [top, bottom] = along(height, PLACE);
  const [left, right] = along(width, PLACE + 1);
  return { top, left, bottom, right };
}

/** Far from what partners and the share read. */
const PLACE = 2 ** 31;

function blended(rows: Float32Array, length: number, partners: Int32Array, share: number): Float32Array {
  return rows.map((value, i) => {
    const other = rows[partners[Math.floor(i / length)]! * length + (i % length)]!;
    return share * value + (1 - share) * other;
  });
}

function pasted(images: Float32Array, shape: ImageShape, partners: Int32Array, box: Box): Float32Array {
  const { channels, height, width } = shape;
  const size = channels * height * width;
  const out = images.slice();
  for (const [i, partner] of partners.entries())
    for (let c = 0; c < channels; c++)
      for (let y = box.top; y < box.bottom; y++) {
        const row = (c * height + y) * width;
        out.set(
          images.subarray(partner * size + row + box.left, partner * size + row + box.right),
          i * size + row + box.left,
        );
      }
  return out;
}
