/** Carries graphs out in float64, straight from the definitions of the operators: what derivatives are checked with. */
import { floatOf, intOf, intsOf, textOf } from '../../../src/numerics/graph/attributes.ts';
import { axisOf, range, sizeOf, type Graph, type Node } from '../../../src/numerics/graph/graph.ts';

export interface Array64 {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

export function interpret(graph: Graph, feeds: Readonly<Record<string, Float64Array>>): Record<string, Float64Array> {
  const values = new Map<string, Array64>();
  for (const { value, data } of graph.constants)
    values.set(value.name, { shape: value.shape, data: Float64Array.from(data, Number) });
  for (const { name, shape } of graph.inputs) {
    const data = feeds[name]!;
    if (data.length !== sizeOf(shape))
      throw new Error(`expected ${sizeOf(shape)} values of ${name}, got ${data.length}`);
    values.set(name, { shape, data });
  }
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((input) => (input ? values.get(input.name)! : null));
    const results = carryOut(node, inputs as Array64[]);
    node.outputs.forEach(({ name, shape }, i) => {
      if (sizeOf(shape) !== results[i]!.length)
        throw new Error(`${node.op} gave ${results[i]!.length}, not ${shape.join()}`);
      values.set(name, { shape, data: results[i]! });
    });
  }
  return Object.fromEntries(graph.outputs.map(({ name }) => [name, values.get(name)!.data]));
}

type Arithmetic = (a: number, b: number) => number;
const BINARY: Record<string, Arithmetic> = {
  Add: (a, b) => a + b,
  Sub: (a, b) => a - b,
  Mul: (a, b) => a * b,
  Div: (a, b) => a / b,
  Greater: (a, b) => Number(a > b),
};

const gauss = (x: number): number => (x / 2) * (1 + errorFunction(x / Math.SQRT2));
const bent = (x: number): number => (x / 2) * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

const UNARY: Record<string, (x: number, node: Node) => number> = {
  Neg: (x) => -x,
  Identity: (x) => x,
  Exp: Math.exp,
  Log: Math.log,
  Sqrt: Math.sqrt,
  Abs: Math.abs,
  Sign: Math.sign,
  Erf: errorFunction,
  Relu: (x) => Math.max(0, x),
  LeakyRelu: (x, { attributes }) => (x >= 0 ? x : floatOf(attributes, 'alpha', 0.01) * x),
  Gelu: (x, { attributes }) => (textOf(attributes, 'approximate', 'none') === 'tanh' ? bent(x) : gauss(x)),
  Sigmoid: (x) => 1 / (1 + Math.exp(-x)),
  Tanh: Math.tanh,
};

const SAME = ['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze'];

