import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readSafetensors, writeSafetensors } from '../../../src/pipeline/formats/safetensors.ts';
import { type TensorData } from '../../../src/pipeline/ports.ts';

const corrupt = expect.objectContaining({ code: 'CORRUPT_ARTIFACT' }) as Error;

/** A file with this header text and so many bytes of data. */
function file(header: string, dataBytes = 0): Uint8Array {
  const json = new TextEncoder().encode(header);
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const shape = fc.array(fc.nat(4), { maxLength: 3 });
const anyTensor: fc.Arbitrary<TensorData> = shape.chain((dims) => {
  const count = dims.reduce((product, length) => product * length, 1);
  const exactly = { minLength: count, maxLength: count };
  return fc.oneof(
    fc.float32Array(exactly).map((data) => ({ type: 'float32', data, shape: dims }) as TensorData),
    fc.float64Array(exactly).map((data) => ({ type: 'float64', data, shape: dims }) as TensorData),
    fc.bigInt64Array(exactly).map((data) => ({ type: 'int64', data, shape: dims }) as TensorData),
    fc.int32Array(exactly).map((data) => ({ type: 'int32', data, shape: dims }) as TensorData),
    fc.uint8Array(exactly).map((data) => ({ type: 'uint8', data, shape: dims }) as TensorData),
  );
});
const tensorName = fc.string().filter((name) => name !== '__metadata__');

describe('safetensors', () => {
  it('reads back what was written, whatever the names, shapes and metadata', () => {
    fc.assert(
      fc.property(
        fc.dictionary(tensorName, anyTensor),
        fc.dictionary(fc.string(), fc.string()),
        (tensors, metadata) => {
          const read = readSafetensors(writeSafetensors(tensors, metadata));
          expect(Object.entries(read.metadata).sort()).toEqual(Object.entries(metadata).sort());
          expect(Object.keys(read.tensors).sort()).toEqual(Object.keys(tensors).sort());
          for (const [name, tensor] of Object.entries(tensors)) expect(read.tensors[name]).toEqual(tensor);
        },
      ),
    );
  });

  it('gives the same bytes whatever order tensors and metadata are handed in', () => {
    const a: TensorData = { type: 'uint8', data: Uint8Array.of(1, 2, 3), shape: [3] };
    const b: TensorData = { type: 'float64', data: Float64Array.of(0.5), shape: [] };
    const one = writeSafetensors({ a, b }, { x: '1', y: '2' });
    const other = writeSafetensors({ b, a }, { y: '2', x: '1' });
    expect(Buffer.compare(one, other)).toBe(0);
  });

  it('aligns every tensor, so that a reader may map the file', () => {
    const bytes = writeSafetensors({
      a: { type: 'uint8', data: Uint8Array.of(1), shape: [1] },
      b: { type: 'float32', data: Float32Array.of(1), shape: [1] },
      c: { type: 'int64', data: BigInt64Array.of(1n), shape: [1] },
    });
    const headerBytes = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(headerBytes % 8).toBe(0);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerBytes))) as Record<
      string,
      { data_offsets: number[] }
    >;
    expect(Object.entries(header).map(([name, { data_offsets }]) => [name, ...data_offsets])).toEqual([
      ['c', 0, 8],
      ['b', 8, 12],
      ['a', 12, 13],
    ]);
  });

  it('reads from bytes that begin anywhere in their buffer', () => {
    const bytes = writeSafetensors({ a: { type: 'float32', data: Float32Array.of(1, 2), shape: [2] } });
    const shifted = new Uint8Array(bytes.length + 3);
    shifted.set(bytes, 3);
    expect(readSafetensors(shifted.subarray(3)).tensors['a']?.data).toEqual(Float32Array.of(1, 2));
  });

  it('refuses to write data that do not fit their shape', () => {
    const tensor: TensorData = { type: 'float32', data: new Float32Array(3), shape: [2, 2] };
    expect(() => writeSafetensors({ tensor })).toThrow('expected 4 elements in tensor tensor of shape (2, 2), got 3');
  });

  const u8 = (start: number, end: number, dims = [end - start]) =>
    JSON.stringify({ dtype: 'U8', shape: dims, data_offsets: [start, end] });

  it.each([
    ['nothing', new Uint8Array()],
    ['a header longer than the file', Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)],
    ['a header that is no JSON', file('{"a":')],
    ['a header that is an array', file('[]')],
    ['a header with a byte order mark', file('\ufeff{}')],
    ['a header nested beyond any stack', file('{"a":'.repeat(300_000))],
    ['an unknown element type', file('{"a":{"dtype":"F8","shape":[],"data_offsets":[0,1]}}', 1)],
    ['a negative length', file('{"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,0]}}')],
    [
      'a shape beyond any number',
      file(`{"a":{"dtype":"U8","shape":[${'9007199254740991,'.repeat(30)}0],"data_offsets":[0,1]}}`, 1),
    ],
    ['offsets beyond the data', file(`{"a":${u8(0, 5)}}`, 4)],
    ['offsets that run backwards', file('{"a":{"dtype":"U8","shape":[0],"data_offsets":[2,1]}}', 2)],
    ['a shape that does not fit the offsets', file(`{"a":${u8(0, 4, [3])}}`, 4)],
    ['tensors that overlap', file(`{"a":${u8(0, 3)},"b":${u8(2, 4)}}`, 4)],
    ['a gap between tensors', file(`{"a":${u8(0, 1)},"b":${u8(2, 4)}}`, 4)],
    ['data after the last tensor', file(`{"a":${u8(0, 3)}}`, 4)],
    ['one name twice', file(`{"a":${u8(0, 2)},"a":${u8(2, 4)}}`, 4)],
    ['one name twice, once escaped', file(`{"a":${u8(0, 2)},"\\u0061":${u8(2, 4)}}`, 4)],
    ['metadata that is not text', file('{"__metadata__":{"a":1}}')],
    ['a tensor that is null', file('{"a":null}')],
  ])('refuses %s', (_, bytes) => {
    expect(() => readSafetensors(bytes)).toThrow(corrupt);
  });

  it('answers any bytes with tensors or CORRUPT_ARTIFACT', () => {
    const good = writeSafetensors({ a: { type: 'uint8', data: Uint8Array.of(1, 2), shape: [2] } }, { k: 'v' });
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), (at, value) => {
        const changed = good.slice();
        changed[at] = value;
        try {
          readSafetensors(changed);
        } catch (error) {
          expect(error).toMatchObject({ code: 'CORRUPT_ARTIFACT' });
        }
      }),
    );
  });
});
