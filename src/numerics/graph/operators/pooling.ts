import { inputOf, intOf, intsOf } from '../attributes.ts';
import { div, expand, matMul, mul, pad, reshape, scalar } from '../functions.ts';
import { sizeOf, type Value } from '../graph.ts';
import { type Builder, type Call, type Operator, type Operators } from '../operator.ts';
import { outputSize, windowAttributes, windowOf, type Window } from '../window.ts';

const poolWindow = (call: Call): Window => windowOf(call, intsOf(call.attributes, 'kernel_shape', []));

function pooledShape(call: Call): number[] {
  const { shape } = inputOf(call, 0);
  return [shape[0]!, shape[1]!, ...outputSize(call, poolWindow(call), shape.slice(2))];
}

/** Each place of a window has its share of the gradient. */
const averagePool: Operator = {
  infer: (call) => [{ type: inputOf(call, 0).type, shape: pooledShape(call) }],
  gradient(g, call, [upstream]) {
    const x = inputOf(call, 0);
    const window = poolWindow(call);
    const places = window.kernel[0] * window.kernel[1];
    const tiled = window.kernel.every(
      (length, axis) => length === window.strides[axis] && window.dilations[axis] === 1,
    );
    if (tiled && window.pads.every((count) => count === 0))
      return [repeated(g, upstream!, 1 / places, x.shape, window.kernel)];
    const counted = intOf(call.attributes, 'count_include_pad', 0) !== 0 || window.pads.every((count) => count === 0);
    const share = counted
      ? mul(g, upstream!, scalar(g, 1 / places))
      : div(g, upstream!, spreadOver(g, call, window, upstream!.shape));
    return [spread(g, share, x.shape, window)];
  },
};

/**
 * Puts each value, times the factor, at all places of its tile, and zeros where no tile was. As a product with a row of w values: ONNX
 * Runtime copies them one by one otherwise, in one thread (100 of 680 ms of a step of ConvNet-3 at a batch of 64; as a product 12).
 */
function repeated(
  g: Builder,
  x: Value,
  factor: number,
  shape: readonly number[],
  [u, v]: readonly [number, number],
): Value {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const width = w * v;
  const copies = new Float32Array(w * u * width);
  for (let from = 0; from < w; from++)
    for (let row = 0; row < u; row++)
      copies.fill(factor, (from * u + row) * width + from * v, (from * u + row) * width + (from + 1) * v);
  const rows = matMul(g, reshape(g, x, [n * c * h, w]), g.constant(copies, [w, u * width]));
  return pad(g, reshape(g, rows, [n, c, h * u, width]), [0, 0, 0, 0, 0, 0, shape[2]! - h * u, shape[3]! - width]);
}

/** Sums each value over all places of its window: a transposed convolution with ones. */
function spread(g: Builder, x: Value, shape: readonly number[], window: Window): Value {
  const { kernel, strides, dilations, pads } = window;
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const missed = ([0, 1] as const).map((axis) => {
    const reached = (x.shape[axis + 2]! - 1) * strides[axis] + dilations[axis] * (kernel[axis] - 1) + 1;
    return shape[axis + 2]! + pads[axis] + pads[axis + 2]! - reached;
  });
  const ones = g.constant(new Float32Array(kernel[0] * kernel[1]).fill(1), [1, 1, ...kernel]);
  const planes = g.node('ConvTranspose', [reshape(g, x, [n * c, 1, h, w]), ones], {
    ...windowAttributes(window),
    output_padding: missed,
  })[0]!;
  return reshape(g, planes, shape);
}

/** How many places of the image each window has. */
function spreadOver(
  g: Builder,
  call: Call,
  { kernel, strides, dilations, pads }: Window,
  shape: readonly number[],
): Value {
  const size = inputOf(call, 0).shape.slice(2);
  const along = (axis: 0 | 1, at: number) => {
    let count = 0;
    for (let u = 0; u < kernel[axis]; u++) {
      const place = at * strides[axis] + u * dilations[axis] - pads[axis];
      if (place >= 0 && place < size[axis]!) count++;
    }
    return count;
  };
  const [h, w] = shape.slice(2) as [number, number];
  return g.constant(
    Float32Array.from({ length: h * w }, (_, i) => along(0, Math.floor(i / w)) * along(1, i % w)),
    [1, 1, h, w],
  );
}

/** The place that was the largest has the gradient; its index counts over the whole tensor. */
const maxPool: Operator = {
  infer(call) {
    const shape = pooledShape(call);
    return [
      { type: inputOf(call, 0).type, shape },
      { type: 'int64', shape },
    ];
  },
  gradient(g, call, [upstream]) {
    const x = inputOf(call, 0);
    const count = sizeOf(upstream!.shape);
    const zeros = expand(g, reshape(g, scalar(g, 0), [1]), [sizeOf(x.shape)]);
    const indices = reshape(g, call.outputs[1]!, [count]);
    const found = g.node('ScatterElements', [zeros, indices, reshape(g, upstream!, [count])], { reduction: 'add' });
    return [reshape(g, found[0]!, x.shape)];
  },
};

const globalAveragePool: Operator = {
  infer(call) {
    const { type, shape } = inputOf(call, 0);
    return [{ type, shape: [shape[0]!, shape[1]!, ...shape.slice(2).map(() => 1)] }];
  },
  gradient(g, call, [upstream]) {
    const { shape } = inputOf(call, 0);
    return [expand(g, mul(g, upstream!, scalar(g, 1 / sizeOf(shape.slice(2)))), shape)];
  },
};

export const POOLING: Operators = {
  AveragePool: averagePool,
  MaxPool: maxPool,
  GlobalAveragePool: globalAveragePool,
  ScatterElements: { infer: (call) => [{ type: inputOf(call, 0).type, shape: inputOf(call, 0).shape }] },
};
