import { invalid, PushforwardError } from '../../base/errors.ts';
import { byCodeUnit } from '../../base/order.ts';
import { type TensorData } from '../ports.ts';

/** Refused above this before the JSON is parsed. */
const MAX_HEADER_BYTES = 16 * 1024 * 1024;

/**
 * The safetensors format: eight bytes of header length (little endian), a JSON header, then the tensors back to back.
 * The same tensors give the same bytes: names are sorted, widest elements come first so that every tensor is aligned,
 * and the header is padded with spaces to a multiple of eight.
 * @throws INVALID_INPUT if a shape does not fit its data
 */
export function writeSafetensors(
  tensors: Record<string, TensorData>,
  metadata: Record<string, string> = {},
): Uint8Array<ArrayBuffer> {
  const order = Object.keys(tensors).sort((a, b) => width(tensors[b]!) - width(tensors[a]!) || byCodeUnit(a, b));
  const header: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  if (Object.keys(metadata).length > 0) {
    header['__metadata__'] = Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => byCodeUnit(a, b)));
  }
  let offset = 0;
  for (const name of order) {
    const tensor = tensors[name]!;
    checkTensor(name, tensor);
    header[name] = {
      dtype: DTYPES[tensor.type].name,
      shape: tensor.shape,
      data_offsets: [offset, offset + tensor.data.byteLength],
    };
    offset += tensor.data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(header));
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const bytes = new Uint8Array(8 + headerBytes + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true);
  bytes.set(json, 8);
  bytes.fill(0x20, 8 + json.length, 8 + headerBytes);
  let position = 8 + headerBytes;
  for (const name of order) {
    const { data } = tensors[name]!;
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    position += data.byteLength;
  }
  return bytes;
}

export interface SafetensorsFile {
  tensors: Record<string, TensorData>;
  metadata: Record<string, string>;
}

/**
 * Reads a safetensors file. Nothing of it is trusted: the tensors must tile the data exactly, without gap or overlap.
 * The tensors own their memory.
 * @throws CORRUPT_ARTIFACT saying what was expected and what was received
 */
export function readSafetensors(bytes: Uint8Array): SafetensorsFile {
  const { header, dataStart } = readHeader(bytes);
  const metadata = readMetadata(header.get('__metadata__'));
  header.delete('__metadata__');
  const dataBytes = bytes.length - dataStart;
  const entries = [...header].map(([name, value]) => readEntry(name, value, dataBytes));
  checkTiling(entries, dataBytes);
  const tensors = Object.fromEntries(
    entries.map((entry) => [
      entry.name,
      tensorOf(entry, bytes.subarray(dataStart + entry.start, dataStart + entry.end)),
    ]),
  );
  return { tensors, metadata };
}

/**
 * Where a tensor begins in a safetensors file, in bytes, for reading parts of it.
 * @param bytes the whole file
 * @throws CORRUPT_ARTIFACT as `readSafetensors`, and where the tensor is not there
 */
export function tensorOffset(bytes: Uint8Array, name: string): number {
  const { header, dataStart } = readHeader(bytes);
  if (!header.has(name)) throw corrupt(`expected a tensor ${name}, got none`);
  return dataStart + readEntry(name, header.get(name), bytes.length - dataStart).start;
}

const DTYPES = {
  float32: { name: 'F32', bytes: 4, array: Float32Array },
  float64: { name: 'F64', bytes: 8, array: Float64Array },
  int64: { name: 'I64', bytes: 8, array: BigInt64Array },
  int32: { name: 'I32', bytes: 4, array: Int32Array },
  uint8: { name: 'U8', bytes: 1, array: Uint8Array },
} as const;

const TYPE_OF = new Map(Object.entries(DTYPES).map(([type, { name }]) => [name as string, type as TensorData['type']]));

interface Entry {
  name: string;
  type: TensorData['type'];
  shape: number[];
  /** Offsets into the data section. */
  start: number;
  end: number;
}

const width = (tensor: TensorData): number => DTYPES[tensor.type].bytes;

function checkTensor(name: string, { shape, data }: TensorData): void {
  if (name === '__metadata__')
    throw invalid('expected a tensor name, got __metadata__, which the format keeps: rename it');
  const count = elements(shape);
  if (count !== data.length) {
    throw invalid(`expected ${count} elements in tensor ${name} of shape (${shape.join(', ')}), got ${data.length}`);
  }
}

