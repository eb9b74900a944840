import { type ImageReference } from '../ports.ts';
import { type RestWriter } from './records.ts';

/**
 * References as JSON.stringify writes them. Digit by digit, because of every image a string of JSON, the digits of its numbers
 * and the garbage that they are took 30 of the 320 ms of an import of 50,000.
 */
export const REFERENCE: RestWriter<ImageReference> = {
  // A character of a path takes at most the six of \u0000.
  maxBytes: ({ path }) => 6 * path.length + MAX_OTHERS,

  write({ source, path, bytes, offset, row }, into, from) {
    let at = writeAscii('{"source":', into, from);
    at = writeDigits(source, into, at);
    at = writeAscii(',"path":', into, at);
    at = writeQuoted(path, into, at);
    at = writeAscii(',"bytes":', into, at);
    at = writeDigits(bytes, into, at);
    if (offset !== undefined) at = writeDigits(offset, into, writeAscii(',"offset":', into, at));
    if (row !== undefined) at = writeDigits(row, into, writeAscii(',"row":', into, at));
    return writeAscii('}', into, at);
  },
};

/** Names of fields, and five numbers of 16 digits. */
const MAX_OTHERS = 150;

function writeAscii(text: string, into: Buffer, at: number): number {
  for (let i = 0; i < text.length; i++) into[at + i] = text.charCodeAt(i);
  return at + text.length;
}

/** @param value a whole number of 0 or more */
function writeDigits(value: number, into: Buffer, at: number): number {
  let end = at + 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) end += 1;
  let left = value;
  for (let i = end - 1; i >= at; i--) {
    const tens = Math.floor(left / 10);
    into[i] = left - 10 * tens + 0x30;
    left = tens;
  }
  return end;
}

function writeQuoted(text: string, into: Buffer, at: number): number {
  into[at] = QUOTE;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code > 0x7e || code === QUOTE || code === BACKSLASH) {
      return at + into.write(JSON.stringify(text), at);
    }
    into[at + 1 + i] = code;
  }
  into[at + 1 + text.length] = QUOTE;
  return at + text.length + 2;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
