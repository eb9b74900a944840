import { concat, matMul, pad, reshape, slice, transpose } from '../functions.ts';
import { type Value } from '../graph.ts';
import { type Builder } from '../operator.ts';
import { outputLength, type Window } from '../window.ts';

/**
 * The gradient of a convolution by its weights: dw[o, i, u, v] = sum over n, y, x of
 * dy[n, o, y, x] x[n, i, s y + d u, s x + d v], x padded, s the stride, d the dilation.
 *
 * @param x (n, channels, h, w)
 * @param dy (n, o, h', w')
 * @returns (o, channels / group, kernel)
 */
export function weightGradient(g: Builder, x: Value, dy: Value, window: Window, group: number): Value {
  return group === 1 ? byProducts(g, x, dy, window) : byConvolution(g, x, dy, window, group);
}

/** A product for each element of the kernel, over samples and places: x is shifted, channels last. Twice as fast as `byConvolution`. */
function byProducts(g: Builder, x: Value, dy: Value, { kernel, strides, dilations, pads }: Window): Value {
  const [n, channels] = x.shape as [number, number];
  const [, o, height, width] = dy.shape as [number, number, number, number];
  const places = n * height * width;
  const left = reshape(g, transpose(g, dy, [1, 0, 2, 3]), [o, places]);
  const last = pad(g, transpose(g, x, [0, 2, 3, 1]), [0, pads[0], pads[1], 0, 0, pads[2], pads[3], 0]);
  const taps: Value[] = [];
  for (let u = 0; u < kernel[0]; u++)
    for (let v = 0; v < kernel[1]; v++) {
      const along = (axis: 0 | 1, at: number, length: number) => {
        const from = dilations[axis] * at;
        return { axis: axis + 1, from, to: from + strides[axis] * (length - 1) + 1, step: strides[axis] };
      };
      const shifted = slice(g, last, [along(0, u, height), along(1, v, width)]);
      taps.push(reshape(g, matMul(g, left, reshape(g, shifted, [places, channels])), [1, o, channels]));
    }
  return reshape(g, transpose(g, concat(g, taps, 0), [1, 2, 0]), [o, channels, ...kernel]);
}

/** A convolution over samples: dy is the kernel, stride and dilation change places. Groups stay apart. */
function byConvolution(g: Builder, x: Value, dy: Value, window: Window, group: number): Value {
  const [n, channels, ...size] = x.shape as [number, number, number, number];
  const [, o, ...sizeOfDy] = dy.shape as [number, number, number, number];
  const each = channels / group;
  const apart = transpose(g, reshape(g, x, [n, group, each, ...size]), [2, 1, 0, 3, 4]);
  const wide = {
    ...window,
    kernel: sizeOfDy as [number, number],
    strides: window.dilations,
    dilations: window.strides,
  };
  const found = g.node('Conv', [reshape(g, apart, [each, group * n, ...size]), transpose(g, dy, [1, 0, 2, 3])], {
    ...{ kernel_shape: wide.kernel, strides: wide.strides, dilations: wide.dilations, pads: wide.pads, group },
  })[0]!;
  // Where the stride does not divide the image there are more places than the kernel has.
  const [u, v] = window.kernel;
  const kernel = slice(g, found, [
    { axis: 2, from: 0, to: Math.min(u, outputLength(wide, size[0], 0)) },
    { axis: 3, from: 0, to: Math.min(v, outputLength(wide, size[1], 1)) },
  ]);
  return reshape(g, transpose(g, kernel, [1, 0, 2, 3]), [o, each, u, v]);
}
