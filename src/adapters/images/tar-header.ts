/** Headers of a tar: ustar and GNU, with the extensions that carry long names and sizes. */

export type TarType =
  | 'file'
  | 'link'
  | 'symlink'
  | 'character-device'
  | 'block-device'
  | 'directory'
  | 'fifo'
  | 'contiguous-file'
  | Extension
  /** Some other one (sparse, volume label). */
  | null;

/** Not members: their body tells of the member that follows, or of all that do. */
export type Extension = 'pax' | 'pax-global' | 'gnu-long-name' | 'gnu-long-link';

export interface TarHeader {
  name: string;
  type: TarType;
  /** Length of the body. */
  bytes: number;
}

export const BLOCK = 512;

export interface HeaderBlock {
  bytes: Buffer;
  /** The same memory. */
  words: Int32Array;
}

export function createBlock(): HeaderBlock {
  const bytes = Buffer.alloc(BLOCK);
  return { bytes, words: new Int32Array(bytes.buffer, bytes.byteOffset, BLOCK / 4) };
}

/**
 * @returns null for a block of zeros
 * @throws Error if it is no header of either kind, or its checksum is wrong
 */
export function decodeHeader(block: HeaderBlock): TarHeader | null {
  const { bytes } = block;
  const sum = sumOf(block);
  if (sum === 0) return null;
  if (withoutChecksum(bytes, sum) !== numberAt(bytes, CHECKSUM, 8)) {
    throw new Error('a header whose checksum is wrong');
  }
  const ustar = bytes[MAGIC + 5] === 0;
  if (bytes.readUInt32BE(MAGIC) !== USTA || bytes[MAGIC + 4] !== R || !(ustar || isGnu(bytes))) {
    throw new Error('a header of an unknown format');
  }
  let name = textAt(bytes, 0, 100);
  if (ustar && bytes[PREFIX] !== 0) name = `${textAt(bytes, PREFIX, 155)}/${name}`;
  const flag = bytes[TYPE]!;
  const type = flag === 0 ? 'file' : (TYPES[String.fromCharCode(flag)] ?? null);
  const size = numberAt(bytes, 124, 12);
  if (!(size >= 0)) throw new Error('a header without a size');
  // Some programs give folders a size, but never a body.
  return { name, type, bytes: type === 'directory' ? 0 : size };
}

/** Records `<length> <key>=<value>\n`, of which the first that is none ends the rest. */
export function decodePax(body: Uint8Array): Map<string, string> {
  const records = new Map<string, string>();
  let rest = Buffer.from(body.buffer, body.byteOffset, body.length);
  for (;;) {
    const space = rest.indexOf(0x20);
    const length = space < 0 ? 0 : Number.parseInt(rest.toString('latin1', 0, space), 10);
    if (!(length > space)) return records;
    const record = rest.toString('utf8', space + 1, length - 1);
    const equals = record.indexOf('=');
    if (equals < 0) return records;
    records.set(record.slice(0, equals), record.slice(equals + 1));
    rest = rest.subarray(length);
  }
}

/** Text up to the first NUL. */
export function textAt(bytes: Buffer, offset: number, length: number): string {
  let end = offset;
  let ascii = 0;
  for (; end < offset + length && bytes[end] !== 0; end++) ascii |= bytes[end]!;
  return bytes.toString(ascii < 0x80 ? 'latin1' : 'utf8', offset, end);
}

const CHECKSUM = 148;
const TYPE = 156;
const MAGIC = 257;
const PREFIX = 345;
const USTA = Buffer.from('usta').readUInt32BE();
const R = 'r'.charCodeAt(0);

const TYPES: Record<string, TarType> = {
  '0': 'file',
  '1': 'link',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  '6': 'fifo',
  '7': 'contiguous-file',
  x: 'pax',
  g: 'pax-global',
  L: 'gnu-long-name',
  N: 'gnu-long-name',
  K: 'gnu-long-link',
};

const isGnu = (bytes: Buffer) => bytes[MAGIC + 5] === 0x20 && bytes[MAGIC + 6] === 0x20 && bytes[MAGIC + 7] === 0;

/** The sum of the bytes, two of each word at a time: 128 of them stay below 2^16. */
function sumOf({ words }: HeaderBlock): number {
  let even = 0;
  let odd = 0;
  for (let i = 0; i < BLOCK / 4; i++) {
    const word = words[i]!;
    even += word & 0x00ff00ff;
    odd += (word >>> 8) & 0x00ff00ff;
  }
  return (even & 0xffff) + (even >>> 16) + (odd & 0xffff) + (odd >>> 16);
}

/** The sum is over the header with spaces in the place of the checksum. */
function withoutChecksum(bytes: Buffer, sum: number): number {
  for (let i = CHECKSUM; i < CHECKSUM + 8; i++) sum += 0x20 - bytes[i]!;
  return sum;
}

/** Octal, with spaces or NULs around it; or, where the first bit is set, what follows as one big-endian number. */
function numberAt(bytes: Buffer, offset: number, length: number): number {
  const end = offset + length;
  if (bytes[offset]! & 0x80) {
    let value = bytes[offset] === 0xff ? -1 : 0;
    for (let i = offset + 1; i < end; i++) value = value * 256 + bytes[i]!;
    return bytes[offset] === 0x80 || bytes[offset] === 0xff ? value : Number.NaN;
  }
  let at = offset;
  while (at < end && (bytes[at] === 0x20 || bytes[at] === 0)) at += 1;
  let value = 0;
  for (; at < end; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  return value;
}
