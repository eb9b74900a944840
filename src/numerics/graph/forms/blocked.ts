/**
 * Convolutions in the layout that ONNX Runtime's kernels for CPUs want: (n, channels / b, h, w, b), b floats being a register. Left
 * alone it takes that layout only for weights that never change. Its operators keep the shape (n, channels, h, w) while elements lie so;
 * weights are (o / b, i / b, kernel, b of i, b of o).
 *
 * CPU milliseconds, onnxruntime-node 1.30, AVX-512 (b = 16), two threads, 3x3, reorders of images and weights included:
 *
 * | batch, channels, size | Conv | blocked | ConvTranspose | blocked | products | blocked |
 * | 64, 128, 16x16        | 61   | 51      | 61            | 51      | 100      | 80      |
 * | 32, 64, 32x32         | 31   | 26      | 35            | 26      | 63       | 36      |
 * | 32, 256, 8x8          | 27   | 24      | 29            | 24      | 41       | 29      |
 *
 * Without the reorders a convolution of these takes 48, 24 and 22.
 */
import { concat, pad, reshape, slice, transpose } from '../functions.ts';
import { type Value } from '../graph.ts';
import { type Builder } from '../operator.ts';
import { windowAttributes, type Window } from '../window.ts';

const blocks = (g: Builder, x: Value): Value => g.node('nchwc.ReorderInput', [x])[0]!;
const planes = (g: Builder, x: Value): Value => g.node('nchwc.ReorderOutput', [x], { channels: x.shape[1]! })[0]!;

/** Below so many places (samples, height and width) it costs more to reorder the weights than it saves. */
const PLACES = 1024;

const placesOf = ([n, , h, w]: readonly number[]): number => n! * h! * w!;

/** @param y the shape of the result @param w (o, channels, kernel) */
export function blockedFits(y: readonly number[], w: readonly number[], block: number): boolean {
  return w[0]! % block === 0 && w[1]! % block === 0 && placesOf(y) >= PLACES;
}

export function blockedConvolution(
  g: Builder,
  x: Value,
  w: Value,
  bias: Value | null,
  window: Window,
  block: number,
): Value {
  const [o, i, u, v] = w.shape as [number, number, number, number];
  const apart = reshape(g, w, [o / block, block, i / block, block, u, v]);
  const weights = reshape(g, transpose(g, apart, [0, 2, 4, 5, 3, 1]), w.shape);
  const inputs = [blocks(g, x), weights, ...(bias ? [bias] : [])];
  return planes(g, g.node('nchwc.Conv', inputs, windowAttributes(window))[0]!);
}

/**
 * A transposed convolution of stride 1 is a convolution with the kernel turned around and the channels exchanged.
 * @param w (channels of x, o, kernel)
 */
export function blockedTransposed(g: Builder, x: Value, w: Value, window: Window, block: number): Value {
  const [i, o, u, v] = w.shape as [number, number, number, number];
  const flat = reshape(g, w, [i, o, u * v]);
  const backwards = BigInt64Array.from({ length: u * v }, (_, at) => BigInt(u * v - 1 - at));
  const turned = g.node('Gather', [flat, g.constant(backwards, [u * v])], { axis: 2 })[0]!;
  const weights = reshape(g, transpose(g, turned, [1, 0, 2]), [o, i, u, v]);
  const { kernel, dilations, pads } = window;
  const around = pads.map((count, side) => dilations[side % 2]! * (kernel[side % 2]! - 1) - count);
  return blockedConvolution(g, x, weights, null, { ...window, pads: around as never }, block);
}

/** Samples are filled up to whole blocks with zeros, as long as that costs less than the form gains. */
const FILLED = 1.3;

export function blockedGradientFits(dy: readonly number[], block: number): boolean {
  const filled = Math.ceil(dy[0]! / block) * block;
  return dy[1]! % block === 0 && filled <= FILLED * dy[0]!;
}

/**
 * The gradient by weights as convolutions over (rows, samples) as channels: the kernel is a row of dy, what it moves over a row
 * of x, and the other axis holds the channels of x. So all sums are within the kernel of the convolution, its result is the columns of the kernel by
 * channels, and a shift by rows is a range of channels: nothing is copied for each element.
 *
 * @param x (n, channels, h, w)
 * @param dy (n, o, h', w')
 * @returns (o, channels, kernel)
 */
export function blockedGradient(g: Builder, x: Value, dy: Value, window: Window, block: number): Value {
  const { kernel, strides, dilations, pads } = window;
  const [, channels, height, width] = x.shape as [number, number, number, number];
  const [n, o, rows, columns] = dy.shape as [number, number, number, number];
  const filled = Math.ceil(n / block) * block;
  const fill = (of: Value) => pad(g, of, [0, 0, 0, 0, filled - n, 0, 0, 0]);
  const groups = filled / block;

  // (h, n / b, w, channels, b of n)
  const samples = blocks(g, reshape(g, fill(x), [1, filled, channels * height, width]));
  const image = transpose(g, reshape(g, samples, [groups, channels, height, width, block]), [2, 0, 3, 1, 4]);
  // (o / b, h', n / b, w', b of n, b of o)
  const outputs = reshape(g, blocks(g, fill(dy)), [groups, block, o / block, rows, columns, block]);
  const kernels = transpose(g, outputs, [2, 3, 0, 4, 1, 5]);

  const reach = (columns - 1) * strides[1] + (kernel[1] - 1) * dilations[1] + 1;
  const right = reach - width - pads[1];
  const used = Math.min(width, width + right);
  const taps: Value[] = [];
  for (let u = 0; u < kernel[0]; u++) {
    // Rows of dy whose row of x is one of the image.
    const offset = u * dilations[0] - pads[0];
    const first = Math.max(0, Math.ceil(-offset / strides[0]));
    const last = Math.min(rows - 1, Math.floor((height - 1 - offset) / strides[0]));
    const count = Math.max(0, last - first + 1);
    if (count === 0) {
      taps.push(g.constant(new Float32Array(o * kernel[1] * channels), [o, 1, kernel[1], channels]));
      continue;
    }
    const from = first * strides[0] + offset;
    const met = slice(g, image, [
      { axis: 0, from, to: from + (count - 1) * strides[0] + 1, step: strides[0] },
      { axis: 2, from: 0, to: used },
    ]);
    const by = slice(g, kernels, [{ axis: 1, from: first, to: first + count }]);
    const found = g.node(
      'nchwc.Conv',
      [reshape(g, met, [1, count * filled, used, channels]), reshape(g, by, [o, count * filled, columns, 1])],
      {
        kernel_shape: [columns, 1],
        dilations: [strides[1], 1],
        strides: [dilations[1], 1],
        pads: [pads[1], 0, Math.max(0, right), 0],
      },
    )[0]!;
    taps.push(reshape(g, planes(g, found), [o, 1, kernel[1], channels]));
  }
  return transpose(g, concat(g, taps, 1), [0, 3, 1, 2]);
}
