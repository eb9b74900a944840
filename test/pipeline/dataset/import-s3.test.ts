import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createImageReader, createSourceScanner } from '../../../src/adapters/images/index.ts';
import { createSourceLocator } from '../../../src/adapters/storage/index.ts';
import { type S3Settings } from '../../../src/adapters/storage/s3/settings.ts';
import { createS3Store } from '../../../src/adapters/storage/s3/store.ts';
import { sha256 } from '../../../src/base/json.ts';
import { importDataset, type ImportedVersion } from '../../../src/pipeline/dataset/import.ts';
import { datasetContent, readChunks, readEntries, readSources } from '../../../src/pipeline/dataset/version.ts';
import { type ObjectStore } from '../../../src/pipeline/ports.ts';
import { EVERY_FORMAT } from '../../support/every-format.ts';
import { type FaultProxy, startFaultProxy } from '../../support/fault-proxy.ts';
import { picture, pictures, withFolder, writeTar } from '../../support/image-sources.ts';
import { createMemoryStore } from '../../support/memory-store.ts';
import { putFolder } from '../../support/object-sources.ts';
import { environmentOf, goMissing, type S3Server, startS3Server } from '../../support/s3-server.ts';

describe.skipIf(goMissing)('a dataset in S3', () => {
  let server: S3Server;
  let proxy: FaultProxy;
  let settings: S3Settings;
  let bucket: ObjectStore;

  const as = (env: Record<string, string>) => {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  };
  /** Of a service that reads through the proxy. */
  const locate = () => createSourceLocator({ s3: { ...settings, endpoint: proxy.endpoint }, upload: () => null })('p');

  beforeAll(async () => {
    server = await startS3Server();
    proxy = await startFaultProxy(server.endpoint);
  }, 600_000);
  afterAll(async () => {
    vi.unstubAllEnvs();
    await proxy.stop();
    await server.stop();
  });
  const fresh = async () => {
    as(environmentOf(server.owner));
    settings = await server.bucket();
    bucket = createS3Store(settings);
    proxy.seen.length = 0;
  };
  afterEach(() => {
    proxy.fault = () => null;
  });

  const run = (store: ObjectStore, tempDir: string, path: string): Promise<ImportedVersion> =>
    importDataset({ scanner: createSourceScanner({}, locate()), store, projectId: 'p', path, tempDir });

  async function readAll(store: ObjectStore, { manifest }: ImportedVersion): Promise<number> {
    const reader = createImageReader(store, () => locate());
    const sources = await readSources(store, 'p', manifest);
    let read = 0;
    for (const chunk of await readChunks(store, 'p', manifest)) {
      const entries = await readEntries(store, 'p', manifest, chunk);
      for await (const { entry, bytes } of reader.read('p', sources, entries)) {
        expect(sha256(bytes)).toBe(entry.sha256);
        read += 1;
      }
    }
    return read;
  }

  it.each(Object.keys(EVERY_FORMAT))(
    'is the version that it is on a disk, and is read where it lies: %s',
    async (format) => {
      await fresh();
      await withFolder(async (root) => {
        const path = await EVERY_FORMAT[format]!(root);
        await putFolder(bucket, 'some/team/', root);
        const [store, temporary] = [createMemoryStore(), join(root, 'temporary')];
        const local = await run(store, temporary, join(root, path));
        const version = await run(store, temporary, `s3://${settings.bucket}/some/team/${path}`);
        const { digest, images, classes } = local;
        expect(version).toMatchObject({ digest, images, classes });
        expect(datasetContent(version.manifest).format).toBe(datasetContent(local.manifest).format);
        for (const source of await readSources(store, 'p', version.manifest)) {
          if (source.kind === 'object') continue;
          const key = source.uri.slice(`s3://${settings.bucket}/`.length);
          expect(source.etag).toBe((await bucket.head(key))?.etag ?? '');
        }
        expect(await readAll(store, version)).toBe(images);
      });
    },
  );

  it('of many objects is listed page by page, and each object is asked for once', async () => {
    await fresh();
    const one = await picture(1);
    const keys = Array.from(
      { length: 1501 },
      (_, i) => `set/${i % 2 ? 'cat' : 'dog'}/${String(i).padStart(5, '0')}.png`,
    );
    for (let at = 0; at < keys.length; at += 50) {
      await Promise.all(keys.slice(at, at + 50).map((key) => bucket.put(key, one)));
    }
    await withFolder(async (root) => {
      const store = createMemoryStore();
      const version = await run(store, join(root, 'temporary'), `s3://${settings.bucket}/set`);
      expect(version.images).toBe(1501);
      const count = (kind: RegExp) => proxy.seen.filter((seen) => kind.test(seen)).length;
      // To see that it is a folder, then its two class folders without what is in them, then two pages of it.
      expect({ lists: count(/list-type/), heads: count(/^HEAD/), gets: count(/^GET$/) }).toEqual({
        lists: 4,
        heads: 1,
        gets: 1501,
      });
    });
  });

  describe('says what is wrong', () => {
    const refusal = (code: string, message: RegExp) => ({ code, message: expect.stringMatching(message) as string });

    it('with a bucket that is not there', async () => {
      await fresh();
      await withFolder(async (root) => {
        await expect(run(createMemoryStore(), root, 's3://no-such-bucket/x')).rejects.toMatchObject(
          refusal('SOURCE_UNREADABLE', /in s3:\/\/no-such-bucket .*NoSuchBucket.*correct the name of the bucket/),
        );
      });
    });

    it.each(['', '/set', '/set/cat/1.png'])('with credentials that may not read s3://bucket%s', async (path) => {
      await fresh();
      await bucket.put('set/cat/1.png', await picture(1));
      as(environmentOf(server.stranger));
      await withFolder(async (root) => {
        await expect(run(createMemoryStore(), root, `s3://${settings.bucket}${path}`)).rejects.toMatchObject(
          refusal('SOURCE_UNREADABLE', /got (AccessDenied|status 403).*s3:GetObject .* and s3:ListBucket/),
        );
      });
    });

    it('with a prefix of nothing, and with a store that fails for a while', async () => {
      await fresh();
      await withFolder(async (root) => {
        const path = `s3://${settings.bucket}/set`;
        await expect(run(createMemoryStore(), root, path)).rejects.toMatchObject(
          refusal('SOURCE_UNREADABLE', /got nothing: correct the path/),
        );
        proxy.fault = () => ({ status: 503, code: 'ServiceUnavailable' });
        await expect(run(createMemoryStore(), root, path)).rejects.toMatchObject(
          refusal('STORE_UNAVAILABLE', /got status 503: the store is failing, try again/),
        );
      });
    });

    it('with an object that went to an archive', async () => {
      await fresh();
      await bucket.put('a.tar', await picture(1));
      proxy.fault = (kind) => (kind === 'GET' ? { status: 403, code: 'InvalidObjectState' } : null);
      await withFolder(async (root) => {
        await expect(run(createMemoryStore(), root, `s3://${settings.bucket}/a.tar`)).rejects.toMatchObject(
          refusal('SOURCE_UNREADABLE', /restore the object from its archive first/),
        );
      });
    });

    it.each([
      ['changed', 'another'],
      ['gone', 'nothing there'],
    ])('with an object that is %s since it was imported', async (how, received) => {
      await fresh();
      await withFolder(async (root) => {
        await writeTar(join(root, 'images.tar'), await pictures({ cat: 5, dog: 5 }));
        await putFolder(bucket, '', root);
        await bucket.put('set/cat/1.png', await picture(1));
        const store = createMemoryStore();
        const tar = await run(store, join(root, 'temporary'), `s3://${settings.bucket}/images.tar`);
        const folder = await run(store, join(root, 'temporary'), `s3://${settings.bucket}/set`);
        for (const key of ['images.tar', 'set/cat/1.png']) {
          if (how === 'gone') await bucket.delete(key);
          else await bucket.put(key, await picture(2));
        }
        const changed = refusal(
          'SOURCE_CHANGED',
          /as it was at import .*put the old file back or import a new version/,
        );
        await expect(readAll(store, tar)).rejects.toMatchObject(changed);
        await expect(readAll(store, folder)).rejects.toMatchObject(changed);
        if (how === 'gone') await expect(readAll(store, tar)).rejects.toMatchObject({ details: { received } });
      });
    });
  });

  it('is read on where a connection broke', async () => {
    await fresh();
    await withFolder(async (root) => {
      await writeTar(join(root, 'images.tar'), await pictures({ cat: 40 }));
      await putFolder(bucket, '', root);
      // The first tells what it is, the second and third of what kind of tar: they are left once that shows.
      proxy.fault = (kind, before) => (kind === 'GET' && before === 3 ? 'cut' : null);
      const version = await run(createMemoryStore(), join(root, 'temporary'), `s3://${settings.bucket}/images.tar`);
      expect(version.images).toBe(40);
      expect(proxy.seen.filter((kind) => kind === 'GET')).toHaveLength(5);
    });
  });
});
