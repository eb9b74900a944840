import { createHmac, timingSafeEqual } from 'node:crypto';
import { invalid, PushforwardError } from '../../base/errors.ts';
import { checkKey } from './keys.ts';

/** What a signed URL grants: one GET of one object, under this name and type. */
export interface SignedObject {
  key: string;
  filename: string | null;
  mediaType: string | null;
}

/** The longest that S3 allows too. */
const MAX_EXPIRES_SECONDS = 7 * 24 * 3600;

export interface SigningOptions {
  publicUrl: string;
  signingSecret: string;
  expiresSeconds: number;
  now: Date;
}

export function signUrl(object: SignedObject, options: SigningOptions): string {
  const { expiresSeconds } = options;
  checkExpiry(expiresSeconds);
  checkKey(object.key);
  const expires = Math.floor(options.now.getTime() / 1000) + expiresSeconds;
  const query = new URLSearchParams({ expires: String(expires) });
  if (object.filename !== null) query.set('filename', object.filename);
  if (object.mediaType !== null) query.set('type', object.mediaType);
  query.set('signature', signature(object, String(expires), options.signingSecret).toString('base64url'));
  return `${options.publicUrl}/objects/${object.key.split('/').map(encodeURIComponent).join('/')}?${query}`;
}

/**
 * Checks a URL of `{publicUrl}/objects/<key>?expires=..&signature=..` and says what it grants. Whoever serves it sends
 * the object with this media type and name and `X-Content-Type-Options: nosniff`.
 * @param url path and query as received, for example `request.originalUrl`
 * @throws FORBIDDEN if it expired, was changed, or was signed with another secret
 */
export function verifySignedUrl(url: string, signingSecret: string, now: Date): SignedObject {
  const { object, expires, received } = parse(url);
  const expected = signature(object, expires, signingSecret);
  if (received.length !== expected.length || !timingSafeEqual(received, expected)) throw refused('one we signed');
  if (Number(expires) * 1000 <= now.getTime()) {
    const at = new Date(Number(expires) * 1000).toISOString();
    throw refused('one that has not expired', `one that expired at ${at}`);
  }
  checkKey(object.key);
  return object;
}

/** @throws INVALID_INPUT unless a URL may last so long */
export function checkExpiry(expiresSeconds: number): void {
  if (Number.isInteger(expiresSeconds) && expiresSeconds >= 1 && expiresSeconds <= MAX_EXPIRES_SECONDS) return;
  throw invalid(`expected expiresSeconds from 1 to ${MAX_EXPIRES_SECONDS}, got ${expiresSeconds}: correct the value`);
}

function parse(url: string): { object: SignedObject; expires: string; received: Buffer } {
  try {
    const { pathname, searchParams } = new URL(url, 'http://localhost');
    const start = pathname.indexOf('/objects/');
    if (start < 0) throw refused('one of an object');
    const key = pathname
      .slice(start + '/objects/'.length)
      .split('/')
      .map(decodeURIComponent)
      .join('/');
    const object = { key, filename: searchParams.get('filename'), mediaType: searchParams.get('type') };
    const received = Buffer.from(searchParams.get('signature') ?? '', 'base64url');
    return { object, expires: searchParams.get('expires') ?? '', received };
  } catch (cause) {
    throw cause instanceof PushforwardError ? cause : refused('a well-formed one');
  }
}

/** Over a JSON array, so that no two grants share a text. */
function signature(object: SignedObject, expires: string, secret: string): Buffer {
  const text = JSON.stringify(['GET', object.key, expires, object.filename, object.mediaType]);
  return createHmac('sha256', secret).update(text).digest();
}

function refused(expected: string, received = 'another'): PushforwardError {
  return new PushforwardError('FORBIDDEN', `expected a signed URL, ${expected}, got ${received}: ask for a new link`);
}
