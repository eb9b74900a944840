import { mkdtemp, readdir, rm, utimes, writeFile, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createDirectoryStore } from '../../../src/adapters/storage/directory.ts';
import { storeFailure } from '../../../src/adapters/storage/failures.ts';
import { type Clock } from '../../../src/base/clock.ts';
import { sha256 } from '../../../src/base/json.ts';
import { describeStoreContract } from '../../support/store-contract.ts';

const roots: string[] = [];

async function freshRoot(): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), 'store-'));
  roots.push(root);
  return root;
}

const open = (root: string, clock?: Clock) =>
  createDirectoryStore({
    root,
    signingSecret: 'secret',
    publicUrl: () => 'http://localhost:4000',
    ...(clock && { clock }),
  });

afterAll(async () => {
  for (const root of roots) await rm(root, { recursive: true });
});

describeStoreContract(
  'directory',
  async () => open(await freshRoot()),
  async ({ url }, body, store) => {
    const { pathname, search } = new URL(url);
    return await statusOf(store.receive(pathname + search, chunks(body), null));
  },
);

/** As the service answers. */
const statusOf = (receiving: Promise<void>): Promise<number> =>
  receiving.then(
    () => 200,
    (error: { code: string }) => ({ NOT_FOUND: 404, FORBIDDEN: 403, INVALID_INPUT: 400 })[error.code] ?? 500,
  );

async function* chunks(whole: Uint8Array, size = 64 * 1024): AsyncIterable<Uint8Array> {
  for (let at = 0; at < whole.length; at += size) yield await Promise.resolve(whole.subarray(at, at + size));
}

describe('directory store', () => {
  const body = new TextEncoder().encode('body');

  it('keeps its objects over a restart', async () => {
    const root = await freshRoot();
    await open(root).put('a/k', body);
    expect(await open(root).get('a/k')).toEqual(body);
  });

  it('never shows what a writer that died had written', async () => {
    const root = await freshRoot();
    const store = open(root);
    let release: () => void = () => undefined;
    const stopped = new Promise<void>((resolve) => (release = resolve));
    const slow = (async function* () {
      yield body;
      await stopped;
    })();
    const writing = store.put('a/k', slow);
    await expect.poll(() => readdir(join(root, 'temporary'))).toHaveLength(1);
    expect(await store.head('a/k')).toBeNull();
    for await (const { key } of store.list('')) expect.unreachable(`listed ${key}`);
    await expect(store.get('a/k')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    release();
    await writing;
    expect(await readdir(join(root, 'temporary'))).toEqual([]);
  });

  it('sweeps temporary files a day after their last write, and no younger ones', async () => {
    const root = await freshRoot();
    const now = new Date('2026-01-02T12:00:00Z');
    await mkdir(join(root, 'temporary'));
    for (const [name, hours] of [
      ['old', 25],
      ['young', 23],
    ] as const) {
      const path = join(root, 'temporary', name);
      await writeFile(path, 'half');
      const at = new Date(now.getTime() - hours * 3600_000);
      await utimes(path, at, at);
    }
    await open(root, { now: () => now, sleep: async () => {} }).put('k', body);
    expect(await readdir(join(root, 'temporary'))).toEqual(['young']);
  });

  it('refuses a key below or above another object', async () => {
    const store = open(await freshRoot());
    await store.put('a/b', body);
    for (const options of [{}, { ifAbsent: true }]) {
      await expect(store.put('a/b/c', body, options)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
      await expect(store.put('a', body, options)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    }
    expect(await store.get('a/b')).toEqual(body);
  });

  it('refuses a range of half bytes', async () => {
    const store = open(await freshRoot());
    await store.put('k', body);
    await expect(store.get('k', { offset: 0.5, bytes: 1 })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('says STORE_UNAVAILABLE with a remedy when the file system refuses', async () => {
    const root = await freshRoot();
    await writeFile(join(root, 'objects'), 'a file where the folder should be');
    await writeFile(join(root, 'temporary'), 'here too');
    await expect(open(root).put('k', body)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  });

  it.each([
    ['ENOSPC', 'free space'],
    ['EACCES', 'access to the folder'],
    ['EPERM', 'hard links'],
    ['EIO', 'look at the disk'],
  ])('names the remedy of %s', (code, remedy) => {
    const error = Object.assign(new Error(code), { code, syscall: 'write' });
    expect(storeFailure(error, 'write k')).toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining(remedy) as string,
    });
  });

  describe('a part that others send', () => {
    const begun = async (clock?: Clock) => {
      const root = await freshRoot();
      const store = open(root, clock);
      const gathering = await store.incoming.begin('in/a');
      const part = { number: 1, bytes: body.length, sha256: sha256(body) };
      const { url } = await store.incoming.signPart('in/a', gathering, part, 60);
      const { pathname, search } = new URL(url);
      const send = (of: AsyncIterable<Uint8Array>, announced: number | null = null) =>
        store.receive(pathname + search, of, announced);
      const kept = () => readdir(join(root, 'incoming/in/a', gathering));
      const temporary = () => readdir(join(root, 'temporary')).catch(() => []);
      return { send, kept, temporary };
    };

    it('is read no further than the first byte too many', async () => {
      const { send, kept, temporary } = await begun();
      let read = 0;
      const endless = (async function* () {
        for (;;) {
          read += 1;
          yield body;
        }
      })();
      await expect(send(endless)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
      expect(read).toBe(2);
      expect([await kept(), await temporary()]).toEqual([[], []]);
    });

    it('is not read at all where its sender says another size', async () => {
      const { send } = await begun();
      const untouched = (async function* (): AsyncIterable<Uint8Array> {
        yield body;
        expect.unreachable('the body was read');
      })();
      await expect(send(untouched, 5)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    });

    it('leaves nothing where its sender goes away', async () => {
      const { send, kept, temporary } = await begun();
      const broken = (async function* () {
        yield body.subarray(0, 2);
        throw new Error('aborted');
      })();
      await expect(send(broken)).rejects.toThrow('aborted');
      expect([await kept(), await temporary()]).toEqual([[], []]);
    });

    it('is refused once its URL has expired', async () => {
      let now = new Date();
      const { send, kept } = await begun({ now: () => now, sleep: () => Promise.reject(new Error('not now')) });
      now = new Date(now.getTime() + 60_000);
      await expect(send(chunks(body))).rejects.toMatchObject({
        code: 'FORBIDDEN',
        message: expect.stringContaining('has not expired') as string,
      });
      expect(await kept()).toEqual([]);
    });
  });

  it('hands on system errors of the source of a body', async () => {
    const store = open(await freshRoot());
    const failing = (async function* () {
      yield body;
      throw Object.assign(new Error('gone'), { code: 'ENOENT', syscall: 'open' });
    })();
    await expect(store.put('k', failing)).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