function carryOut(node: Node, inputs: Array64[]): Float64Array[] {
  const { op, attributes } = node;
  const [x, y, z] = inputs as [Array64, Array64, Array64];
  const { shape } = node.outputs[0]!;
  if (BINARY[op]) return [broadcast(shape, [x, y], (a) => BINARY[op]!(a[0]!, a[1]!))];
  if (UNARY[op]) return [x.data.map((value) => UNARY[op]!(value, node))];
  if (SAME.includes(op)) return [x.data];
  switch (op) {
    case 'Where':
      return [broadcast(shape, [x, y, z], ([c, a, b]) => (c! !== 0 ? a! : b!))];
    case 'Expand':
      return [broadcast(shape, [x], ([a]) => a!)];
    case 'MatMul':
      return [matMul(shape, x, y)];
    case 'Gemm': {
      const a = intOf(attributes, 'transA', 0) ? turned(x) : x;
      const b = intOf(attributes, 'transB', 0) ? turned(y) : y;
      const product = matMul(shape, a, b).map((value) => value * floatOf(attributes, 'alpha', 1));
      const beta = floatOf(attributes, 'beta', 1);
      return [z ? broadcast(shape, [{ shape, data: product }, z], ([p, c]) => p! + beta * c!) : product];
    }
    case 'Transpose': {
      const perm = intsOf(attributes, 'perm', range(shape.length).reverse());
      return [gathered(shape, x, (at) => placed(perm, at))];
    }
    case 'ReduceSum':
    case 'ReduceMean': {
      const axes = y ? Array.from(y.data, (axis) => axisOf(axis, x.shape.length)) : range(x.shape.length);
      const kept = x.shape.map((length, axis) => (axes.includes(axis) ? 1 : length));
      const sums = new Float64Array(sizeOf(kept));
      each(
        x.shape,
        (at, i) =>
          (sums[
            offset(
              kept,
              at.map((p, axis) => (kept[axis] === 1 ? 0 : p)),
            )
          ]! += x.data[i]!),
      );
      return [op === 'ReduceSum' ? sums : sums.map((sum) => (sum * sums.length) / x.data.length)];
    }
    case 'Softmax':
    case 'LogSoftmax': {
      const axis = axisOf(intOf(attributes, 'axis', -1), x.shape.length);
      const kept = x.shape.with(axis, 1);
      const sums = new Float64Array(sizeOf(kept));
      each(x.shape, (at, i) => (sums[offset(kept, at.with(axis, 0))]! += Math.exp(x.data[i]!)));
      return [
        gathered(x.shape, x, (at) => at).map((value, i) => {
          const sum = sums[offset(kept, position(x.shape, i).with(axis, 0))]!;
          return op === 'Softmax' ? Math.exp(value) / sum : value - Math.log(sum);
        }),
      ];
    }
    case 'Concat': {
      const axis = axisOf(intOf(attributes, 'axis', 0), shape.length);
      const out = new Float64Array(sizeOf(shape));
      let from = 0;
      for (const part of inputs) {
        const begin = from;
        each(part.shape, (at, i) => (out[offset(shape, at.with(axis, at[axis]! + begin))] = part.data[i]!));
        from += part.shape[axis]!;
      }
      return [out];
    }
    case 'Pad':
      return [gathered(shape, x, (at) => at.map((place, axis) => place - y.data[axis]!))];
    case 'Slice': {
      const [starts, , axes, steps] = inputs.slice(1).map(({ data }) => data) as Float64Array[];
      return [
        gathered(shape, x, (at) => {
          const from = [...at];
          axes!.forEach((axis, i) => (from[axis] = starts![i]! + at[axis]! * steps![i]!));
          return from;
        }),
      ];
    }
    case 'Conv':
      return [convolve(node, x, y, z)];
    case 'ConvTranspose':
      return [convolveBack(node, x, y)];
    case 'ConvWeightGradient':
      return [correlate(node, x, y)];
    case 'AveragePool':
      return [
        pool(node, x, (places, all) => {
          const count = intOf(attributes, 'count_include_pad', 0) ? all : places.length;
          return places.reduce((sum, i) => sum + x.data[i]!, 0) / count;
        }),
      ];
    case 'MaxPool': {
      const largest = pool(node, x, (places) => places.reduce((best, i) => (x.data[i]! > x.data[best]! ? i : best)));
      return [largest.map((i) => x.data[i]!), largest];
    }
    case 'GlobalAveragePool': {
      const places = sizeOf(x.shape.slice(2));
      const sums = new Float64Array(sizeOf(shape));
      x.data.forEach((value, i) => (sums[Math.floor(i / places)]! += value / places));
      return [sums];
    }
    case 'ScatterElements': {
      const out = x.data.slice();
      y.data.forEach((index, i) => (out[index]! += z.data[i]!));
      return [out];
    }
    case 'BatchNormalization': {
      const [scale, bias, mean, variance] = inputs.slice(1).map(({ data }) => data) as Float64Array[];
      const places = sizeOf(x.shape.slice(2));
      const epsilon = floatOf(attributes, 'epsilon', 1e-5);
      return [
        x.data.map((value, i) => {
          const c = Math.floor(i / places) % x.shape[1]!;
          return ((value - mean![c]!) / Math.sqrt(variance![c]! + epsilon)) * scale![c]! + bias![c]!;
        }),
      ];
    }
    case 'InstanceNormalization':
    case 'GroupNormalization': {
      const groups = x.shape[0]! * (op === 'InstanceNormalization' ? x.shape[1]! : intOf(attributes, 'num_groups', 1));
      const [length, places] = [x.data.length / groups, sizeOf(x.shape.slice(2))];
      const epsilon = floatOf(attributes, 'epsilon', 1e-5);
      const out = new Float64Array(x.data.length);
      for (let from = 0; from < out.length; from += length) {
        const row = x.data.subarray(from, from + length);
        const mean = row.reduce((sum, value) => sum + value, 0) / length;
        const variance = row.reduce((sum, value) => sum + (value - mean) ** 2, 0) / length;
        row.forEach((value, i) => {
          const c = Math.floor((from + i) / places) % x.shape[1]!;
          out[from + i] = ((value - mean) / Math.sqrt(variance + epsilon)) * y.data[c]! + z.data[c]!;
        });
      }
      return [out];
    }
    default:
      throw new Error(`the interpreter has no ${op}`);
  }
}

