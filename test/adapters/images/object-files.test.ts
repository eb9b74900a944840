import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { createObjectFiles } from '../../../src/adapters/images/object-files.ts';
import { sha256 } from '../../../src/base/json.ts';
import { type ObjectReader } from '../../../src/pipeline/ports.ts';
import { EVERY_FORMAT } from '../../support/every-format.ts';
import { type Files, picture, pictures, withFolder, writeTar } from '../../support/image-sources.ts';
import { createMemoryStore, type MemoryStore } from '../../support/memory-store.ts';
import { bucketOf, putFolder } from '../../support/object-sources.ts';
import { scanned as scannedAt } from '../../support/scanned.ts';

const scanned = (store: ObjectReader, path: string, limits = {}) => scannedAt(path, limits, null, bucketOf(store));

async function storeOf(files: Files): Promise<MemoryStore> {
  const store = createMemoryStore();
  for (const [key, bytes] of Object.entries(files)) await store.put(key, bytes);
  return store;
}

/** As consoles make them, and as no file system would have them: no store of ours takes such keys. */
function putAsIs(store: MemoryStore, key: string, bytes: Uint8Array = new Uint8Array()): void {
  store.objects.set(key, { bytes, etag: sha256(bytes), modifiedAt: new Date() });
}

describe.each(Object.keys(EVERY_FORMAT))('%s in a store', (format) => {
  it.each(['', 'some/team/'])('is what it is on a disk, below the prefix "%s"', async (prefix) => {
    await withFolder(async (root) => {
      const path = await EVERY_FORMAT[format]!(root);
      const store = createMemoryStore();
      await putFolder(store, prefix, root);
      const local = await scannedAt(join(root, path));
      const found = await scanned(store, `s3://bucket/${prefix}${path}`);
      const bySource = (of: typeof found) =>
        of.images.map((image) => `${image.className} ${JSON.stringify(image.reference)} ${image.sha256}`).sort();
      expect(bySource(found)).toEqual(bySource(local));
      expect(found.summary.format).toBe(local.summary.format);
      for (const [i, source] of found.summary.sources.entries()) {
        const { uri, etag, ...same } = local.summary.sources[i]!;
        expect(source).toMatchObject(same);
        if (source.kind === 'object') expect(source).toMatchObject({ uri, etag });
        else {
          const key = uri.slice(root.length + 1);
          expect(source).toMatchObject({ uri: `s3://bucket/${prefix}${key}` });
          expect(source.etag).toBe(store.objects.get(prefix + key)?.etag ?? '');
        }
      }
      const read = await found.read();
      expect(read).toHaveLength(local.images.length);
      for (const { entry, bytes } of read) expect(sha256(bytes)).toBe(entry.sha256);
    });
  });
});

describe('a folder in a store', () => {
  it('may be a whole bucket, or be named with a slash at its end', async () => {
    const store = await storeOf(await pictures({ a: 2, b: 1 }));
    for (const path of ['s3://bucket', 's3://bucket/']) {
      expect((await scanned(store, path)).summary.sources).toMatchObject([{ uri: 's3://bucket', format: 'folder' }]);
    }
  });

  it('shows no markers of folders, nothing hidden, and nothing of a neighbour whose name begins alike', async () => {
    const store = await storeOf({
      'a/b/cat/1.png': await picture(1),
      'a/b/cat/.cache/2.png': await picture(2),
      'a/b/.git/3.png': await picture(3),
      'a/bc/cat/4.png': await picture(4),
    });
    for (const marker of ['a/b/', 'a/b/cat/', 'a/b/empty/']) putAsIs(store, marker);
    const { images, summary } = await scanned(store, 's3://bucket/a/b');
    expect(images.map(({ reference }) => reference.path)).toEqual(['cat/1.png']);
    expect(summary).toMatchObject({ emptyClasses: [], ignored: { count: 0 } });
  });

  it.each(['a/../b.png', 'a//b.png', '/b.png', 'a/./b.png', '..'])('with the key %j is refused', async (key) => {
    const store = await storeOf(await pictures({ cat: 2 }));
    putAsIs(store, `set/cat/1.png`, await picture(1));
    putAsIs(store, `set/${key}`, await picture(2));
    await expect(scanned(store, 's3://bucket/set')).rejects.toMatchObject({
      code: 'UNSAFE_PATH',
      message: /^expected keys of names joined by \/ below s3:\/\/bucket\/set, got .*: rename that object/ as never,
    });
  });

  it('with nothing in it is told from one that holds no images', async () => {
    const store = await storeOf({ 'a/readme.md': new Uint8Array(3) });
    await expect(scanned(store, 's3://bucket/b')).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
      message: /expected an object, or objects below it at s3:\/\/bucket\/b, got nothing: correct the path/ as never,
    });
    expect((await scanned(store, 's3://bucket/a')).images).toEqual([]);
  });

  it('with an image that is too large is refused before it is read', async () => {
    const store = await storeOf({ 'cat/1.png': new Uint8Array(500), 'cat/2.png': new Uint8Array(1001) });
    await expect(scanned(store, 's3://bucket', { maxImageBytes: 1000 })).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      message: /cat\/2\.png of 1001 bytes/ as never,
    });
    expect(store.reads.map(({ bytes }) => bytes)).not.toContain(1001);
  });
});

