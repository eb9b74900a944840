import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { follow, importReady, launch, registerPrior, runOf } from '../support/api-steps.ts';
import { picture, pictures, writeFolder, writeTar } from '../support/image-sources.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';
import { writeTinyPrior } from '../support/tiny-prior.ts';

let folder: string;
let service: ServiceProcess;
let priorId: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pushforward-e2e-'));
  service = await startServiceProcess(join(folder, 'state'));
  await writeTinyPrior(join(folder, 'prior'));
  priorId = await registerPrior(service.client, join(folder, 'prior'));
});

afterAll(async () => {
  expect(await service.end()).toBe(0);
  await rm(folder, { recursive: true, force: true });
});

async function runOn(datasetVersionId: string) {
  const { run } = await launch(service.client, { datasetVersionId, priorId, imagesPerClass: 2 });
  await follow(service.client, run.id);
  return runOf(service.client, run.id);
}

it('a dataset that moved is the same version, read from where it lies now', async () => {
  const [before, after] = [join(folder, 'before'), join(folder, 'after')];
  await writeFolder(before, await pictures({ a: 10, b: 10 }));
  const first = await importReady(service.client, { name: 'moving', path: before });
  await rename(before, after);
  const failed = await runOn(first.id);
  expect(failed.state).toBe('FAILED');
  expect(failed.failure).toMatchObject({ code: 'SOURCE_CHANGED', class: 'userError' });

  const second = await importReady(service.client, { name: 'moving', path: after });
  expect(second).toMatchObject({ id: first.id, digest: first.digest, reused: true });
  expect((await runOn(second.id)).state).toBe('SUCCEEDED');
});

it('a folder and a tar of the same files are the same version, and encode once', async () => {
  const files = await pictures({ a: 9, b: 9 });
  const [plain, tar] = [join(folder, 'plain'), join(folder, 'same.tar')];
  await writeFolder(plain, files);
  await writeTar(tar, files);
  const one = await importReady(service.client, { name: 'plain', path: plain });
  const two = await importReady(service.client, { name: 'tar', path: tar });
  expect(two.digest).toBe(one.digest);
  await runOn(one.id);
  const { stages } = await runOn(two.id);
  expect(stages[0]).toMatchObject({ name: 'encode', tasksTotal: 2, tasksCached: 2 });
});

it('a version with one more image encodes again only the chunk that it is in', async () => {
  const growing = join(folder, 'growing');
  await writeFolder(growing, await pictures({ a: 30, b: 30 }));
  const one = await importReady(service.client, { name: 'growing', path: growing });
  await runOn(one.id);
  await writeFolder(growing, { 'a/new.png': await picture(9001) });
  const two = await importReady(service.client, { name: 'growing', path: growing });
  expect(two).toMatchObject({ reused: false, images: 61 });
  const { stages } = await runOn(two.id);
  expect(stages[0]).toMatchObject({ name: 'encode', tasksCached: 1, tasksTotal: 2 });
});