function readHeader(bytes: Uint8Array): { header: Map<string, unknown>; dataStart: number } {
  if (bytes.length < 8) throw corrupt(`expected at least 8 bytes, got ${bytes.length}`);
  const stated = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  const limit = Math.min(MAX_HEADER_BYTES, bytes.length - 8);
  if (stated > BigInt(limit)) throw corrupt(`expected a header of at most ${limit} bytes, got ${stated}`);
  const dataStart = 8 + Number(stated);
  let text: string;
  let parsed: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes.subarray(8, dataStart));
    parsed = JSON.parse(text);
  } catch (cause) {
    throw corrupt('expected a header of JSON in UTF-8, got something else', cause);
  }
  if (!isObject(parsed) || !text.startsWith('{')) throw corrupt('expected the header to be a JSON object');
  // JSON.parse keeps the last of two equal keys in silence, so the keys of the text are counted.
  const names = topLevelKeys(text);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw corrupt(`expected each tensor name once, got ${twice} twice`);
  return { header: new Map(Object.entries(parsed)), dataStart };
}

/** The keys of the outermost object of a JSON text that is known to parse. */
function topLevelKeys(json: string): string[] {
  const keys: string[] = [];
  let depth = 0;
  for (const match of json.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?|[{}[\]]/g)) {
    const token = match[0];
    if (token === '{' || token === '[') depth++;
    else if (token === '}' || token === ']') depth--;
    else if (depth === 1 && match[1] !== undefined) keys.push(JSON.parse(token.slice(0, -match[1].length)) as string);
  }
  return keys;
}

function readMetadata(value: unknown): Record<string, string> {
  if (value === undefined) return {};
  if (!isObject(value) || Object.values(value).some((item) => typeof item !== 'string')) {
    throw corrupt('expected __metadata__ to map strings to strings, got something else');
  }
  return value as Record<string, string>;
}

function readEntry(name: string, value: unknown, dataBytes: number): Entry {
  if (!isObject(value)) throw corrupt(`expected an object for tensor ${name}, got ${JSON.stringify(value)}`);
  const { dtype, shape, data_offsets: offsets } = value;
  const type = typeof dtype === 'string' ? TYPE_OF.get(dtype) : undefined;
  if (!type) {
    throw corrupt(`expected tensor ${name} of ${[...TYPE_OF.keys()].join(', ')}, got ${JSON.stringify(dtype)}`);
  }
  if (!isCounts(shape)) throw corrupt(`expected tensor ${name} to have a shape, got ${JSON.stringify(shape)}`);
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]! || offsets[1]! > dataBytes) {
    throw corrupt(`expected offsets of tensor ${name} within ${dataBytes} bytes, got ${JSON.stringify(offsets)}`);
  }
  const [start, end] = offsets as [number, number];
  const bytes = elements(shape) * DTYPES[type].bytes;
  if (bytes !== end - start) {
    throw corrupt(`expected ${bytes} bytes for tensor ${name} of shape (${shape.join(', ')}), got ${end - start}`);
  }
  return { name, type, shape, start, end };
}

function checkTiling(entries: readonly Entry[], dataBytes: number): void {
  let position = 0;
  for (const entry of [...entries].sort((a, b) => a.start - b.start || a.end - b.end)) {
    if (entry.start !== position) {
      throw corrupt(`expected tensor ${entry.name} to start at byte ${position} of the data, got ${entry.start}`);
    }
    position = entry.end;
  }
  if (position !== dataBytes) throw corrupt(`expected ${position} bytes of data, got ${dataBytes}`);
}

/** Copies, because the bytes need not be aligned in their buffer. */
function tensorOf({ type, shape }: Entry, bytes: Uint8Array): TensorData {
  const own = new Uint8Array(bytes).buffer;
  return { type, shape, data: new DTYPES[type].array(own) } as TensorData;
}

const elements = (shape: readonly number[]): number => shape.reduce((product, length) => product * length, 1);

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function corrupt(message: string, cause?: unknown): PushforwardError {
  return new PushforwardError(
    'CORRUPT_ARTIFACT',
    `${message}: the safetensors file is damaged, write it again`,
    {},
    { cause },
  );
}
