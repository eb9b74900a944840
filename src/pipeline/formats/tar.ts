import { invalid } from '../../base/errors.ts';

export interface TarFile {
  /** Relative, with `/`. */
  path: string;
  bytes: Uint8Array;
}

const BLOCK = 512;
/** Tar ends with two blocks of zeros and is filled up to whole records of twenty blocks, as tar itself does. */
const RECORD = 20 * BLOCK;

/** Length of the tar of these files. */
export function tarBytes(files: readonly TarFile[]): number {
  const length = files.reduce((sum, { bytes }) => sum + BLOCK + padded(bytes.length), 2 * BLOCK);
  return Math.ceil(length / RECORD) * RECORD;
}

/**
 * A tar (POSIX ustar) of files in this order. Time, owner and mode are always the same, so the same files give the same bytes.
 * @throws INVALID_INPUT if a path does not fit: 100 bytes for its last segment, 155 for what is above
 */
export function writeTar(files: readonly TarFile[]): Uint8Array {
  const tar = new Uint8Array(tarBytes(files));
  let at = 0;
  for (const { path, bytes } of files) {
    tar.set(header(path, bytes.length), at);
    tar.set(bytes, at + BLOCK);
    at += BLOCK + padded(bytes.length);
  }
  return tar;
}

function header(path: string, bytes: number): Uint8Array {
  const block = new Uint8Array(BLOCK);
  const text = (value: string, offset: number) => block.set(new TextEncoder().encode(value), offset);
  const octal = (value: number, offset: number, digits: number) =>
    text(`${value.toString(8).padStart(digits, '0')}\0`, offset);
  const slash = path.lastIndexOf('/');
  const [prefix, name] = [path.slice(0, Math.max(0, slash)), path.slice(slash + 1)];
  const fits = (part: string, most: number) => new TextEncoder().encode(part).length <= most;
  if (!fits(name, 100) || !fits(prefix, 155) || name === '' || bytes >= 8 ** 11) {
    throw invalid(`expected a path of at most 155 and 100 bytes and a file below 8 GiB, got ${path} of ${bytes} bytes`);
  }
  text(name, 0);
  octal(0o644, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(bytes, 124, 11);
  octal(0, 136, 11);
  text('        ', 148);
  text('0', 156);
  text('ustar\0', 257);
  text('00', 263);
  text(prefix, 345);
  const sum = block.reduce((total, byte) => total + byte, 0);
  text(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function padded(bytes: number): number {
  return Math.ceil(bytes / BLOCK) * BLOCK;
}