const placed = (perm: readonly number[], at: readonly number[]): number[] => {
  const from: number[] = [];
  perm.forEach((axis, i) => (from[axis] = at[i]!));
  return from;
};

function offset(shape: readonly number[], at: readonly number[]): number {
  return at.reduce((sum, place, axis) => sum * shape[axis]! + place, 0);
}

function position(shape: readonly number[], index: number): number[] {
  const at = new Array<number>(shape.length);
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    at[axis] = index % shape[axis]!;
    index = Math.floor(index / shape[axis]!);
  }
  return at;
}

function each(shape: readonly number[], visit: (at: number[], index: number) => void): void {
  for (let i = 0; i < sizeOf(shape); i++) visit(position(shape, i), i);
}

/** Zeros outside. */
function gathered(shape: readonly number[], x: Array64, from: (at: number[]) => readonly number[]): Float64Array {
  const out = new Float64Array(sizeOf(shape));
  each(shape, (at, i) => {
    const place = from(at);
    if (place.every((p, axis) => p >= 0 && p < x.shape[axis]!)) out[i] = x.data[offset(x.shape, place)]!;
  });
  return out;
}

function broadcast(
  shape: readonly number[],
  inputs: readonly Array64[],
  of: (values: number[]) => number,
): Float64Array {
  const out = new Float64Array(sizeOf(shape));
  each(shape, (at, i) => {
    out[i] = of(
      inputs.map((input) => {
        const own = at.slice(shape.length - input.shape.length);
        return input.data[
          offset(
            input.shape,
            own.map((p, axis) => (input.shape[axis] === 1 ? 0 : p)),
          )
        ]!;
      }),
    );
  });
  return out;
}

function turned(x: Array64): Array64 {
  const shape = [x.shape[1]!, x.shape[0]!];
  return { shape, data: gathered(shape, x, ([i, j]) => [j!, i!]) };
}

function matMul(shape: readonly number[], a: Array64, b: Array64): Float64Array {
  const out = new Float64Array(sizeOf(shape));
  const k = a.shape.at(-1)!;
  const of = (x: Array64, at: readonly number[], row: number, column: number) => {
    const batch = at.slice(0, -2).slice(shape.length - x.shape.length);
    return x.data[offset(x.shape, [...batch.map((p, axis) => (x.shape[axis] === 1 ? 0 : p)), row, column])]!;
  };
  each(shape, (at, i) => {
    for (let l = 0; l < k; l++) out[i]! += of(a, at, at.at(-2)!, l) * of(b, at, l, at.at(-1)!);
  });
  return out;
}

function windowOfNode({ attributes }: Node, kernel: readonly number[]) {
  return {
    kernel,
    strides: intsOf(attributes, 'strides', [1, 1]),
    dilations: intsOf(attributes, 'dilations', [1, 1]),
    pads: intsOf(attributes, 'pads', [0, 0, 0, 0]),
    group: intOf(attributes, 'group', 1),
  };
}

