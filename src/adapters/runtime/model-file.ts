import { PushforwardError } from '../../base/errors.ts';
import { type Attribute, type ModelConstant, type ModelFile, type ModelNode } from '../../numerics/graph/graph.ts';
import { fields, packed, type ReadField } from './wire.ts';

/**
 * Reads an ONNX file into names, nodes and constants; field numbers are those of onnx.proto.
 * @throws PRIOR_INVALID if it is none, or its weights lie outside of it
 */
export function readModelFile(bytes: Uint8Array): ModelFile {
  try {
    return modelOf(bytes);
  } catch (cause) {
    if (cause instanceof PushforwardError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PushforwardError(
      'PRIOR_INVALID',
      `expected an ONNX file, got ${reason}: export the model again`,
      {},
      { cause },
    );
  }
}

function modelOf(bytes: Uint8Array): ModelFile {
  const model = gathered(bytes);
  const [graphBytes] = model.messages(7);
  if (!graphBytes) throw new RangeError('a file without a graph');
  const graph = gathered(graphBytes);
  const opset = model
    .messages(8)
    .map(gathered)
    .find((entry) => entry.text(1) === '');
  const constants = new Map(graph.messages(5).map((tensor) => [gathered(tensor).text(8), constantOf(tensor)] as const));
  return {
    opset: Number(opset?.whole(2) ?? 1n),
    inputs: graph
      .messages(11)
      .map(inputOf)
      .filter(({ name }) => !constants.has(name)),
    outputs: graph.messages(12).map((value) => gathered(value).text(1)),
    nodes: graph.messages(1).map(nodeOf),
    constants,
  };
}

function nodeOf(bytes: Uint8Array, index: number): ModelNode {
  const node = gathered(bytes);
  const attributes: Record<string, Attribute> = {};
  let constant: ModelConstant | null = null;
  for (const attribute of node.messages(5).map(gathered)) {
    const name = attribute.text(1);
    const [tensor] = attribute.messages(5);
    if (tensor) constant = constantOf(tensor);
    else if (attribute.has(2)) attributes[name] = { float: attribute.float(2) };
    else if (attribute.has(4)) attributes[name] = attribute.text(4);
    else if (attribute.has(8)) attributes[name] = attribute.wholes(8).map(Number);
    else attributes[name] = Number(attribute.whole(3));
  }
  const domain = node.text(7);
  const op = domain === '' || domain === 'ai.onnx' ? node.text(4) : `${domain}.${node.text(4)}`;
  const named = node.text(3);
  return {
    name: named === '' ? `${op} ${index}` : named,
    ...{ op, attributes, constant, inputs: node.texts(1), outputs: node.texts(2) },
  };
}

function inputOf(bytes: Uint8Array) {
  const value = gathered(bytes);
  const [type] = value.messages(2);
  const [tensor] = type ? gathered(type).messages(1) : [];
  const [shape] = tensor ? gathered(tensor).messages(2) : [];
  const dimensions = shape ? gathered(shape).messages(1).map(gathered) : [];
  return {
    name: value.text(1),
    shape: dimensions.map((dimension) => (dimension.has(1) ? Number(dimension.whole(1)) : null)),
  };
}

const [FLOAT, INT64] = [1n, 7n];

/** Element types other than float32 and int64 are read as no elements: nothing that trains uses them. */
function constantOf(bytes: Uint8Array): ModelConstant {
  const tensor = gathered(bytes);
  if (tensor.has(13) || tensor.whole(14) === 1n)
    throw new PushforwardError(
      'PRIOR_INVALID',
      `expected the weights inside the file, got ${tensor.text(8)} in another: export the model with its weights inside`,
    );
  const shape = tensor.wholes(1).map(Number);
  const [raw] = tensor.messages(9);
  switch (tensor.whole(2)) {
    case FLOAT:
      return { shape, data: raw ? new Float32Array(Uint8Array.from(raw).buffer) : Float32Array.from(tensor.floats(4)) };
    case INT64:
      return {
        shape,
        data: raw ? new BigInt64Array(Uint8Array.from(raw).buffer) : BigInt64Array.from(tensor.wholes(7)),
      };
    default:
      return { shape, data: new Float32Array() };
  }
}

/** The fields of a message by number. */
function gathered(bytes: Uint8Array) {
  const found = new Map<number, ReadField['value'][]>();
  for (const { number, value } of fields(bytes)) {
    const known = found.get(number);
    if (known) known.push(value);
    else found.set(number, [value]);
  }
  const all = (number: number) => found.get(number) ?? [];
  const messages = (number: number) => all(number).filter((value) => value instanceof Uint8Array);
  const texts = (number: number) => messages(number).map((value) => new TextDecoder().decode(value));
  const floats = (number: number) =>
    messages(number).flatMap((value) => [...new Float32Array(Uint8Array.from(value).buffer)]);
  const wholes = (number: number) =>
    all(number).flatMap((value) => (value instanceof Uint8Array ? packed(value) : [value]));
  return {
    ...{ messages, texts, floats, wholes },
    has: (number: number) => found.has(number),
    text: (number: number) => texts(number)[0] ?? '',
    float: (number: number) => floats(number)[0] ?? 0,
    whole: (number: number) => wholes(number)[0] ?? 0n,
  };
}
