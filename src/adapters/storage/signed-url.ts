import { createHmac, timingSafeEqual } from 'node:crypto';
import { invalid, PushforwardError } from '../../base/errors.ts';
import { canonicalJson } from '../../base/json.ts';
import { checkKey } from '../../base/object-keys.ts';
import { type IncomingPart } from '../../pipeline/ports.ts';

/** What a signed URL grants: to GET one object, under this name and type. */
export interface SignedObject {
  key: string;
  filename: string | null;
  mediaType: string | null;
}

/** What a signed URL grants: to PUT one part of one object, and no other bytes. */
export interface SignedPart {
  key: string;
  /** See `IncomingObjects.begin`. */
  gathering: string;
  part: IncomingPart;
}

/** The longest that S3 allows too. */
const MAX_EXPIRES_SECONDS = 7 * 24 * 3600;

export interface SigningOptions {
  publicUrl: string;
  signingSecret: string;
  expiresSeconds: number;
  now: Date;
}

export function signUrl({ key, filename, mediaType }: SignedObject, options: SigningOptions): string {
  const query = { ...(filename !== null && { filename }), ...(mediaType !== null && { type: mediaType }) };
  return sign({ method: 'GET', key, query }, options);
}

export function signPartUrl({ key, gathering, part }: SignedPart, options: SigningOptions): string {
  const query = { gathering, part: String(part.number), bytes: String(part.bytes), sha256: part.sha256 };
  return sign({ method: 'PUT', key, query }, options);
}

/**
 * Checks a URL of `{publicUrl}/objects/<key>?expires=..&signature=..` and says what it grants. Whoever serves it sends
 * the object with this media type and name and `X-Content-Type-Options: nosniff`.
 * @param url path and query as received, for example `request.originalUrl`
 * @throws FORBIDDEN if it expired, was changed, or was signed with another secret or for a PUT
 */
export function verifySignedUrl(url: string, signingSecret: string, now: Date): SignedObject {
  const { key, query } = verify('GET', url, signingSecret, now);
  return { key, filename: query['filename'] ?? null, mediaType: query['type'] ?? null };
}

/** The same of a URL for a PUT. @throws FORBIDDEN */
export function verifyPartUrl(url: string, signingSecret: string, now: Date): SignedPart {
  const { key, query } = verify('PUT', url, signingSecret, now);
  const { gathering, part, bytes, sha256 } = query as Record<'gathering' | 'part' | 'bytes' | 'sha256', string>;
  return { key, gathering, part: { number: Number(part), bytes: Number(bytes), sha256 } };
}

/** @throws INVALID_INPUT unless a URL may last so long */
export function checkExpiry(expiresSeconds: number): void {
  if (Number.isInteger(expiresSeconds) && expiresSeconds >= 1 && expiresSeconds <= MAX_EXPIRES_SECONDS) return;
  throw invalid(`expected expiresSeconds from 1 to ${MAX_EXPIRES_SECONDS}, got ${expiresSeconds}: correct the value`);
}

interface Grant {
  method: 'GET' | 'PUT';
  key: string;
  query: Record<string, string>;
}

function sign(grant: Grant, { publicUrl, signingSecret, expiresSeconds, now }: SigningOptions): string {
  checkExpiry(expiresSeconds);
  checkKey(grant.key);
  const expires = String(Math.floor(now.getTime() / 1000) + expiresSeconds);
  const signature = signatureOf(grant, expires, signingSecret).toString('base64url');
  const query = new URLSearchParams({ expires, ...grant.query, signature });
  return `${publicUrl}/objects/${grant.key.split('/').map(encodeURIComponent).join('/')}?${query}`;
}

function verify(method: Grant['method'], url: string, signingSecret: string, now: Date): Grant {
  const { key, query, expires, received } = parse(url);
  const grant = { method, key, query };
  const expected = signatureOf(grant, expires, signingSecret);
  if (received.length !== expected.length || !timingSafeEqual(received, expected)) throw refused('one we signed');
  if (Number(expires) * 1000 <= now.getTime()) {
    const at = new Date(Number(expires) * 1000).toISOString();
    throw refused('one that has not expired', `one that expired at ${at}`);
  }
  checkKey(key);
  return grant;
}

function parse(url: string): Omit<Grant, 'method'> & { expires: string; received: Buffer } {
  try {
    const { pathname, searchParams } = new URL(url, 'http://localhost');
    const start = pathname.indexOf('/objects/');
    if (start < 0) throw refused('one of an object');
    const key = pathname
      .slice(start + '/objects/'.length)
      .split('/')
      .map(decodeURIComponent)
      .join('/');
    const { expires = '', signature = '', ...query } = Object.fromEntries(searchParams);
    return { key, query, expires, received: Buffer.from(signature, 'base64url') };
  } catch (cause) {
    throw cause instanceof PushforwardError ? cause : refused('a well-formed one');
  }
}

/** Over canonical JSON, so that no two grants share a text. */
function signatureOf(grant: Grant, expires: string, secret: string): Buffer {
  return createHmac('sha256', secret)
    .update(canonicalJson({ ...grant, expires }))
    .digest();
}

function refused(expected: string, received = 'another'): PushforwardError {
  return new PushforwardError('FORBIDDEN', `expected a signed URL, ${expected}, got ${received}: ask for a new one`);
}
