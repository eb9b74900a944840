/** deploy/backup.md, carried out: the database first, then the store, while the service goes on; restored at another place. */
import { execFile } from 'node:child_process';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { sha256 } from '../../src/base/json.ts';
import { follow, importReady, launch, registerPrior, runOf } from '../support/api-steps.ts';
import { pictures, writeTar } from '../support/image-sources.ts';
import { skippedWithout } from '../support/needed.ts';
import { PROGRAMS_MISSING, postgresPrograms, sqlOver, startPostgresOf } from '../support/postgres-programs.ts';
import { ROOT, startServiceProcess, withTemporaryFolder } from '../support/service-process.ts';
import { writeTinyPrior } from '../support/tiny-prior.ts';

const programs = await postgresPrograms();
const skipped = skippedWithout(programs ? null : PROGRAMS_MISSING);
const run = promisify(execFile);

let server: Awaited<ReturnType<typeof startPostgresOf>>;
beforeAll(async () => {
  if (!skipped) server = await startPostgresOf(programs!);
});
afterAll(() => server?.stop());

it.skipIf(skipped)('what is restored has runs, outputs and uploads, and goes on with the run in flight', () =>
  withTemporaryFolder(async (folder) => {
    const urlOf = (database: string) => server.url.replace(/[^/]+$/, database);
    await sqlOver(server.url, 'create database first');
    const [here, there] = [join(folder, 'here'), join(folder, 'there')];
    const service = await startServiceProcess(here, { DATABASE_URL: urlOf('first'), PUSHFORWARD_LOCAL_SLOTS: '1' });
    const tar = await writeTar(join(folder, 'photos.tar'), await pictures({ a: 12, b: 12 }));
    const upload = await run(process.execPath, [join(ROOT, 'dist/main.js'), 'upload', tar, '--url', service.url]);
    const path = `${upload.stdout.trim()}/photos.tar`;
    await rm(tar);
    const version = await importReady(service.client, { name: 'photos', path });
    await writeTinyPrior(join(folder, 'prior'));
    const priorId = await registerPrior(service.client, join(folder, 'prior'));
    const recipe = { datasetVersionId: version.id, priorId, classes: ['a'], imagesPerClass: 2 };
    const { run: finished } = await launch(service.client, recipe);
    await follow(service.client, finished.id);
    const outputs = (await runOf(service.client, finished.id)).outputs;

    const { run: inFlight } = await launch(service.client, { ...recipe, imagesPerClass: 3 });
    const dump = join(folder, 'pushforward.dump');
    const options = ['--format=custom', '--no-owner', `--file=${dump}`, urlOf('first')];
    const dumps: Promise<unknown>[] = [];
    await follow(service.client, inFlight.id, ({ type }) => {
      if (type === 'attempt.started' && dumps.length === 0) dumps.push(run(join(programs!, 'pg_dump'), options));
    });
    await Promise.all(dumps);
    await mkdir(join(there, 'store'), { recursive: true });
    await run('cp', ['-a', join(here, 'store/objects'), join(there, 'store/objects')]);
    await service.end('SIGKILL');
    await rm(here, { recursive: true });
    await sqlOver(server.url, 'create database second');
    const target = `--dbname=${urlOf('second')}`;
    await run(join(programs!, 'pg_restore'), ['--no-owner', '--exit-on-error', target, dump]);
    const stateOf = `select state from runs where id = '${inFlight.id}'`;
    expect(await sqlOver(urlOf('second'), stateOf)).toEqual([{ state: 'RUNNING' }]);

    const { client, end } = await startServiceProcess(there, { DATABASE_URL: urlOf('second') });
    const events = await follow(client, inFlight.id);
    expect(events.at(-1)!.type).toBe('run.succeeded');
    expect(events.map(({ type }) => type)).toContain('attempt.lost');
    const restored = (await runOf(client, finished.id)).outputs;
    const named = (of: typeof outputs) => of.flatMap(({ blobs }) => blobs.map(({ name, sha256 }) => [name, sha256]));
    expect(named(restored)).toEqual(named(outputs));
    for (const { blobs } of restored) {
      for (const blob of blobs) expect(sha256(await client.download(blob.downloadUrl))).toBe(blob.sha256);
    }
    // Images of an upload that nothing has encoded yet are read where it was restored; what was made is found.
    const { run: other } = await launch(client, { ...recipe, classes: ['a', 'b'] });
    expect((await follow(client, other.id)).at(-1)!.type).toBe('run.succeeded');
    const encode = (await runOf(client, other.id)).stages.find(({ name }) => name === 'encode')!;
    expect([encode.tasksTotal - encode.tasksCached, encode.tasksCached]).toEqual([1, 1]);
    expect(await importReady(client, { name: 'photos', path })).toMatchObject({ digest: version.digest });
    expect(await end()).toBe(0);
  }),
);
