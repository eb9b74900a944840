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

/** A field of a message: a whole number, or the bytes of a text, a message, a list or a fixed number. */
export interface ReadField {
  readonly number: number;
  readonly value: bigint | Uint8Array;
}

/** @throws RangeError if the bytes are no message */
export function* fields(message: Uint8Array): Generator<ReadField> {
  let at = 0;
  const take = (count: number): Uint8Array => {
    if (at + count > message.length) throw new RangeError('a field ends after its message');
    return message.subarray(at, (at += count));
  };
  const whole = (): bigint => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = take(1)[0]!;
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asIntN(64, value);
      if (shift > 63n) throw new RangeError('a number of more than 64 bits');
    }
  };
  while (at < message.length) {
    const tag = Number(whole());
    const number = tag >>> 3;
    const kind = tag & 7;
    if (kind === 0) yield { number, value: whole() };
    else if (kind === 1) yield { number, value: take(8) };
    else if (kind === 5) yield { number, value: take(4) };
    else if (kind === 2) yield { number, value: take(Number(whole())) };
    else throw new RangeError(`a field of unknown kind ${kind}`);
  }
}

/** Whole numbers end to end, as a packed list has them. */
export function packed(list: Uint8Array): bigint[] {
  const out: bigint[] = [];
  let value = 0n;
  let shift = 0n;
  for (const byte of list) {
    value |= BigInt(byte & 127) << shift;
    shift += 7n;
    if (byte < 128) {
      out.push(BigInt.asIntN(64, value));
      value = 0n;
      shift = 0n;
    }
  }
  return out;
}
