import { describe, expect, it } from 'vitest';
import { sha256 } from '../../src/base/json.ts';
import { type ObjectStore } from '../../src/pipeline/ports.ts';

/**
 * What every object store promises. Each test asks the factory for a store of its own, empty at the start.
 * A store that runs over a service hands in a fresh prefix or bucket.
 */
export function describeStoreContract(name: string, factory: () => Promise<ObjectStore> | ObjectStore): void {
  describe(`${name}: object store contract`, () => {
    it('gives back what was put, with its size and digest', async () => {
      const store = await factory();
      const body = bytes('hello');
      expect(await store.put('a/b.txt', body)).toEqual({ written: true, bytes: 5, sha256: sha256(body) });
      expect(text(await store.get('a/b.txt'))).toBe('hello');
      expect(await store.head('a/b.txt')).toMatchObject({ key: 'a/b.txt', bytes: 5 });
    });

    it('says when an object was written, also in lists, and anew when it is replaced', async () => {
      const store = await factory();
      await store.put('k', bytes('one'));
      const { modifiedAt } = (await store.head('k'))!;
      // Stores have clocks of their own, some of whole seconds.
      expect(Math.abs(modifiedAt.getTime() - Date.now())).toBeLessThan(3_600_000);
      for await (const head of store.list('')) expect(head.modifiedAt).toEqual(modifiedAt);
      await store.put('k', bytes('two'));
      expect((await store.head('k'))!.modifiedAt.getTime()).toBeGreaterThanOrEqual(modifiedAt.getTime());
    });

    it('holds empty objects', async () => {
      const store = await factory();
      expect(await store.put('empty', new Uint8Array())).toMatchObject({ written: true, bytes: 0 });
      expect(await store.get('empty')).toHaveLength(0);
      expect(await collect(store.stream('empty'))).toHaveLength(0);
      expect(await store.head('empty')).toMatchObject({ bytes: 0 });
    });

    it('takes a body that comes in pieces', async () => {
      const store = await factory();
      const whole = noise(700_000);
      const put = await store.put('pieces', pieces(whole, 64 * 1024), { sha256: sha256(whole) });
      expect(put).toEqual({ written: true, bytes: whole.length, sha256: sha256(whole) });
      expect(sha256(await store.get('pieces'))).toBe(sha256(whole));
      expect(sha256(await collect(store.stream('pieces')))).toBe(sha256(whole));
    });

    it('replaces an object, whose etag changes with it', async () => {
      const store = await factory();
      await store.put('k', bytes('one'));
      const before = await store.head('k');
      expect((await store.head('k'))?.etag).toBe(before?.etag);
      expect(await store.put('k', bytes('two'))).toMatchObject({ written: true });
      expect(text(await store.get('k'))).toBe('two');
      expect((await store.head('k'))?.etag).not.toBe(before?.etag);
    });

    it('with ifAbsent leaves what is there', async () => {
      const store = await factory();
      expect(await store.put('k', bytes('first'), { ifAbsent: true })).toMatchObject({ written: true });
      const second = await store.put('k', bytes('second'), { ifAbsent: true });
      expect(second).toEqual({ written: false, bytes: 6, sha256: sha256('second') });
      const third = await store.put('k', pieces(bytes('third'), 2), { ifAbsent: true });
      expect(third).toEqual({ written: false, bytes: 5, sha256: sha256('third') });
      expect(text(await store.get('k'))).toBe('first');
    });

    it('lets exactly one of twenty concurrent ifAbsent writers win, and keeps its bytes', async () => {
      const store = await factory();
      const bodies = Array.from({ length: 20 }, (_, index) => bytes(`writer ${index} `.repeat(5000)));
      const results = await Promise.all(
        bodies.map((body, index) =>
          store.put('race/k', index % 2 ? body : pieces(body, 10_000), { ifAbsent: true, sha256: sha256(body) }),
        ),
      );
      const winners = results.filter((result) => result.written);
      expect(winners).toHaveLength(1);
      expect(sha256(await store.get('race/k'))).toBe(winners[0]!.sha256);
    });

    it('shows readers one of the bodies whole while writers replace it', async () => {
      const store = await factory();
      const bodies = ['a', 'b'].map((letter) => bytes(letter.repeat(200_000)));
      const digests = bodies.map(sha256);
      await store.put('k', bodies[0]!);
      const writers = Array.from({ length: 10 }, (_, index) => store.put('k', bodies[index % 2]!));
      const reads = await Promise.all(Array.from({ length: 20 }, () => store.get('k')));
      for (const read of reads) expect(digests).toContain(sha256(read));
      await Promise.all(writers);
    });

    it('refuses a body with another digest and leaves nothing', async () => {
      const store = await factory();
      const wrong = { sha256: sha256('other') };
      await expect(store.put('k', bytes('body'), wrong)).rejects.toMatchObject({ code: 'CORRUPT_ARTIFACT' });
      await expect(store.put('k', pieces(bytes('body'), 1), wrong)).rejects.toMatchObject({ code: 'CORRUPT_ARTIFACT' });
      expect(await store.head('k')).toBeNull();
      expect(await keys(store, '')).toEqual([]);
    });

    it('leaves nothing of a body that fails half way, and hands on its error', async () => {
      const store = await factory();
      const failing = (async function* () {
        yield bytes('half');
        throw new Error('source gone');
      })();
      await expect(store.put('k', failing)).rejects.toThrow('source gone');
      expect(await store.head('k')).toBeNull();
      expect(await keys(store, '')).toEqual([]);
    });

    it('reads ranges, cut at the end of the object', async () => {
      const store = await factory();
      await store.put('k', bytes('0123456789'));
      expect(text(await store.get('k', { offset: 2, bytes: 3 }))).toBe('234');
      expect(text(await store.get('k', { offset: 8, bytes: 100 }))).toBe('89');
      expect(text(await collect(store.stream('k', { offset: 2, bytes: 3 })))).toBe('234');
      expect(text(await collect(store.stream('k', { offset: 9, bytes: 100 })))).toBe('9');
    });

    it.each([
      { offset: 10, bytes: 1 },
      { offset: -1, bytes: 2 },
      { offset: 0, bytes: 0 },
    ])('refuses the range $offset, $bytes of an object of 10 bytes', async (range) => {
      const store = await factory();
      await store.put('k', bytes('0123456789'));
      await expect(store.get('k', range)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
      await expect(collect(store.stream('k', range))).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    });

    it('says NOT_FOUND of what is not there', async () => {
      const store = await factory();
      await store.put('folder/k', bytes('x'));
      for (const key of ['nothing', 'folder', 'folder/k2', 'folder/k/below']) {
        await expect(store.get(key)).rejects.toMatchObject({ code: 'NOT_FOUND' });
        await expect(collect(store.stream(key))).rejects.toMatchObject({ code: 'NOT_FOUND' });
        expect(await store.head(key)).toBeNull();
      }
    });

    it('lists a prefix in ascending order of the bytes of the keys', async () => {
      const store = await factory();
      const put = ['a/c', 'a-b', 'a/b/x', 'a.b', 'ab', 'a/b-1', 'b/é', 'b/z'];
      for (const key of put) await store.put(key, bytes(key));
      expect(await keys(store, '')).toEqual(
        [...put].sort((one, other) => Buffer.compare(Buffer.from(one), Buffer.from(other))),
      );
      expect(await keys(store, 'a')).toEqual(['a-b', 'a.b', 'a/b-1', 'a/b/x', 'a/c', 'ab']);
      expect(await keys(store, 'a/')).toEqual(['a/b-1', 'a/b/x', 'a/c']);
      expect(await keys(store, 'a/b')).toEqual(['a/b-1', 'a/b/x']);
      expect(await keys(store, 'nothing/here')).toEqual([]);
    });

    it('orders keys beyond the basic plane by their UTF-8 bytes, as S3 does', async () => {
      const store = await factory();
      for (const key of ['b/\u{1f600}', 'b/\uff5e', 'b/z']) await store.put(key, bytes(key));
      expect(await keys(store, 'b/')).toEqual(['b/z', 'b/\uff5e', 'b/\u{1f600}']);
    });

    it('lists with the heads that head gives', async () => {
      const store = await factory();
      await store.put('a/1', bytes('one'));
      for await (const head of store.list('a/')) expect(head).toEqual(await store.head('a/1'));
    });

    it('deletes, also what is not there', async () => {
      const store = await factory();
      await store.put('a/k', bytes('x'));
      await store.delete('a/k');
      await store.delete('a/k');
      await store.delete('never/was');
      expect(await store.head('a/k')).toBeNull();
      expect(await store.put('a/k', bytes('y'), { ifAbsent: true })).toMatchObject({ written: true });
    });

    it.each([
      '',
      '/a',
      'a/',
      'a//b',
      '.',
      '..',
      '../a',
      'a/../b',
      'a/./b',
      'a\u0000b',
      'a\nb',
      'a\\b',
      'x'.repeat(1025),
    ])('refuses the key %j', async (key) => {
      const store = await factory();
      const unsafe = { code: 'UNSAFE_PATH' };
      await expect(store.put(key, bytes('x'))).rejects.toMatchObject(unsafe);
      await expect(store.get(key)).rejects.toMatchObject(unsafe);
      await expect(collect(store.stream(key))).rejects.toMatchObject(unsafe);
      await expect(store.head(key)).rejects.toMatchObject(unsafe);
      await expect(store.delete(key)).rejects.toMatchObject(unsafe);
      await expect(store.signedUrl(key, { expiresSeconds: 60 })).rejects.toMatchObject(unsafe);
      expect(await keys(store, '')).toEqual([]);
    });

    it.each(['../', '/', 'a/../', 'a//'])('refuses to list the prefix %j', async (prefix) => {
      const store = await factory();
      await expect(keys(store, prefix)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    });

    it('signs URLs', async () => {
      const store = await factory();
      await store.put('a/k', bytes('x'));
      const url = await store.signedUrl('a/k', { expiresSeconds: 60, filename: 'k.txt', mediaType: 'text/plain' });
      expect(new URL(url).pathname).toContain('a/k');
    });
  });
}

const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
const text = (value: Uint8Array): string => new TextDecoder().decode(value);

function noise(length: number): Uint8Array {
  let state = 1;
  return Uint8Array.from({ length }, () => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) >>> 24);
}

async function* pieces(whole: Uint8Array, size: number): AsyncIterable<Uint8Array> {
  for (let at = 0; at < whole.length; at += size) yield await Promise.resolve(whole.subarray(at, at + size));
}

async function collect(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function keys(store: ObjectStore, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of store.list(prefix)) found.push(key);
  return found;
}
