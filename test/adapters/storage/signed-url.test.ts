import { describe, expect, it } from 'vitest';
import { signPartUrl, signUrl, verifyPartUrl, verifySignedUrl } from '../../../src/adapters/storage/signed-url.ts';

const now = new Date('2026-01-02T12:00:00Z');
const later = (seconds: number) => new Date(now.getTime() + seconds * 1000);
const options = { publicUrl: 'https://host/base', signingSecret: 'secret', expiresSeconds: 60, now };
const object = { key: 'projects/p/objects/ü b.png', filename: 'ü "b".png', mediaType: 'image/png' };
const url = signUrl(object, options);

const changed = (change: (url: URL) => void): string => {
  const copy = new URL(url);
  change(copy);
  return copy.href;
};

describe('signed URLs', () => {
  it('grant what they were signed for', () => {
    expect(url).toMatch(/^https:\/\/host\/base\/objects\/projects\/p\/objects\/%C3%BC%20b\.png\?expires=\d+&/);
    expect(verifySignedUrl(url, 'secret', now)).toEqual(object);
    expect(verifySignedUrl(url.slice('https://host/base'.length), 'secret', later(59))).toEqual(object);
  });

  it('need no name or type', () => {
    const bare = { key: 'k', filename: null, mediaType: null };
    expect(verifySignedUrl(signUrl(bare, options), 'secret', now)).toEqual(bare);
  });

  it.each([
    ['expired', url, 'secret', later(60)],
    ['of another secret', url, 'other', now],
    ['for another key', changed((copy) => (copy.pathname = '/objects/projects/p/objects/other')), 'secret', now],
    ['for another project by ..', url.replace('/p/objects/', '/p/../q/objects/'), 'secret', now],
    ['with a later expiry', changed((copy) => copy.searchParams.set('expires', '9999999999')), 'secret', now],
    ['with another name', changed((copy) => copy.searchParams.set('filename', 'x.html')), 'secret', now],
    ['with another type', changed((copy) => copy.searchParams.set('type', 'text/html')), 'secret', now],
    ['without its type', changed((copy) => copy.searchParams.delete('type')), 'secret', now],
    ['without a signature', changed((copy) => copy.searchParams.delete('signature')), 'secret', now],
    ['with half a signature', changed((copy) => copy.searchParams.set('signature', 'AAAA')), 'secret', now],
    ['of something else', '/graphql', 'secret', now],
    ['that is no URL', '/objects/%ff', 'secret', now],
  ])('are refused %s', (_, received, secret, at) => {
    expect(() => verifySignedUrl(received, secret, at)).toThrow(
      expect.objectContaining({ code: 'FORBIDDEN' }) as Error,
    );
  });

  it.each([0, 1.5, 7 * 24 * 3600 + 1, Number.NaN])('cannot last %d seconds', (expiresSeconds) => {
    expect(() => signUrl(object, { ...options, expiresSeconds })).toThrow('expected expiresSeconds from 1 to 604800');
  });
});

describe('signed URLs of parts', () => {
  const signed = { key: 'a/b', gathering: 'g', part: { number: 2, bytes: 10, sha256: 'ab' } };
  const part = signPartUrl(signed, options);
  const refused = expect.objectContaining({ code: 'FORBIDDEN' }) as Error;

  it('grant what they were signed for, until they expire', () => {
    expect(verifyPartUrl(part, 'secret', later(59))).toEqual(signed);
    expect(() => verifyPartUrl(part, 'secret', later(60))).toThrow(refused);
  });

  it.each(['gathering', 'part', 'bytes', 'sha256', 'expires'])('are refused with another %s', (name) => {
    const other = new URL(part);
    other.searchParams.set(name, '99');
    expect(() => verifyPartUrl(other.href, 'secret', now)).toThrow(refused);
  });

  it('do not read, and those that read do not write', () => {
    expect(() => verifySignedUrl(part, 'secret', now)).toThrow(refused);
    expect(() => verifyPartUrl(url, 'secret', now)).toThrow(refused);
  });
});
