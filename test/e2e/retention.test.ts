/** What a policy lets go, from the command line, and what comes back when it is asked for, with the real workers. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { follow, importReady, launch, output, registerPrior, runOf } from '../support/api-steps.ts';
import { pictures, writeFolder } from '../support/image-sources.ts';
import { ROOT, type ServiceProcess, startServiceProcess } from '../support/service-process.ts';
import { writeTinyPrior } from '../support/tiny-prior.ts';

let folder: string;
let service: ServiceProcess;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pushforward-e2e-'));
  service = await startServiceProcess(join(folder, 'state'));
});
afterAll(async () => {
  expect(await service.end()).toBe(0);
  await rm(folder, { recursive: true, force: true });
});

/** What a command prints. */
async function pushforward(...args: string[]): Promise<string> {
  const command = [join(ROOT, 'dist/main.js'), ...args, '--url', service.url];
  return (await promisify(execFile)(process.execPath, command)).stdout;
}

it('an old run goes when it is told to, still tells what it was, and comes back with the same bytes', async () => {
  await writeFolder(join(folder, 'images'), await pictures({ a: 10, b: 10 }));
  await writeTinyPrior(join(folder, 'prior'));
  const version = await importReady(service.client, { name: 'pictures', path: join(folder, 'images') });
  const priorId = await registerPrior(service.client, join(folder, 'prior'));
  const run = async (imagesPerClass: number) => {
    const { run: launched } = await launch(service.client, { datasetVersionId: version.id, priorId, imagesPerClass });
    await follow(service.client, launched.id);
    const found = await runOf(service.client, launched.id);
    expect(found.state).toBe('SUCCEEDED');
    return found;
  };
  const old = await run(2);
  const recent = await run(3);
  const dataset = old.outputs.find(({ kind }) => kind === 'syntheticDataset')!;
  const before = (await output(service.client, old, 'train.parquet')).bytes;

  expect(await pushforward('retention', 'show')).toBe('No policy: everything is kept.\n');
  expect(await pushforward('retention', 'set', '--keep-runs', '1', '--grace-hours', '0')).toMatch(
    /runs +the newest of each dataset that succeeded/,
  );
  const plan = await pushforward('retention', 'plan');
  expect(plan).toContain(dataset.id);
  expect(plan).toMatch(/syntheticDataset +RUN_NOT_KEPT +1 /);
  // Both runs were made from the same latents.
  expect(plan).not.toContain('latents');
  expect(await pushforward('retention', 'apply')).toMatch(/Nothing was done\. Add --yes to do it\.\n$/);
  await output(service.client, old, 'train.parquet');
  expect(await pushforward('retention', 'apply', '--yes')).toMatch(/deleted +\d+ +\d/);

  await expect(runOf(service.client, old.id)).rejects.toMatchObject({ code: 'ARTIFACT_DELETED' });
  await expect(output(service.client, old, 'train.parquet')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' });
  expect(await pushforward('runs', 'show', old.id)).toContain('W2 weighted');
  await output(service.client, await runOf(service.client, recent.id), 'train.parquet');
  expect(await pushforward('orphans')).toMatch(/referred to, not in the store +0 /);

  const again = await run(2);
  expect(again.outputs.find(({ kind }) => kind === 'syntheticDataset')!.id).toBe(dataset.id);
  expect((await output(service.client, again, 'train.parquet')).bytes).toEqual(before);
  const [encode, quantize] = again.stages;
  expect([encode!.tasksCached, quantize!.tasksCached]).toEqual([encode!.tasksTotal, 0]);
  const { artifact } = await service.client.send<{ artifact: object }>('Artifact', { id: dataset.id });
  expect(artifact).toMatchObject({ state: 'KEPT', deletedAt: null, producedBy: { run: { id: again.id } } });

  await expect(pushforward('orphans', '--yes')).rejects.toMatchObject({ code: 1 });
  await pushforward('retention', 'pin', dataset.id, '--note', 'in production');
  await pushforward('retention', 'unpin', dataset.id);
  expect(await pushforward('retention', 'set', '--keep-everything')).toBe('No policy: everything is kept.\n');
});