/** Visits what each output place meets of the image. */
function taps(
  { kernel, strides, dilations, pads }: ReturnType<typeof windowOfNode>,
  size: readonly number[],
  [y, x]: readonly number[],
  visit: (u: number, v: number, row: number, column: number) => void,
): void {
  for (let u = 0; u < kernel[0]!; u++)
    for (let v = 0; v < kernel[1]!; v++) {
      const row = y! * strides[0]! + u * dilations[0]! - pads[0]!;
      const column = x! * strides[1]! + v * dilations[1]! - pads[1]!;
      if (row >= 0 && row < size[0]! && column >= 0 && column < size[1]!) visit(u, v, row, column);
    }
}

function convolve(node: Node, x: Array64, w: Array64, bias: Array64 | null): Float64Array {
  const { shape } = node.outputs[0]!;
  const window = windowOfNode(node, w.shape.slice(2));
  const own = w.shape[1]!;
  const out = new Float64Array(sizeOf(shape));
  each(shape, ([n, o, ...place], i) => {
    out[i] = bias ? bias.data[o!]! : 0;
    const group = Math.floor(o! / (w.shape[0]! / window.group));
    for (let c = 0; c < own; c++)
      taps(window, x.shape.slice(2), place, (u, v, row, column) => {
        out[i]! +=
          x.data[offset(x.shape, [n!, group * own + c, row, column])]! * w.data[offset(w.shape, [o!, c, u, v])]!;
      });
  });
  return out;
}

function convolveBack(node: Node, x: Array64, w: Array64): Float64Array {
  const { shape } = node.outputs[0]!;
  const window = windowOfNode(node, w.shape.slice(2));
  const own = w.shape[1]!;
  const out = new Float64Array(sizeOf(shape));
  each(x.shape, ([n, c, ...place], i) => {
    const group = Math.floor(c! / (w.shape[0]! / window.group));
    for (let o = 0; o < own; o++)
      taps(window, shape.slice(2), place, (u, v, row, column) => {
        out[offset(shape, [n!, group * own + o, row, column])]! += x.data[i]! * w.data[offset(w.shape, [c!, o, u, v])]!;
      });
  });
  return out;
}

function correlate(node: Node, x: Array64, dy: Array64): Float64Array {
  const { shape } = node.outputs[0]!;
  const window = windowOfNode(node, shape.slice(2));
  const own = shape[1]!;
  const out = new Float64Array(sizeOf(shape));
  each(dy.shape, ([n, o, ...place], i) => {
    const group = Math.floor(o! / (dy.shape[1]! / window.group));
    for (let c = 0; c < own; c++)
      taps(window, x.shape.slice(2), place, (u, v, row, column) => {
        out[offset(shape, [o!, c, u, v])]! +=
          x.data[offset(x.shape, [n!, group * own + c, row, column])]! * dy.data[i]!;
      });
  });
  return out;
}

/** @param of the offsets of the places within the image, and how many places a window has */
function pool(node: Node, x: Array64, of: (places: number[], all: number) => number): Float64Array {
  const { shape } = node.outputs[0]!;
  const window = windowOfNode(node, intsOf(node.attributes, 'kernel_shape', []));
  const out = new Float64Array(sizeOf(shape));
  each(shape, ([n, c, ...place], i) => {
    const places: number[] = [];
    taps(window, x.shape.slice(2), place, (_u, _v, row, column) => places.push(offset(x.shape, [n!, c!, row, column])));
    out[i] = of(places, sizeOf(window.kernel));
  });
  return out;
}

/** By its series, and its continued fraction where that takes fewer terms: within 1e-14. */
function errorFunction(x: number): number {
  const t = Math.abs(x);
  if (t > 6) return Math.sign(x);
  if (t < 3) {
    let term = t;
    let sum = t;
    for (let n = 1; Math.abs(term) > 1e-18; n++) {
      term *= (-t * t) / n;
      sum += term / (2 * n + 1);
    }
    return (Math.sign(x) * 2 * sum) / Math.sqrt(Math.PI);
  }
  let fraction = 0;
  for (let n = 60; n > 0; n--) fraction = n / 2 / (t + fraction);
  return Math.sign(x) * (1 - Math.exp(-t * t) / (Math.sqrt(Math.PI) * (t + fraction)));
}
