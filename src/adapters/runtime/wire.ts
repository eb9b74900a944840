/** Protobuf's wire format, as far as ONNX files need it. Fields are (number, value); lengths go before what they count. */

/** Bytes in pieces: a file of weights is copied once. */
export type Field = readonly Uint8Array[];

export const message = (...fields: readonly Field[]): Field => fields.flat();

export function varint(field: number, value: number | bigint): Field {
  return [unsigned(field << 3), unsigned(value)];
}

export function float32(field: number, value: number): Field {
  return [unsigned((field << 3) | 5), new Uint8Array(Float32Array.of(value).buffer)];
}

export function nested(field: number, body: Field): Field {
  return [unsigned((field << 3) | 2), unsigned(body.reduce((sum, { length }) => sum + length, 0)), ...body];
}

export const bytes = (field: number, body: Uint8Array): Field => nested(field, [body]);

export const text = (field: number, value: string): Field => nested(field, [new TextEncoder().encode(value)]);

/** Seven bits a byte, the lowest first; a negative number as 64 bits of two's complement. */
function unsigned(value: number | bigint): Uint8Array {
  const out: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest > 127n) {
    out.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  return Uint8Array.of(...out, Number(rest));
}
