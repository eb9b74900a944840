import { inputOf, intOf, intsOf, refused } from '../attributes.ts';
import { reduceSum } from '../functions.ts';
import { shapeText, type Value } from '../graph.ts';
import { type Builder, type Call, type Operator, type Operators } from '../operator.ts';
import { outputSize, windowAttributes, windowOf, type Window } from '../window.ts';

/**
 * y[n, o] = sum_i x[n, i] * w[o, i] + b[o], a cross-correlation. By x it is the transposed convolution of dy with w, by w the
 * correlation of x with dy over samples and places, by b the sum of dy.
 * Dumoulin and Visin, "A guide to convolution arithmetic for deep learning", arXiv 1603.07285, section 4.
 */
const conv: Operator = {
  infer(call) {
    const [x, w] = [images(call, 0), images(call, 1)];
    const group = intOf(call.attributes, 'group', 1);
    if (x.shape[1] !== w.shape[1]! * group || w.shape[0]! % group !== 0)
      throw refused(call, `weights for ${x.shape[1]} channels in ${group} groups`, shapeText(w.shape), 'match them');
    return [
      {
        type: x.type,
        shape: [x.shape[0]!, w.shape[0]!, ...outputSize(call, windowOf(call, w.shape.slice(2)), x.shape.slice(2))],
      },
    ];
  },
  gradient(g, call, [upstream]) {
    const [dy, x, w] = [upstream!, images(call, 0), images(call, 1)];
    const window = windowOf(call, w.shape.slice(2));
    const group = intOf(call.attributes, 'group', 1);
    const { strides, pads, kernel, dilations } = window;
    // Rows and columns at the end that no window reached.
    const missed = ([0, 1] as const).map(
      (axis) =>
        x.shape[axis + 2]! +
        pads[axis] +
        pads[axis + 2]! -
        ((dy.shape[axis + 2]! - 1) * strides[axis] + dilations[axis] * (kernel[axis] - 1) + 1),
    );
    const dx = g.node('ConvTranspose', [dy, w], { ...windowAttributes(window), group, output_padding: missed })[0]!;
    return [dx, weightGradient(g, x, dy, window, group), call.inputs[2] ? reduceSum(g, dy, [0, 2, 3], false) : null];
  },
};

/** The transposed one: what is x of one is dy of the other. Weights are (channels, outputs / group, height, width). */
const convTranspose: Operator = {
  infer(call) {
    const [x, w] = [images(call, 0), images(call, 1)];
    const group = intOf(call.attributes, 'group', 1);
    if (x.shape[1] !== w.shape[0])
      throw refused(call, `weights for ${x.shape[1]} channels`, shapeText(w.shape), 'match them');
    const { strides, pads, kernel, dilations } = windowOf(call, w.shape.slice(2));
    const more = intsOf(call.attributes, 'output_padding', [0, 0]);
    const size = ([0, 1] as const).map(
      (axis) =>
        (x.shape[axis + 2]! - 1) * strides[axis] +
        dilations[axis] * (kernel[axis] - 1) +
        1 +
        more[axis]! -
        pads[axis] -
        pads[axis + 2]!,
    );
    return [{ type: x.type, shape: [x.shape[0]!, w.shape[1]! * group, ...size] }];
  },
  gradient(g, call, [upstream]) {
    const [dy, x, w] = [upstream!, images(call, 0), images(call, 1)];
    const window = windowOf(call, w.shape.slice(2));
    const group = intOf(call.attributes, 'group', 1);
    const dx = g.node('Conv', [dy, w], { ...windowAttributes(window), group })[0]!;
    return [dx, weightGradient(g, dy, x, window, group), call.inputs[2] ? reduceSum(g, dy, [0, 2, 3], false) : null];
  },
};

/**
 * dw[o, i, u, v] = sum over n, y, x of dy[n, o, y, x] x[n, i, s y + d u, s x + d v], x padded, s the stride, d the dilation. No
 * operator of ONNX: it is carried out in the form that lowering.ts chooses.
 *
 * Inputs x (n, channels, h, w) and dy (n, o, h', w'); output (o, channels / group, kernel).
 */
const convWeightGradient: Operator = {
  infer(call) {
    const [x, dy] = [images(call, 0), images(call, 1)];
    const kernel = intsOf(call.attributes, 'kernel_shape', []);
    return [{ type: x.type, shape: [dy.shape[1]!, x.shape[1]! / intOf(call.attributes, 'group', 1), ...kernel] }];
  },
};

const weightGradient = (g: Builder, x: Value, dy: Value, window: Window, group: number): Value =>
  g.node('ConvWeightGradient', [x, dy], { ...windowAttributes(window), group })[0]!;

function images(call: Call, index: number) {
  const value = inputOf(call, index);
  if (value.shape.length === 4) return value;
  throw refused(call, `four axes of input ${index}`, shapeText(value.shape), 'only images are covered');
}

/** The layout of ONNX Runtime's own convolutions on a CPU: shapes are those of (n, channels, h, w), elements lie otherwise (forms/blocked.ts). */
const sameShape: Operator = { infer: (call) => [inputOf(call, 0)] };

export const CONVOLUTIONS: Operators = {
  Conv: conv,
  ConvTranspose: convTranspose,
  ConvWeightGradient: convWeightGradient,
  'nchwc.Conv': { infer: (call) => conv.infer(call) },
  'nchwc.ReorderInput': sameShape,
  'nchwc.ReorderOutput': sameShape,
};
