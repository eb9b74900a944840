import { invalid, PushforwardError } from './errors.ts';
import { namelessSegment } from './relative-path.ts';

const MAX_KEY_BYTES = 1024;
/** What common file systems allow for one name. */
const MAX_SEGMENT_BYTES = 255;

/** @throws UNSAFE_PATH unless the key is one that every store can hold */
export function checkKey(key: string): void {
  const fault = keyFault(key);
  if (fault) {
    throw new PushforwardError(
      'UNSAFE_PATH',
      `expected an object key of relative segments joined by /, got ${JSON.stringify(key.slice(0, 200))} (${fault}): correct the key`,
    );
  }
}

/** A prefix is a key cut off anywhere; the empty prefix means everything. */
export function checkPrefix(prefix: string): void {
  const lastSlash = prefix.lastIndexOf('/');
  if (lastSlash === 0) checkKey(prefix);
  if (lastSlash > 0) checkKey(prefix.slice(0, lastSlash));
}

/** @throws UNSAFE_PATH unless it is empty or a key with a slash behind it */
export function checkFolderPrefix(prefix: string): void {
  if (prefix !== '') checkKey(prefix.replace(/\/$/, ''));
  if (prefix === '' || prefix.endsWith('/')) return;
  throw invalid(`expected a prefix that ends in /, got ${JSON.stringify(prefix)}: add it`);
}

/** What keeps a text from being a key, or null. */
export function keyFault(key: string): string | null {
  if (key === '') return 'empty';
  if (!key.isWellFormed()) return 'not valid Unicode';
  if (Buffer.byteLength(key) > MAX_KEY_BYTES) return `longer than ${MAX_KEY_BYTES} bytes`;
  if (/[\u0000-\u001f\u007f\\]/.test(key)) return 'a control character or a backslash';
  const nameless = namelessSegment(key);
  if (nameless !== null) return nameless === '' ? 'an empty segment' : `a ${nameless} segment`;
  for (const segment of key.split('/')) {
    if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES) return `a segment longer than ${MAX_SEGMENT_BYTES} bytes`;
  }
  return null;
}

/** The order of keys. The order of UTF-16 units is that of the UTF-8 bytes but for surrogates. */
export function byUtf8(a: string, b: string): number {
  if (SURROGATE.test(a) || SURROGATE.test(b)) return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : a > b ? 1 : 0;
}

const SURROGATE = /[\ud800-\udfff]/;
