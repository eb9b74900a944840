/**
 * The ONNX graph of one matrix product, with every dimension open. Written by hand in protobuf, since two nodes and
 * three tensors do not earn a dependency; field numbers are those of onnx.proto (IR version 8, opset 17).
 */
export function productGraph(transposeB: boolean): Uint8Array {
  const node = message(
    text(1, 'a'),
    text(1, 'b'),
    text(2, 'product'),
    text(4, transposeB ? 'Gemm' : 'MatMul'),
    // attribute { name, i = 1, type = INT }
    ...(transposeB ? [nested(5, message(text(1, 'transB'), varint(3, 1), varint(20, 2)))] : []),
  );
  const graph = message(
    nested(1, node),
    text(2, 'product'),
    nested(11, matrix('a', 'm', 'k')),
    nested(11, transposeB ? matrix('b', 'n', 'k') : matrix('b', 'k', 'n')),
    nested(12, matrix('product', 'm', 'n')),
  );
  // ir_version, graph, opset_import { domain, version }
  return Uint8Array.from(message(varint(1, 8), nested(7, graph), nested(8, message(text(1, ''), varint(2, 17)))));
}

/** ValueInfoProto of a float32 matrix with named dimensions. */
function matrix(name: string, rows: string, columns: string): number[] {
  const shape = message(...[rows, columns].map((dimension) => nested(1, message(text(2, dimension)))));
  return message(text(1, name), nested(2, message(nested(1, message(varint(1, 1), nested(2, shape))))));
}

const message = (...fields: number[][]): number[] => fields.flat();

function varint(field: number, value: number): number[] {
  return [...unsigned(field << 3), ...unsigned(value)];
}

function nested(field: number, bytes: number[]): number[] {
  return [...unsigned((field << 3) | 2), ...unsigned(bytes.length), ...bytes];
}

function text(field: number, value: string): number[] {
  return nested(field, [...new TextEncoder().encode(value)]);
}

/** Seven bits a byte, the lowest first. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}
