import { ListMultipartUploadsCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { openClient } from '../../../src/adapters/storage/s3/connection.ts';
import { type S3Settings, type S3Tuning } from '../../../src/adapters/storage/s3/settings.ts';
import { createS3Store } from '../../../src/adapters/storage/s3/store.ts';
import { sha256 } from '../../../src/base/json.ts';
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.ts';
import { startS3Double } from '../../support/s3-double.ts';
import { environmentOf, goMissing, type S3Server, startS3Server } from '../../support/s3-server.ts';
import { describeStoreContract } from '../../support/store-contract.ts';
import { until } from '../../support/until.ts';

const MIB = 1024 * 1024;
const [CREATE, PART, COMPLETE] = ['POST uploads', 'PUT partNumber,uploadId', 'POST uploadId'];
const small = new TextEncoder().encode('body');

describe.skipIf(goMissing)('S3', () => {
  let server: S3Server;
  let proxy: FaultProxy;
  beforeAll(async () => {
    server = await startS3Server();
    proxy = await startFaultProxy(server.endpoint);
    as(environmentOf(server.owner));
  }, 600_000);
  afterEach(() => {
    vi.unstubAllEnvs();
    as(environmentOf(server.owner));
    proxy.seen.length = 0;
    proxy.fault = () => null;
  });
  afterAll(async () => {
    vi.unstubAllEnvs();
    await proxy.stop();
    await server.stop();
  });

  const as = (env: Record<string, string>) => {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  };
  const throughProxy = async (tuning: S3Tuning = { partBytes: 5 * MIB, multipartFromBytes: 5 * MIB + 1 }) => {
    const settings = { ...(await server.bucket()), endpoint: proxy.endpoint };
    return { settings, store: createS3Store(settings, { maxAttempts: 3, ...tuning }) };
  };
  const uploadsLeft = async (settings: S3Settings) => {
    const client = openClient(settings, 1, 'WHEN_REQUIRED');
    return (await client.send(new ListMultipartUploadsCommand({ Bucket: settings.bucket }))).Uploads ?? [];
  };

  describeStoreContract('S3', async () => createS3Store(await server.bucket()));
  describeStoreContract('S3 below a prefix, in parts', async () =>
    createS3Store({ ...(await server.bucket()), prefix: 'some/team' }, { partBytes: 5 * MIB, multipartFromBytes: 1 }),
  );
  describeStoreContract('S3 without checksums', async () =>
    createS3Store({ ...(await server.bucket()), checksums: 'WHEN_REQUIRED' }),
  );

  it('keeps stores of other prefixes apart', async () => {
    const settings = await server.bucket();
    const [one, other] = ['a', 'ab'].map((prefix) => createS3Store({ ...settings, prefix }));
    await one!.put('k', small);
    expect(await other!.head('k')).toBeNull();
    for await (const { key } of other!.list('')) expect.unreachable(`listed ${key}`);
    expect(await createS3Store(settings).get('a/k')).toEqual(small);
  });

  it.each(['a//b', '../b', '/a'])('refuses the prefix %j', async (prefix) => {
    const settings = { ...(await server.bucket()), prefix };
    expect(() => createS3Store(settings)).toThrow(expect.objectContaining({ code: 'UNSAFE_PATH' }) as Error);
  });

  it('lists more keys than one answer holds', async () => {
    const store = createS3Store(await server.bucket());
    const names = Array.from({ length: 1005 }, (_, index) => `many/${String(index).padStart(4, '0')}`);
    await Promise.all(names.map((name) => store.put(name, small)));
    const listed: string[] = [];
    for await (const { key } of store.list('many/')) listed.push(key);
    expect(listed).toEqual(names);
  });

  describe('a body of several parts', () => {
    it.each([true, false])('arrives whole, in pieces: %s', async (inPieces) => {
      const { store } = await throughProxy();
      const whole = noise(12 * MIB + 345);
      const put = await store.put('k', inPieces ? pieces(whole, MIB) : whole, { ifAbsent: true });
      expect(put).toEqual({ written: true, bytes: whole.length, sha256: sha256(whole) });
      expect(proxy.seen.filter((kind) => kind === PART)).toHaveLength(3);
      expect(sha256(await store.get('k'))).toBe(sha256(whole));
      expect(await store.get('k', { offset: 5 * MIB - 1, bytes: 2 })).toEqual(whole.slice(5 * MIB - 1, 5 * MIB + 1));
    });

    it('is not sent where the object is there', async () => {
      const { store } = await throughProxy();
      await store.put('k', small);
      expect(await store.put('k', noise(6 * MIB), { ifAbsent: true })).toMatchObject({ written: false });
      expect(proxy.seen).not.toContain(CREATE);
    });

    it('loses against one that comes first while it is sent', async () => {
      const { settings, store } = await throughProxy();
      const other = createS3Store({ ...settings, endpoint: server.endpoint });
      let first: Promise<unknown> | undefined;
      proxy.fault = (kind) => {
        if (kind === PART) first ??= other.put('k', small);
        return null;
      };
      expect(await store.put('k', noise(11 * MIB), { ifAbsent: true })).toMatchObject({ written: false });
      await first;
      expect(await store.get('k')).toEqual(small);
      expect(await uploadsLeft(settings)).toEqual([]);
    });

    it('is sent again from the start after a conflict (409)', async () => {
      const { settings, store } = await throughProxy();
      const whole = noise(6 * MIB);
      proxy.fault = (kind, before) =>
        kind === COMPLETE && before === 0 ? { status: 409, code: 'ConditionalRequestConflict' } : null;
      expect(await store.put('k', pieces(whole, MIB), { ifAbsent: true })).toMatchObject({ written: true });
      expect(proxy.seen.filter((kind) => kind === CREATE)).toHaveLength(2);
      expect(proxy.seen.filter((kind) => kind === PART)).toHaveLength(4);
      expect(sha256(await store.get('k'))).toBe(sha256(whole));
      expect(await uploadsLeft(settings)).toEqual([]);
    });

    it('survives a part that fails once', async () => {
      const { store } = await throughProxy();
      const whole = noise(6 * MIB);
      proxy.fault = (kind, before) => (kind === PART && before < 2 ? { status: 500, code: 'InternalError' } : null);
      await store.put('k', whole);
      expect(sha256(await store.get('k'))).toBe(sha256(whole));
    });

    it('leaves nothing when the store fails in the middle', async () => {
      const { settings, store } = await throughProxy();
      proxy.fault = (kind, before) => (kind === PART && before > 0 ? { status: 500, code: 'InternalError' } : null);
      await expect(store.put('k', noise(16 * MIB), { ifAbsent: true })).rejects.toMatchObject({
        code: 'STORE_UNAVAILABLE',
        message: expect.stringContaining('the store is failing, try again') as string,
      });
      expect(await store.head('k')).toBeNull();
      expect(await uploadsLeft(settings)).toEqual([]);
    });

    it.each([null, { status: 404, code: 'NoSuchUpload' }, { status: 412, code: 'PreconditionFailed' }])(
      'is written once where the answer that says so is lost, and the next is %j',
      async (next) => {
        const { store } = await throughProxy();
        proxy.fault = (kind, before) => (kind === COMPLETE ? (['answerLost', next] as const)[before]! : null);
        expect(await store.put('k', noise(6 * MIB), { ifAbsent: true })).toMatchObject({ written: true });
        expect(proxy.seen.filter((kind) => kind === CREATE)).toHaveLength(1);
      },
    );
  });

  describe('an object that others send', () => {
    const folder = 'uploads/1/';
    const part = { number: 1, bytes: small.length, sha256: sha256(small) };
    const begun = async (settings: S3Settings) => {
      const store = createS3Store(settings, { maxAttempts: 3 });
      const gathering = await store.incoming.begin(`${folder}a`);
      const signed = await store.incoming.signPart(`${folder}a`, gathering, part, 60);
      const send = async (body: string | Uint8Array, headers = signed.headers, url = signed.url) => {
        const answer = await fetch(url, { method: 'PUT', headers, body: Buffer.from(body) });
        return [answer.status, /<Code>(.*)<\/Code>/.exec(await answer.text())?.[1] ?? null];
      };
      const complete = () => store.incoming.complete(`${folder}a`, gathering, [part]);
      return { store, gathering, signed, send, complete };
    };

    it('has size and digest under the signature of its URL: the store refuses anything else', async () => {
      const { signed, send } = await begun(await server.bucket());
      const signedHeaders = new URL(signed.url).searchParams.get('X-Amz-SignedHeaders');
      expect(signedHeaders).toBe('content-length;host;x-amz-checksum-sha256');
      expect(await send('BODY')).toEqual([400, 'BadDigest']);
      expect(await send('bodies')).toEqual([403, 'SignatureDoesNotMatch']);
      expect(await send(small, {})).toEqual([403, 'SignatureDoesNotMatch']);
      const forged = { 'x-amz-checksum-sha256': Buffer.from(sha256('BODY'), 'hex').toString('base64') };
      expect(await send('BODY', forged)).toEqual([403, 'SignatureDoesNotMatch']);
      const later = signed.url.replace('X-Amz-Expires=60', 'X-Amz-Expires=6000');
      expect(await send(small, signed.headers, later)).toEqual([403, 'SignatureDoesNotMatch']);
      expect(await send(small)).toEqual([200, null]);
    });

    it('is refused once its URL has expired', async () => {
      const { store, gathering, send } = await begun(await server.bucket());
      const signed = await store.incoming.signPart(`${folder}a`, gathering, part, 1);
      const answer = await until(async () => {
        const [status, code] = await send(small, signed.headers, signed.url);
        return status === 200 ? null : [status, code];
      });
      expect(answer).toEqual([403, 'AccessDenied']);
    });

    it('is deleted where a store without checksums took other bytes', async () => {
      const { store, signed, send, complete } = await begun({ ...(await server.bucket()), checksums: 'WHEN_REQUIRED' });
      expect(signed.headers).toEqual({});
      expect(await send('BODY')).toEqual([200, null]);
      expect(await complete()).toEqual({ state: 'gone' });
      expect(await store.head(`${folder}a`)).toBeNull();
    });

    it('is complete where the answer that says so is lost', async () => {
      const { store, send, complete } = await begun({ ...(await server.bucket()), endpoint: proxy.endpoint });
      expect(await send(small)).toEqual([200, null]);
      proxy.fault = (kind, before) => (kind === COMPLETE && before === 0 ? 'answerLost' : null);
      expect(await complete()).toEqual({ state: 'complete' });
      expect(await store.get(`${folder}a`)).toEqual(small);
    });

    it('stays as it was where the store fails in the middle, and can be completed later', async () => {
      const settings = { ...(await server.bucket()), endpoint: proxy.endpoint };
      const { store, send, complete } = await begun(settings);
      await send(small);
      const failing = { status: 500, code: 'InternalError' };
      for (const kind of ['GET uploadId', COMPLETE]) {
        proxy.fault = (of) => (of === kind ? failing : null);
        await expect(complete()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
        expect(await store.head(`${folder}a`)).toBeNull();
      }
      proxy.fault = () => null;
      expect(await complete()).toEqual({ state: 'complete' });
      expect(await uploadsLeft(settings)).toEqual([]);
    });

    it('is aborted with all others of its folder, more than one answer lists', async () => {
      const settings = { ...(await server.bucket()), prefix: 'team' };
      const { store } = await begun(settings);
      await Promise.all(Array.from({ length: 1005 }, (_, index) => store.incoming.begin(`${folder}many/${index}`)));
      await store.incoming.begin('uploads/10/a');
      await store.incoming.abort(folder);
      expect((await uploadsLeft(settings)).map(({ Key }) => Key)).toEqual(['team/uploads/10/a']);
    }, 120_000);

    it('is encrypted as the settings say', async () => {
      const double = await startS3Double({ whole: true, parts: true });
      const settings = { bucket: 'b', prefix: '', endpoint: double.endpoint, pathStyle: true } as const;
      const encryption = { algorithm: 'aws:kms', keyId: 'key' } as const;
      await createS3Store({ ...settings, checksums: 'WHEN_SUPPORTED', encryption }).incoming.begin('a');
      expect(double.requests[0]!.headers).toMatchObject({
        'x-amz-server-side-encryption': 'aws:kms',
        'x-amz-server-side-encryption-aws-kms-key-id': 'key',
        'x-amz-checksum-algorithm': 'SHA256',
      });
      await double.stop();
    });
  });

  describe('a body sent whole', () => {
    it('is written once where the answer that says so is lost', async () => {
      const { store } = await throughProxy();
      proxy.fault = (kind, before) => (kind === 'PUT' && before === 0 ? 'answerLost' : null);
      expect(await store.put('k', small, { ifAbsent: true })).toMatchObject({ written: true });
      expect(await store.put('k', small, { ifAbsent: true })).toMatchObject({ written: false });
    });

    it('is sent again after a conflict (409), a few times', async () => {
      const { store } = await throughProxy();
      const conflict = { status: 409, code: 'ConditionalRequestConflict' };
      proxy.fault = (kind, before) => (kind === 'PUT' && before < 3 ? conflict : null);
      expect(await store.put('k', small, { ifAbsent: true })).toMatchObject({ written: true });
      proxy.fault = (kind) => (kind === 'PUT' ? conflict : null);
      await expect(store.put('k2', small, { ifAbsent: true })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    });

    it('is sent again to a store that asks for fewer requests', async () => {
      const { store } = await throughProxy();
      proxy.fault = (kind, before) => (kind === 'PUT' && before === 0 ? { status: 503, code: 'SlowDown' } : null);
      expect(await store.put('k', small)).toMatchObject({ written: true });
    });
  });

  describe('bytes that are damaged on the way', () => {
    it.each([
      ['flipped', small.length],
      ['truncated', 3 * MIB],
    ] as const)('are read anew where the object has a checksum: %s', async (fault, bytes) => {
      const { store } = await throughProxy();
      const whole = noise(bytes);
      await store.put('k', whole);
      proxy.fault = (kind, before) => (kind === 'GET' && before === 0 ? fault : null);
      expect(sha256(await store.get('k'))).toBe(sha256(whole));
    });

    it('of a range are asked for where they were cut short', async () => {
      const { store } = await throughProxy();
      const whole = noise(100_000);
      await store.put('k', whole);
      proxy.fault = (kind, before) => (kind === 'GET' && before === 0 ? 'truncated' : null);
      const range = await store.get('k', { offset: 1000, bytes: 50_000 });
      expect(Buffer.compare(range, whole.subarray(1000, 51_000))).toBe(0);
    });

    it('are an outage to whoever reads them as they come, and damage of the object only where they are so again', async () => {
      const { store } = await throughProxy();
      await store.put('k', noise(1000));
      const read = async () => {
        for await (const chunk of store.stream('k')) void chunk;
      };
      proxy.fault = (kind, before) => (kind === 'GET' && before === 0 ? 'flipped' : null);
      await expect(read()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', details: { damaged: 'on the way' } });
      proxy.fault = (kind) => (kind === 'GET' ? 'flipped' : null);
      await expect(read()).rejects.toMatchObject({ code: 'CORRUPT_ARTIFACT' });
      await expect(store.get('k')).rejects.toMatchObject({ code: 'CORRUPT_ARTIFACT' });
      // What is named by its digest is written anew where it is damaged.
      expect(await store.put('k', noise(1000), { ifAbsent: 'orDamaged' })).toMatchObject({ written: true });
    });

    it.each([
      ['whole', 'PUT'],
      ['in parts', PART],
    ] as const)('are sent again, a few times: %s', async (how, of) => {
      const { store } = await throughProxy(how === 'whole' ? {} : { partBytes: 5 * MIB, multipartFromBytes: 1 });
      const body = noise(6 * MIB);
      proxy.fault = (kind, before) => (kind === of && before < 2 ? 'flippedUpload' : null);
      expect(await store.put('k', body, { ifAbsent: true })).toMatchObject({ written: true, sha256: sha256(body) });
      proxy.fault = (kind) => (kind === of ? 'flippedUpload' : null);
      await expect(store.put('k2', body)).rejects.toMatchObject({
        code: 'STORE_UNAVAILABLE',
        message: expect.stringMatching(/damaged on the way, try again/) as string,
      });
      expect(await store.head('k2')).toBeNull();
    });
  });

  describe('a download', () => {
    it('goes on where its connection broke', async () => {
      const { store } = await throughProxy();
      const whole = noise(3 * MIB);
      await store.put('k', whole);
      proxy.fault = (kind, before) => (kind === 'GET' && before < 3 ? 'cut' : null);
      expect(sha256(await store.get('k'))).toBe(sha256(whole));
      expect(proxy.seen.filter((kind) => kind === 'GET')).toHaveLength(4);
    });

    it('goes on however often it breaks, as long as something comes', async () => {
      const { store } = await throughProxy();
      const whole = noise(3 * MIB);
      await store.put('k', whole);
      proxy.fault = (kind, before) => (kind === 'GET' && before < 12 ? 'cut' : null);
      expect(sha256(await store.get('k'))).toBe(sha256(whole));
      expect(proxy.seen.filter((kind) => kind === 'GET')).toHaveLength(13);
    });

    it('gives up where nothing comes any more', async () => {
      const { store } = await throughProxy();
      await store.put('k', noise(3 * MIB));
      proxy.fault = (kind, before) => (kind !== 'GET' ? null : before === 0 ? 'cut' : 'cutAtOnce');
      await expect(store.get('k')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
      expect(proxy.seen.filter((kind) => kind === 'GET')).toHaveLength(5);
    });

    it('of what was to be replaced only where it is damaged counts as absent where it went meanwhile', async () => {
      const { store } = await throughProxy();
      await store.put('k', small);
      proxy.fault = (kind, before) => (kind === 'GET' && before === 0 ? { status: 404, code: 'NoSuchKey' } : null);
      expect(await store.put('k', small, { ifAbsent: 'orDamaged' })).toMatchObject({ written: true });
      expect(await store.put('k', small, { ifAbsent: 'orDamaged' })).toMatchObject({ written: false });
    });

    it('does not go on in an object that took the place of the first', async () => {
      const { settings, store } = await throughProxy();
      const [one, two] = [noise(3 * MIB), noise(3 * MIB).reverse()];
      await store.put('k', one);
      const other = createS3Store({ ...settings, endpoint: server.endpoint });
      proxy.fault = (kind, before) => (kind === 'GET' && before === 0 ? 'cut' : null);
      const reading = (async () => {
        let replaced: Promise<unknown> | undefined;
        for await (const chunk of store.stream('k')) {
          expect(chunk.length).toBeGreaterThan(0);
          await (replaced ??= other.put('k', two));
        }
      })();
      await expect(reading).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
    });
  });

  describe('a signed URL', () => {
    it('hands the object out under its name and type, to anyone', async () => {
      const store = createS3Store({ ...(await server.bucket()), prefix: 'p' });
      await store.put('a/ü b', small, { mediaType: 'application/octet-stream' });
      const url = await store.signedUrl('a/ü b', { expiresSeconds: 60, filename: 'ü "b".png', mediaType: 'image/png' });
      expect(url).not.toMatch(/checksum/i);
      const answer = await fetch(url);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-type')).toBe('image/png');
      expect(answer.headers.get('content-disposition')).toBe(
        `inline; filename="_ _b_.png"; filename*=UTF-8''%C3%BC%20%22b%22.png`,
      );
      expect(new Uint8Array(await answer.arrayBuffer())).toEqual(small);
    });

    it('has a page of HTML saved, not shown', async () => {
      const store = createS3Store(await server.bucket());
      await store.put('k', small);
      const url = await store.signedUrl('k', { expiresSeconds: 60, filename: 'r.html', mediaType: 'text/html' });
      expect((await fetch(url)).headers.get('content-disposition')).toMatch(/^attachment; filename="r\.html"/);
    });

    it('is refused once it expired, and where it was changed', async () => {
      const store = createS3Store(await server.bucket());
      await store.put('k', small);
      await store.put('k2', small);
      const url = await store.signedUrl('k', { expiresSeconds: 1 });
      expect((await fetch(url.replace('/k?', '/k2?'))).status).toBe(403);
      await until(async () => (await fetch(url)).status === 403);
      expect(await (await fetch(url)).text()).toMatch(/expired/i);
    });

    it.each([0, 1.5, 7 * 24 * 3600 + 1])('cannot last %d seconds', async (expiresSeconds) => {
      const store = createS3Store(await server.bucket());
      await expect(store.signedUrl('k', { expiresSeconds })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    });
  });

  describe('says what to do about', () => {
    const refusal = (text: string) => ({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining(text) as string,
    });

    it('a bucket that is not there', async () => {
      const store = createS3Store({ ...(await server.bucket()), bucket: 'nowhere' });
      await expect(store.put('k', small)).rejects.toMatchObject(refusal('correct PUSHFORWARD_STORE'));
      await expect(store.get('k')).rejects.toMatchObject(refusal('s3://nowhere'));
      await expect(store.list('')[Symbol.asyncIterator]().next()).rejects.toMatchObject(refusal('NoSuchBucket'));
    });

    it('credentials that may not', async () => {
      const settings = await server.bucket();
      as(environmentOf(server.stranger));
      const store = createS3Store(settings, { multipartFromBytes: MIB });
      const denied = refusal('give these credentials s3:GetObject');
      await expect(store.put('k', small)).rejects.toMatchObject(denied);
      await expect(store.put('k', noise(MIB))).rejects.toMatchObject(denied);
      await expect(store.get('k')).rejects.toMatchObject(denied);
      await expect(store.head('k')).rejects.toMatchObject(denied);
      await expect(store.delete('k')).rejects.toMatchObject(denied);
    });

    it('credentials that are wrong', async () => {
      const settings = await server.bucket();
      as(environmentOf({ ...server.owner, secretAccessKey: 'guessed' }));
      await expect(createS3Store(settings).get('k')).rejects.toMatchObject(refusal('SignatureDoesNotMatch'));
      as(environmentOf({ accessKeyId: 'nobody', secretAccessKey: 'guessed' }));
      await expect(createS3Store(settings).get('k')).rejects.toMatchObject(refusal('correct AWS_ACCESS_KEY_ID'));
    });

    it('credentials that expired', async () => {
      const { store } = await throughProxy();
      proxy.fault = () => ({ status: 400, code: 'ExpiredToken' });
      await expect(store.get('k')).rejects.toMatchObject(refusal('renew the credentials'));
    });

    it('credentials and a region that are not there', async () => {
      const settings = await server.bucket();
      for (const [name, value] of Object.entries({
        AWS_ACCESS_KEY_ID: undefined,
        AWS_SECRET_ACCESS_KEY: undefined,
        AWS_EC2_METADATA_DISABLED: 'true',
        AWS_CONFIG_FILE: '/nowhere',
        AWS_SHARED_CREDENTIALS_FILE: '/nowhere',
      })) {
        vi.stubEnv(name, value);
      }
      await expect(createS3Store(settings).get('k')).rejects.toMatchObject(refusal('set AWS_ACCESS_KEY_ID'));
      as(environmentOf(server.owner));
      vi.stubEnv('AWS_REGION', undefined);
      await expect(createS3Store(settings).get('k')).rejects.toMatchObject(refusal('set AWS_REGION'));
    });

    it('a store that is not reached', async () => {
      const gone = await startFaultProxy(server.endpoint);
      await gone.stop();
      const store = createS3Store({ ...(await server.bucket()), endpoint: gone.endpoint }, { maxAttempts: 2 });
      await expect(store.put('k', small)).rejects.toMatchObject(refusal('check PUSHFORWARD_S3_ENDPOINT'));
    });
  });
});

function noise(length: number): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  for (let i = 0, state = 1; i < words.length; i++) words[i] = state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return new Uint8Array(words.buffer, 0, length);
}

async function* pieces(whole: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < whole.length; at += size) yield await Promise.resolve(whole.subarray(at, at + size));
}
