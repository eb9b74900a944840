/** Where the digits of a digest lie, 64 of lower-case hex. */
export interface DigestBytes {
  readonly bytes: Buffer;
  readonly at: number;
  /** See `beginningOf`. */
  readonly beginning: number;
}

export const DIGEST_BYTES = 64;

/** The first 31 bits of a digest, which nearly always tell two of them apart. More would take an object to hold. */
export function beginningOf(bytes: Buffer, at: number): number {
  return wordAt(bytes, at) >>> 1;
}

/** The last 32 bits. */
export function endOf({ bytes, at }: DigestBytes): number {
  return wordAt(bytes, at + DIGEST_BYTES - WORD_DIGITS);
}

/** Below zero where `a` comes first. */
export function compareDigests(a: DigestBytes, b: DigestBytes): number {
  if (a.beginning !== b.beginning) return a.beginning - b.beginning;
  return a.bytes.compare(b.bytes, b.at, b.at + DIGEST_BYTES, a.at, a.at + DIGEST_BYTES);
}

const WORD_DIGITS = 8;

function wordAt(bytes: Buffer, at: number): number {
  let value = 0;
  for (let i = at; i < at + WORD_DIGITS; i++) {
    const code = bytes[i]!;
    value = (value << 4) | (code < 0x3a ? code - 0x30 : code - 0x57);
  }
  return value >>> 0;
}
