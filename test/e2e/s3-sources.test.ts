import { execFile } from 'node:child_process';
import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createS3Store } from '../../src/adapters/storage/s3/store.ts';
import { type ObjectStore } from '../../src/pipeline/ports.ts';
import { follow, importEnded, importReady, launch, registerPrior, runOf } from '../support/api-steps.ts';
import { picture, pictures, writeFolder, writeTar } from '../support/image-sources.ts';
import { putFolder } from '../support/object-sources.ts';
import { environmentOf, goMissing, type S3Server, startS3Server } from '../support/s3-server.ts';
import { ROOT, type ServiceProcess, startServiceProcess } from '../support/service-process.ts';
import { writeTinyPrior } from '../support/tiny-prior.ts';

describe.skipIf(goMissing)('a service that reads images from S3 and keeps its own objects in a directory', () => {
  let folder: string;
  let server: S3Server;
  let bucket: ObjectStore;
  let photos: string;
  let service: ServiceProcess;
  let priorId: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pushforward-e2e-'));
    server = await startS3Server();
    const environment = environmentOf(server.owner);
    for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
    const settings = await server.bucket();
    bucket = createS3Store(settings);
    photos = `s3://${settings.bucket}`;
    service = await startServiceProcess(join(folder, 'state'), {
      ...environment,
      PUSHFORWARD_S3_ENDPOINT: server.endpoint,
      PUSHFORWARD_IMPORT_ROOTS: `${folder}:${photos}/open`,
    });
    await writeTinyPrior(join(folder, 'prior'));
    priorId = await registerPrior(service.client, join(folder, 'prior'));
  }, 600_000);

  afterAll(async () => {
    vi.unstubAllEnvs();
    expect(await service.end()).toBe(0);
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  const runOn = async (datasetVersionId: string) => {
    const { run } = await launch(service.client, { datasetVersionId, priorId, imagesPerClass: 2 });
    await follow(service.client, run.id);
    return runOf(service.client, run.id);
  };
  const put = async (prefix: string, name: string, write: (path: string) => Promise<unknown>) => {
    await write(join(folder, prefix, name));
    await putFolder(bucket, `${prefix}/`, join(folder, prefix));
  };

  it('distils a prefix by the command line, and nothing twice for the same images in a tar', async () => {
    const files = await pictures({ a: 12, b: 12 });
    await put('open/set', 'train', (path) => writeFolder(path, files));
    const distil = async (path: string, out: string) => {
      const args = ['distill', path, '--prior', join(folder, 'prior'), '--images-per-class', '2', '--url', service.url];
      const told = await promisify(execFile)(process.execPath, [
        join(ROOT, 'dist/main.js'),
        ...args,
        ...['--out', join(folder, out)],
      ]);
      await access(join(folder, out, 'train.parquet'));
      return told.stdout + told.stderr;
    };
    expect(await distil(`${photos}/open/set/train/`, 'one')).toMatch(/24 images of 2 classes/);
    await writeTar(join(folder, 'train.tar'), files);
    await bucket.put('open/train.tar', await readFile(join(folder, 'train.tar')));
    const again = await distil(`${photos}/open/train.tar`, 'two');
    expect(again).toMatch(/Everything was published by an earlier run/);
  });

  it.each(['changed', 'gone'])(
    'fails a run whose image is %s since the import, and takes the new version',
    async (how) => {
      const prefix = `open/${how}`;
      await put(prefix, 'set', async (path) => writeFolder(path, await pictures({ a: 8, b: 8 })));
      const path = `${photos}/${prefix}/set`;
      const first = await importReady(service.client, { name: how, path });
      if (how === 'gone') await bucket.delete(`${prefix}/set/a/0000.png`);
      else await bucket.put(`${prefix}/set/a/0000.png`, await picture(4711, 9));
      const failed = await runOn(first.id);
      expect(failed.state).toBe('FAILED');
      expect(failed.failure).toMatchObject({
        code: 'SOURCE_CHANGED',
        class: 'userError',
        message: expect.stringMatching(/s3:\/\/.*import a new version/) as string,
      });
      const second = await importReady(service.client, { name: how, path });
      expect(second.digest).not.toBe(first.digest);
      expect((await runOn(second.id)).state).toBe('SUCCEEDED');
    },
  );

  it('tells what is wrong with a path', async () => {
    const refused = async (path: string) => {
      const input = { name: 'refused', path, idempotencyKey: crypto.randomUUID() };
      return (await service.client.send<{ importDataset: unknown }>('ImportDataset', { input })).importDataset;
    };
    expect(await refused(`${photos}/closed`)).toMatchObject({ __typename: 'SourceUnreadable', code: 'UNSAFE_PATH' });
    expect(await refused('s3://Photos')).toMatchObject({ __typename: 'InvalidInput', code: 'INVALID_INPUT' });
    const failed = await importEnded(service.client, { name: 'nothing', path: `${photos}/open/nothing` });
    expect(failed).toMatchObject({
      state: 'FAILED',
      error: { code: 'SOURCE_UNREADABLE', message: expect.stringMatching(/got nothing: correct the path/) as string },
    });
  });
});
