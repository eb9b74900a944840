/** Files of another machine: uploaded by the command line to a service over both stores, imported, and distilled. */
import { execFile } from 'node:child_process';
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { follow, GLYPHS, importReady, launch, registerPrior, runOf } from '../support/api-steps.ts';
import { EVERY_FORMAT } from '../support/every-format.ts';
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts';
import { pictures, writeFolder } from '../support/image-sources.ts';
import { environmentOf, goMissing, type S3Server, startS3Server } from '../support/s3-server.ts';
import { ROOT, type ServiceProcess, startServiceProcess } from '../support/service-process.ts';
import { writeTinyPrior } from '../support/tiny-prior.ts';

describe.each(['directory', 's3'])('uploads to a service over a %s store', (kind) => {
  let folder: string;
  let server: S3Server | undefined;
  let proxy: FaultProxy | undefined;
  let service: ServiceProcess;
  let priorId: string;

  const skipped = kind === 's3' && goMissing;
  beforeAll(async () => {
    if (skipped) return;
    folder = await mkdtemp(join(tmpdir(), 'pushforward-e2e-'));
    service = await startServiceProcess(join(folder, 'state'), kind === 's3' ? await s3() : {});
    await writeTinyPrior(join(folder, 'prior'));
    priorId = await registerPrior(service.client, join(folder, 'prior'));
  }, 600_000);
  afterAll(async () => {
    if (skipped) return;
    expect(await service.end()).toBe(0);
    await proxy?.stop();
    await server?.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function s3(): Promise<Record<string, string>> {
    server = await startS3Server();
    proxy = await startFaultProxy(server.endpoint);
    const { bucket } = await server.bucket();
    return {
      ...environmentOf(server.owner),
      PUSHFORWARD_STORE: `s3://${bucket}/team`,
      PUSHFORWARD_S3_ENDPOINT: proxy.endpoint,
    };
  }

  const cli = async (...args: string[]): Promise<string> =>
    (await promisify(execFile)(process.execPath, [join(ROOT, 'dist/main.js'), ...args, '--url', service.url])).stdout;
  const uploaded = async (...paths: string[]) => (await cli('upload', ...paths)).trim();
  const runOn = async (datasetVersionId: string) => {
    const { run } = await launch(service.client, { datasetVersionId, priorId, imagesPerClass: 2 });
    await follow(service.client, run.id);
    return runOf(service.client, run.id);
  };

  it.skipIf(skipped)('the letters that we ship are the same version as where they lie', async () => {
    const path = await uploaded(GLYPHS.dataset);
    expect(path).toMatch(/^upload:upl_\w+$/);
    const there = await importReady(service.client, { name: 'uploaded', path });
    const here = await importReady(service.client, { name: 'local', path: GLYPHS.dataset });
    expect(there).toMatchObject({ digest: here.digest, images: here.images });
  });

  it.skipIf(skipped)('a run encodes images that lie in an upload, which then cannot be aborted', async () => {
    await writeFolder(join(folder, 'photos'), await pictures({ a: 10, b: 10 }));
    const path = await uploaded(join(folder, 'photos'));
    const version = await importReady(service.client, { name: 'photos', path });
    const run = await runOn(version.id);
    expect([run.failure, run.state]).toEqual([null, 'SUCCEEDED']);
    const { abortUpload } = await service.client.send<{ abortUpload: object }>('AbortUpload', {
      id: path.replace('upload:', ''),
    });
    expect(abortUpload).toMatchObject({ __typename: 'InvalidInput' });
  });

  it.skipIf(skipped).each(Object.entries(EVERY_FORMAT))(
    '%s is the same version as where it lies',
    async (name, writeTo) => {
      const root = await mkdtemp(join(folder, 'format-'));
      const source = join(root, await writeTo(root));
      const here = await importReady(service.client, { name, path: source });
      // The files that a single one takes its class names from lie beside it.
      const whole = name.includes('shard') || name.includes('batch') || name.includes('file');
      const path = whole ? `${await uploaded(root)}${source.slice(root.length)}` : await uploaded(source);
      const there = await importReady(service.client, { name, path });
      expect(there).toMatchObject({ digest: here.digest, reused: true });
    },
  );

  it.skipIf(skipped)('distill --upload does all of it, and the store sees parts fail', async () => {
    await writeFolder(join(folder, 'elsewhere'), await pictures({ a: 10, b: 10 }));
    if (proxy) {
      proxy.seen.length = 0;
      proxy.fault = (of, before) =>
        of.includes('partNumber') && before < 2 ? { status: 500, code: 'InternalError' } : null;
    }
    const args = [
      '--upload',
      '--prior',
      join(folder, 'prior'),
      '--images-per-class',
      '2',
      '--out',
      join(folder, 'out'),
    ];
    await cli('distill', join(folder, 'elsewhere'), ...args);
    await access(join(folder, 'out/train.parquet'));
    if (proxy) expect(proxy.seen.filter((of) => of.includes('partNumber')).length).toBe(22);
  });

  it.skipIf(skipped)('what is not there is refused before anything is sent', async () => {
    await expect(uploaded(join(folder, 'nothing'))).rejects.toMatchObject({
      stderr: expect.stringContaining('expected a file or folder at') as string,
    });
  });
});
