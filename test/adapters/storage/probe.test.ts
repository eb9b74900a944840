import { createServer } from 'node:http';
import { type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { tryStore } from '../../../src/adapters/storage/open.ts';
import { probeStore } from '../../../src/adapters/storage/probe.ts';
import { type S3Settings } from '../../../src/adapters/storage/s3/settings.ts';
import { createMemoryStore } from '../../support/memory-store.ts';
import { type S3Double, startS3Double } from '../../support/s3-double.ts';
import { environmentOf } from '../../support/s3-server.ts';

const refused = {
  code: 'INVALID_INPUT',
  message: expect.stringMatching(/If-None-Match.*wrote over it: upgrade the store/) as string,
};

describe('the probe of a store', () => {
  it('passes one that keeps the contract, and leaves nothing there', async () => {
    const store = createMemoryStore();
    await probeStore(store);
    expect(store.objects.size).toBe(0);
  });

  it('refuses one that writes over what is there, and leaves nothing there', async () => {
    const store = createMemoryStore();
    const careless = { ...store, put: (key: string, body: Parameters<typeof store.put>[1]) => store.put(key, body) };
    await expect(probeStore(careless)).rejects.toMatchObject(refused);
    expect(store.objects.size).toBe(0);
  });
});

describe('at the start', () => {
  let double: S3Double;
  const start = async (
    heeds: { whole: boolean; parts: boolean },
    more: Partial<S3Settings> = {},
    unknown: string[] = [],
  ) => {
    double = await startS3Double(heeds, unknown);
    const { endpoint } = double;
    const settings = { bucket: 'bucket', prefix: 'p', endpoint, pathStyle: true, checksums: 'WHEN_SUPPORTED' } as const;
    await tryStore({ kind: 's3', ...settings, encryption: null, ...more });
  };
  const sent = (name: string) =>
    double.requests.filter(({ headers }) => headers[name] !== undefined).map(({ method, query }) => method + query);

  beforeEach(() => {
    for (const [name, value] of Object.entries(environmentOf({ accessKeyId: 'a', secretAccessKey: 's' }))) {
      vi.stubEnv(name, value);
    }
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await double.stop();
  });

  it('an S3 store that heeds conditional writes is taken', async () => {
    await start({ whole: true, parts: true });
    expect(double.requests.length).toBeGreaterThan(6);
  });

  it.each([
    { whole: false, parts: true },
    { whole: true, parts: false },
  ])('one that does not heed them is refused: %j', async (heeds) => {
    await expect(start(heeds)).rejects.toMatchObject(refused);
  });

  it.each([
    ['if-none-match', 'INVALID_INPUT', /If-None-Match.*got one that answered 501.*: upgrade the store/],
    ['x-amz-checksum-crc32', 'STORE_UNAVAILABLE', /NotImplemented: if the store knows no checksums/],
  ])('one that answers 501 to %s is refused for that', async (header, code, message) => {
    await expect(start({ whole: true, parts: true }, {}, [header])).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    });
  });

  it.each([
    ['a web page', 200, '<!DOCTYPE html><html>hello</html>', /no object store answers there/],
    ['a page that is not there', 404, '<html>none</html>', /NotFound: make the bucket/],
    ['another service', 405, '{"error":"method"}', /an answer that is none of S3: something else answers there/],
  ])('what answers with %s is told apart from a store', async (_, status, body, message) => {
    double = await startS3Double({ whole: true, parts: true });
    const server = createServer((request, response) => {
      request.resume().on('end', () => response.writeHead(status, { 'content-type': 'text/html' }).end(body));
    });
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const settings = { bucket: 'bucket', prefix: '', endpoint, pathStyle: true, checksums: 'WHEN_SUPPORTED' } as const;
    await expect(tryStore({ kind: 's3', ...settings, encryption: null })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringMatching(message) as string,
    });
    server.close();
  });

  it('asks for the encryption that was set', async () => {
    await start({ whole: true, parts: true }, { encryption: { algorithm: 'aws:kms', keyId: 'key' } });
    expect(new Set(sent('x-amz-server-side-encryption'))).toEqual(new Set(['PUTx-id', 'POSTuploads']));
    expect(double.requests[0]!.headers).toMatchObject({
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': 'key',
    });
  });

  it('sends checksums, unless they are only for where they are required', async () => {
    await start({ whole: true, parts: true });
    expect(sent('x-amz-checksum-crc32').length).toBeGreaterThan(0);
    await double.stop();
    await start({ whole: true, parts: true }, { checksums: 'WHEN_REQUIRED' });
    const names = double.requests.flatMap(({ headers }) => Object.keys(headers));
    expect(names.filter((name) => name.includes('checksum'))).toEqual([]);
  });
});
