import { type Attribute, type Constant, type ElementType, type Graph, type Node } from '../../numerics/graph/graph.ts';
import { bytes, float32, message, nested, text, varint, type Field } from './wire.ts';

/** A tensor of a graph file. A text is an open dimension, shared by all that have the same name. */
export interface FileTensor {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly (number | string)[];
}

export interface FileGraph extends Pick<Graph, 'nodes' | 'constants'> {
  readonly inputs: readonly FileTensor[];
  readonly outputs: readonly FileTensor[];
}

/** The least opset whose operators numerics/graph speaks. */
const OPSET = 21;

/** ONNX Runtime's own operators on images in blocks. */
const BLOCKED = 'nchwc.';
const BLOCKED_DOMAIN = 'com.microsoft.nchwc';

/** The bytes of a model.onnx: field numbers are those of onnx.proto, IR version 10. */
export function graphFile({ inputs, outputs, nodes, constants }: FileGraph, opset = OPSET): Uint8Array {
  const graph = message(
    ...nodes.map((node) => nested(1, nodeProto(node))),
    text(2, 'graph'),
    ...constants.map((constant) => nested(5, tensorProto(constant))),
    ...inputs.map((tensor) => nested(11, valueInfo(tensor))),
    ...outputs.map((tensor) => nested(12, valueInfo(tensor))),
  );
  const opsets = [
    ['', opset] as const,
    ...(nodes.some(({ op }) => op.startsWith(BLOCKED)) ? [[BLOCKED_DOMAIN, 1] as const] : []),
  ];
  // ir_version, graph, opset_import { domain, version }
  const model = message(
    varint(1, 10),
    nested(7, graph),
    ...opsets.map(([domain, version]) => nested(8, message(text(1, domain), varint(2, version)))),
  );
  return Buffer.concat(model);
}

function nodeProto({ name, op, inputs, outputs, attributes }: Node): Field {
  return message(
    ...inputs.map((input) => text(1, input?.name ?? '')),
    ...outputs.map((output) => text(2, output.name)),
    text(3, name),
    ...(op.startsWith(BLOCKED) ? [text(4, op.slice(BLOCKED.length)), text(7, BLOCKED_DOMAIN)] : [text(4, op)]),
    ...Object.entries(attributes).map(([attribute, value]) => nested(5, attributeProto(attribute, value))),
  );
}

/** { name, its value in the field of its type, type } */
function attributeProto(name: string, value: Attribute): Field {
  if (typeof value === 'number') return message(text(1, name), varint(3, value), varint(20, 2));
  if (typeof value === 'string') return message(text(1, name), text(4, value), varint(20, 3));
  if ('float' in value) return message(text(1, name), float32(2, value.float), varint(20, 1));
  return message(text(1, name), ...value.map((entry) => varint(8, entry)), varint(20, 7));
}

const ELEMENT_TYPES: Record<ElementType, number> = { float32: 1, int64: 7, bool: 9 };

/** { dims, data_type, name, raw_data }; little-endian, as every machine is that this runs on. */
function tensorProto({ value: { name, type, shape }, data }: Constant): Field {
  return message(
    ...shape.map((length) => varint(1, length)),
    varint(2, ELEMENT_TYPES[type]),
    text(8, name),
    bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength)),
  );
}

/** { name, type { tensor_type { elem_type, shape { dim { dim_value or dim_param } } } } } */
function valueInfo({ name, type, shape }: FileTensor): Field {
  const dimensions = shape.map((length) => nested(1, typeof length === 'number' ? varint(1, length) : text(2, length)));
  const tensor = message(varint(1, ELEMENT_TYPES[type]), nested(2, message(...dimensions)));
  return message(text(1, name), nested(2, nested(1, tensor)));
}
