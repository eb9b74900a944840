import onnxProto from 'onnx-proto';

const { onnx } = onnxProto;

/** Small ONNX graphs for tests. A text is an open dimension, shared by all that have the same name. */
export interface GraphTensor {
  name: string;
  type?: 'float32' | 'int64';
  shape: (number | string)[];
}

export interface GraphNode {
  op: string;
  inputs: string[];
  output: string;
  /** Whole numbers and lists of them only. */
  attributes?: Record<string, number | number[]>;
}

export interface GraphConstant {
  name: string;
  shape: number[];
  values: Float32Array | BigInt64Array;
}

export interface Graph {
  inputs: GraphTensor[];
  outputs: GraphTensor[];
  nodes: GraphNode[];
  constants?: GraphConstant[];
  opset?: number;
}

/** The bytes of a model.onnx. */
export function encodeGraph(graph: Graph): Uint8Array {
  return onnx.ModelProto.encode(
    onnx.ModelProto.fromObject({
      irVersion: 8,
      opsetImport: [{ domain: '', version: graph.opset ?? 17 }],
      graph: {
        name: 'test',
        input: graph.inputs.map(valueInfo),
        output: graph.outputs.map(valueInfo),
        node: graph.nodes.map(({ op, inputs, output, attributes = {} }) => ({
          opType: op,
          input: inputs,
          output: [output],
          attribute: Object.entries(attributes).map(([name, value]) =>
            Array.isArray(value)
              ? { name, ints: value, type: onnx.AttributeProto.AttributeType.INTS }
              : { name, i: value, type: onnx.AttributeProto.AttributeType.INT },
          ),
        })),
        initializer: (graph.constants ?? []).map(({ name, shape, values }) => ({
          name,
          dims: shape,
          dataType: values instanceof Float32Array ? FLOAT : INT64,
          rawData: new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
        })),
      },
    }),
  ).finish();
}

/** Values in [-scale, scale] that follow from the seed alone. */
export function noiseValues(length: number, seed: number, scale = 1): Float32Array {
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
  return Float32Array.from({ length }, () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return ((state >>> 0) / 2 ** 31 - 1) * scale;
  });
}

const FLOAT = onnx.TensorProto.DataType.FLOAT;
const INT64 = onnx.TensorProto.DataType.INT64;

function valueInfo({ name, type = 'float32', shape }: GraphTensor) {
  const dim = shape.map((length) => (typeof length === 'string' ? { dimParam: length } : { dimValue: length }));
  return { name, type: { tensorType: { elemType: type === 'int64' ? INT64 : FLOAT, shape: { dim } } } };
}
