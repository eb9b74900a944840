import { describe, expect, it } from 'vitest';
import { sha256 } from '../../src/base/json.ts';
import { type IncomingPart, type ObjectStore, type SignedRequest } from '../../src/pipeline/ports.ts';

/**
 * What every object store promises. Each test asks the factory for a store of its own, empty at the start.
 * A store that runs over a service hands in a fresh prefix or bucket.
 * @param send sends a signed request as any client would: the status of the answer
 */
export function describeStoreContract<Store extends ObjectStore>(
  name: string,
  factory: () => Promise<Store> | Store,
  send: (request: SignedRequest, body: Uint8Array, store: Store) => Promise<number> = sendOverHttp,
): void {
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
      const put = await store.put('pieces', pieces(whole, 64 * 1024));
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

    it('names an object by the digest of its body', async () => {
      const store = await factory();
      const body = noise(100_000);
      const name = (digest: string) => `blobs/${digest}`;
      for (const of of [body, pieces(body, 30_000)]) {
        const put = await store.put(name, of, { ifAbsent: true });
        expect(put).toEqual({ written: of === body, bytes: body.length, sha256: sha256(body) });
      }
      expect(sha256(await store.get(name(sha256(body))))).toBe(sha256(body));
      await expect(store.put(() => '../k', body)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    });

    it('takes pieces whose memory is used again for the next', async () => {
      const store = await factory();
      const whole = noise(700_000);
      const recycled = (async function* () {
        const memory = new Uint8Array(64 * 1024);
        for await (const piece of pieces(whole, memory.length)) {
          memory.set(piece);
          yield memory.subarray(0, piece.length);
          memory.fill(0);
        }
      })();
      expect(await store.put('pieces', recycled)).toMatchObject({ sha256: sha256(whole) });
      expect(sha256(await store.get('pieces'))).toBe(sha256(whole));
    });

    it.each([100, 2_000_000])('with orDamaged writes %i bytes anew only where others are there', async (length) => {
      const store = await factory();
      const body = noise(length);
      const put = async (of: Uint8Array | AsyncIterable<Uint8Array>) =>
        (await store.put((digest) => `blobs/${digest}`, of, { ifAbsent: 'orDamaged' })).written;
      const key = `blobs/${sha256(body)}`;
      expect(await put(body)).toBe(true);
      const { etag } = (await store.head(key))!;
      expect(await put(body)).toBe(false);
      expect(await put(pieces(body, 64 * 1024))).toBe(false);
      expect((await store.head(key))!.etag).toBe(etag);
      for (const of of [body, pieces(body, 64 * 1024)]) {
        await store.put(key, body.subarray(1));
        expect(await put(of)).toBe(true);
        expect(sha256(await store.get(key))).toBe(sha256(body));
      }
    });

    it('lets exactly one of twenty concurrent ifAbsent writers win, and keeps its bytes', async () => {
      const store = await factory();
      const bodies = Array.from({ length: 20 }, (_, index) => bytes(`writer ${index} `.repeat(5000)));
      const results = await Promise.all(
        bodies.map((body, index) => store.put('race/k', index % 2 ? body : pieces(body, 10_000), { ifAbsent: true })),
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

    it('reads only the object that was asked for by its etag', async () => {
      const store = await factory();
      await store.put('k', bytes('0123456789'));
      const { etag } = (await store.head('k'))!;
      const range = { offset: 2, bytes: 3 };
      expect(text(await store.get('k', undefined, { etag }))).toBe('0123456789');
      expect(text(await store.get('k', range, { etag }))).toBe('234');
      expect(text(await collect(store.stream('k', range, { etag })))).toBe('234');
      await store.put('k', bytes('9876543210'));
      const changed = { code: 'SOURCE_CHANGED', details: { key: 'k', expected: etag } };
      await expect(store.get('k', undefined, { etag })).rejects.toMatchObject(changed);
      await expect(store.get('k', range, { etag })).rejects.toMatchObject(changed);
      await expect(collect(store.stream('k', range, { etag }))).rejects.toMatchObject(changed);
      await store.delete('k');
      await expect(store.get('k', range, { etag })).rejects.toMatchObject({ code: 'NOT_FOUND' });
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

    it('lists what lies right in a folder, folders with a slash', async () => {
      const store = await factory();
      for (const key of ['a/c', 'a-b', 'a/b/x', 'a/b/y', 'a/b-1', 'a/é/z/z', 'b']) await store.put(key, bytes(key));
      expect(await named(store, '')).toEqual(['a-b', 'a/', 'b']);
      expect(await named(store, 'a/')).toEqual(['a/b-1', 'a/b/', 'a/c', 'a/é/']);
      expect(await named(store, 'a/b/')).toEqual(['a/b/x', 'a/b/y']);
      expect(await named(store, 'nothing/')).toEqual([]);
      await expect(named(store, 'a')).rejects.toMatchObject({ code: 'INVALID_INPUT' });
      for (const prefix of ['/', '../', 'a//']) {
        await expect(named(store, prefix)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
      }
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

    describe('an object that others send in parts', () => {
      /** The least that S3 takes for a part that others follow. */
      const MIB5 = 5 * 1024 * 1024;
      const bodies = [noise(MIB5), noise(MIB5).reverse(), bytes('the last part')];
      const parts: IncomingPart[] = bodies.map((body, index) => partOf(index + 1, body));
      const sending = async (key: string) => {
        const store = await factory();
        const gathering = await store.incoming.begin(key);
        return {
          store,
          gathering,
          put: async (part: IncomingPart, body: Uint8Array) =>
            await send(await store.incoming.signPart(key, gathering, part, 60), body, store),
          complete: (of: IncomingPart[]) => store.incoming.complete(key, gathering, of),
        };
      };

      it('is there once it is complete, and whole', async () => {
        const { store, put, complete } = await sending('in/a.bin');
        for (const index of [2, 0, 1]) expect(await put(parts[index]!, bodies[index]!)).toBe(200);
        expect(await store.head('in/a.bin')).toBeNull();
        expect(await keys(store, '')).toEqual([]);
        expect(await complete(parts)).toEqual({ state: 'complete' });
        expect(sha256(await store.get('in/a.bin'))).toBe(sha256(Buffer.concat(bodies)));
        expect(await complete(parts)).toEqual({ state: 'complete' });
        expect(await put(parts[2]!, bodies[2]!)).toBe(404);
      });

      it('is complete for each of several who complete it at once', async () => {
        const { store, put, complete } = await sending('in/a.bin');
        await Promise.all(parts.map((part, index) => put(part, bodies[index]!)));
        const answers = await Promise.all([complete(parts), complete(parts), complete(parts)]);
        expect(answers).toEqual(Array(3).fill({ state: 'complete' }));
        expect(sha256(await store.get('in/a.bin'))).toBe(sha256(Buffer.concat(bodies)));
      });

      it('tells the parts that did not come', async () => {
        const { store, put, complete } = await sending('in/a.bin');
        expect(await complete(parts)).toEqual({ state: 'incomplete', missing: [1, 2, 3] });
        await put(parts[1]!, bodies[1]!);
        expect(await complete(parts)).toEqual({ state: 'incomplete', missing: [1, 3] });
        expect(await store.head('in/a.bin')).toBeNull();
      });

      it('refuses a part of another size, and keeps nothing of it', async () => {
        const { put, complete } = await sending('in/a.bin');
        for (const body of [bytes('the last par'), bytes('the last part!')]) {
          expect(await put(parts[2]!, body)).toBeGreaterThanOrEqual(400);
        }
        expect(await complete(parts.slice(2))).toEqual({ state: 'incomplete', missing: [3] });
      });

      it('never becomes an object of other bytes of the same size', async () => {
        const { store, put, complete } = await sending('in/a.bin');
        const one = [partOf(1, bodies[2]!)];
        await put(one[0]!, bytes('THE LAST PART'));
        expect((await complete(one)).state).not.toBe('complete');
        expect(await store.head('in/a.bin')).toBeNull();
      });

      it('takes a part again, as it was or as it is signed for then', async () => {
        const { store, put, complete } = await sending('in/a.bin');
        const other = bytes('another last part');
        expect(await put(partOf(1, bodies[2]!), bodies[2]!)).toBe(200);
        expect(await put(partOf(1, bodies[2]!), bodies[2]!)).toBe(200);
        expect(await put(partOf(1, other), other)).toBe(200);
        expect(await complete([partOf(1, other)])).toEqual({ state: 'complete' });
        expect(await store.get('in/a.bin')).toEqual(other);
      });

      it('is gone once it was aborted, with others of its folder and no more', async () => {
        const { store, put, complete } = await sending('in/folder/a');
        const beside = await store.incoming.begin('in/folder-b/a');
        await put(parts[2]!, bodies[2]!);
        await store.incoming.abort('in/folder/');
        await store.incoming.abort('in/folder/');
        expect(await complete(parts.slice(2))).toEqual({ state: 'gone' });
        expect(await put(parts[2]!, bodies[2]!)).toBe(404);
        expect(await store.incoming.complete('in/folder-b/a', beside, parts)).toMatchObject({ state: 'incomplete' });
      });

      it.each(['../a', '', 'a//b'])('refuses the key %j', async (key) => {
        const store = await factory();
        const unsafe = { code: 'UNSAFE_PATH' };
        await expect(store.incoming.begin(key)).rejects.toMatchObject(unsafe);
        await expect(store.incoming.signPart(key, '1', parts[2]!, 60)).rejects.toMatchObject(unsafe);
        await expect(store.incoming.abort(`${key}/`)).rejects.toMatchObject(unsafe);
        await expect(store.incoming.abort('a/b')).rejects.toMatchObject({ code: 'INVALID_INPUT' });
      });
    });

    it('signs URLs', async () => {
      const store = await factory();
      await store.put('a/k', bytes('x'));
      const url = await store.signedUrl('a/k', { expiresSeconds: 60, filename: 'k.txt', mediaType: 'text/plain' });
      expect(new URL(url).pathname).toContain('a/k');
    });
  });
}

async function sendOverHttp({ method, url, headers }: SignedRequest, body: Uint8Array): Promise<number> {
  const answer = await fetch(url, { method, headers, body: Buffer.from(body) });
  await answer.arrayBuffer();
  return answer.status;
}

const partOf = (number: number, body: Uint8Array): IncomingPart => ({
  number,
  bytes: body.length,
  sha256: sha256(body),
});

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

async function named(store: ObjectStore, prefix: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { key } of store.listFolder(prefix)) found.push(key);
  return found;
}