describe('an object that is not what it was at import', () => {
  const changed = (received: RegExp) => ({
    code: 'SOURCE_CHANGED',
    message: expect.stringMatching(/put the old file back or import a new version/) as string,
    details: { received: expect.stringMatching(received) as string },
  });

  it.each(['tar', 'Parquet file', 'CIFAR batch'])('is told by its etag: %s', async (format) => {
    await withFolder(async (root) => {
      const path = await EVERY_FORMAT[format]!(root);
      const store = createMemoryStore();
      await putFolder(store, '', root);
      const found = await scanned(store, `s3://bucket/${path}`);
      const before = store.objects.get(path)!;
      await store.put(path, before.bytes);
      await expect(found.read()).rejects.toMatchObject(changed(/^\d+$/));
      store.objects.set(path, before);
      await expect(found.read()).resolves.toHaveLength(found.images.length);
      await store.delete(path);
      await expect(found.read()).rejects.toMatchObject(changed(/nothing there/));
    });
  });

  it.each(['tar', 'Parquet file'])('is told while it is read, by the store: %s', async (format) => {
    await withFolder(async (root) => {
      const path = await EVERY_FORMAT[format]!(root);
      const store = createMemoryStore();
      await putFolder(store, '', root);
      const old = (await store.head(path))!;
      const found = await scanned({ ...store, head: async () => old }, `s3://bucket/${path}`);
      await store.put(path, store.objects.get(path)!.bytes);
      await expect(found.read()).rejects.toMatchObject(changed(/another etag/));
    });
  });

  it('is told of a folder by the digest and the size of each image', async () => {
    const store = await storeOf(await pictures({ cat: 3 }));
    const found = await scanned(store, 's3://bucket');
    const { bytes } = store.objects.get('cat/0001.png')!;
    await store.put('cat/0001.png', bytes);
    await expect(found.read()).resolves.toHaveLength(3);
    await store.put('cat/0001.png', await picture(77));
    await expect(found.read()).rejects.toMatchObject(changed(/bytes|sha256/));
    await store.put('cat/0001.png', Buffer.concat([bytes, bytes]));
    await expect(found.read()).rejects.toMatchObject(changed(/more/));
    expect(store.reads.at(-1)!.bytes).toBeLessThanOrEqual(bytes.length + 1);
    await store.delete('cat/0001.png');
    await expect(found.read()).rejects.toMatchObject(changed(/nothing there/));
  });

  it('is told when it changes between listing and reading', async () => {
    const store = await storeOf(await pictures({ cat: 3 }));
    const stale: ObjectReader = {
      ...store,
      async *list(prefix) {
        for await (const head of store.list(prefix)) yield { ...head, etag: 'older' };
      },
    };
    await expect(scanned(stale, 's3://bucket')).rejects.toMatchObject({ code: 'SOURCE_CHANGED' });
  });

  it('that ends early is unreadable, with the position', async () => {
    await withFolder(async (root) => {
      await writeTar(join(root, 'a.tar'), await pictures({ cat: 3 }));
      const store = createMemoryStore();
      await putFolder(store, '', root);
      const { bytes } = store.objects.get('a.tar')!;
      await store.put('a.tar', bytes.subarray(0, bytes.length - 1700));
      await expect(scanned(store, 's3://bucket/a.tar')).rejects.toMatchObject({
        code: 'SOURCE_UNREADABLE',
        message: /whole tar|block of zeros/ as never,
      });
    });
  });
});

it('streams an object that may be left early, whatever it is piped into', async () => {
  const bytes = gzipSync(randomBytes(150_000), { level: 0 });
  const store = await storeOf({ 'a.gz': bytes });
  const inPieces: ObjectReader = {
    ...store,
    async *stream() {
      for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
    },
  };
  const stream = createObjectFiles(bucketOf(inPieces)).stream('s3://bucket/a.gz');
  const gunzip = createGunzip();
  const flow = pipeline(stream, gunzip);
  for await (const piece of gunzip) {
    expect(piece).toBeInstanceOf(Buffer);
    break;
  }
  stream.destroy();
  await expect(flow).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
});

it('reads ranges that lie close together as one, and folders many objects at once', async () => {
  await withFolder(async (root) => {
    await writeTar(join(root, 'a.tar'), await pictures({ cat: 60 }));
    const store = createMemoryStore();
    await putFolder(store, '', root);
    const found = await scanned(store, 's3://bucket/a.tar');
    store.reads.length = 0;
    expect(await found.read()).toHaveLength(60);
    expect(store.reads).toHaveLength(1);
  });
  const store = await storeOf(await pictures({ cat: 60 }));
  let reading = 0;
  let most = 0;
  const watched: ObjectReader = {
    ...store,
    async get(...of) {
      most = Math.max(most, ++reading);
      await new Promise((turn) => setImmediate(turn));
      return await store.get(...of).finally(() => reading--);
    },
  };
  const found = await scanned(watched, 's3://bucket');
  expect(most).toBe(16);
  most = 0;
  await found.read();
  expect(most).toBe(16);
});

it.each(['class folders', 'tar', 'Parquet file', 'folder of WebDataset shards'])(
  '%s in a store: what is damaged on the way is read again',
  async (format) => {
    await withFolder(async (root) => {
      const path = await EVERY_FORMAT[format]!(root);
      const store = createMemoryStore();
      await putFolder(store, '', root);
      let damages = 0;
      const get: typeof store.get = async (...of) => {
        const bytes = Uint8Array.from(await store.get(...of));
        if (damages-- > 0) bytes[bytes.length - 1]! ^= 1;
        return bytes;
      };
      const found = await scanned({ ...store, get }, `s3://bucket/${path}`);
      damages = 2;
      const read = await found.read();
      expect(damages).toBeLessThanOrEqual(0);
      expect(read).toHaveLength(found.images.length);
      for (const { entry, bytes } of read) expect(sha256(bytes)).toBe(entry.sha256);
    });
  },
);
