import { access, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type S3Settings } from '../../src/adapters/storage/s3/settings.ts';
import { sha256 } from '../../src/base/json.ts';
import { follow, importReady, launch, output, registerPrior, runOf } from '../support/api-steps.ts';
import { gzipped, pictures, writeTar } from '../support/image-sources.ts';
import { environmentOf, goMissing, type S3Server, startS3Server } from '../support/s3-server.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';
import { writeTinyPrior } from '../support/tiny-prior.ts';

describe.skipIf(goMissing)('a service over S3', () => {
  let folder: string;
  let server: S3Server;
  let bucket: S3Settings;
  let service: ServiceProcess;

  const environment = (name: string): Record<string, string> => ({
    ...environmentOf(server.owner),
    PUSHFORWARD_STORE: `s3://${name}/team/distilled`,
    PUSHFORWARD_S3_ENDPOINT: server.endpoint,
  });

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pushforward-e2e-'));
    server = await startS3Server();
    bucket = await server.bucket();
    service = await startServiceProcess(join(folder, 'state'), environment(bucket.bucket));
    await writeTinyPrior(join(folder, 'prior'));
  }, 600_000);

  afterAll(async () => {
    expect(await service.end()).toBe(0);
    await server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  it('imports, distils and hands out the result from the bucket, and computes nothing twice', async () => {
    const tar = await writeTar(join(folder, 'images.tar'), await pictures({ a: 12, b: 12 }));
    const images = await gzipped(join(folder, 'images.tar.gz'), await readFile(tar));
    const version = await importReady(service.client, { name: 'pictures', path: images });
    const priorId = await registerPrior(service.client, join(folder, 'prior'));
    const recipe = { datasetVersionId: version.id, priorId, imagesPerClass: 2 };

    const first = await launch(service.client, recipe);
    await follow(service.client, first.run.id);
    const run = await runOf(service.client, first.run.id);
    expect(run).toMatchObject({ state: 'SUCCEEDED', failure: null });
    const { blob, bytes } = await output(service.client, run, 'train.parquet');
    expect(sha256(bytes)).toBe(blob.sha256);
    expect(blob.downloadUrl).toContain(`${server.endpoint}/${bucket.bucket}/team/distilled/projects/`);
    const answer = await fetch(blob.downloadUrl);
    expect(answer.headers.get('content-disposition')).toContain('filename="train.parquet"');
    await expect(access(join(folder, 'state/store'))).rejects.toMatchObject({ code: 'ENOENT' });

    const second = await launch(service.client, recipe);
    await follow(service.client, second.run.id);
    for (const stage of (await runOf(service.client, second.run.id)).stages) {
      expect(stage.tasksCached).toBe(stage.tasksTotal);
    }
  });

  it('does not start on a bucket that is not there, and says what to do', async () => {
    const starting = startServiceProcess(join(folder, 'other'), environment('nowhere'));
    await expect(starting).rejects.toThrow(/NoSuchBucket.*make the bucket, or correct PUSHFORWARD_STORE/);
  });

  it('does not start on a bucket that it may not use, with keys that are wrong, or where nothing answers', async () => {
    const start = (name: string, more: Record<string, string>) =>
      startServiceProcess(join(folder, name), { ...environment(bucket.bucket), ...more });
    const denied = start('denied', environmentOf(server.stranger));
    await expect(denied).rejects.toThrow(/AccessDenied.*give these credentials s3:GetObject, s3:PutObject/);
    const wrong = start('wrong', environmentOf({ ...server.owner, secretAccessKey: 'another' }));
    await expect(wrong).rejects.toThrow(/SignatureDoesNotMatch.*correct AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/);
    const nothing = start('nothing', { PUSHFORWARD_S3_ENDPOINT: 'http://127.0.0.1:1' });
    await expect(nothing).rejects.toThrow(/ECONNREFUSED.*check PUSHFORWARD_S3_ENDPOINT and that the store runs/);
    const malformed = start('malformed', { PUSHFORWARD_STORE: 's3:/bucket' });
    await expect(malformed).rejects.toThrow(
      /PUSHFORWARD_STORE to be directory or s3:\/\/bucket\/prefix, got s3:\/bucket/,
    );
    // They leave nothing behind: on the same state directory a service starts once the settings are right.
    const right = await start('denied', {});
    expect((await fetch(`${right.url}/readyz`)).status).toBe(200);
    expect(await right.end()).toBe(0);
  });
});
