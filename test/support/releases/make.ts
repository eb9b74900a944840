/**
 * `npm run fixture:release` writes test/fixtures/releases/<version>/ with the code that is checked out: the database and the
 * store of a service that was killed with a run in flight. To be run once for each release, at its commit, and kept.
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { follow, importReady, launch, registerPrior, runOf } from '../api-steps.ts';
import { gzipped, pictures, writeTar } from '../image-sources.ts';
import { PROGRAMS_MISSING, postgresPrograms, startPostgresOf } from '../postgres-programs.ts';
import { ROOT, startServiceProcess, withTemporaryFolder } from '../service-process.ts';
import { writeTinyPrior } from '../tiny-prior.ts';
import { RELEASES, type ReleaseFixture } from './releases.ts';

const run = promisify(execFile);
const { version: release } = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as { version: string };
const programs = await postgresPrograms();
if (!programs) throw new Error(`expected ${PROGRAMS_MISSING}, got none: install them`);
const server = await startPostgresOf(programs);
try {
  await withTemporaryFolder(async (folder) => {
    const stateDir = join(folder, 'state');
    const env = { DATABASE_URL: server.url, PUSHFORWARD_LOCAL_SLOTS: '1' };
    const service = await startServiceProcess(stateDir, env);
    const { client } = service;
    const tar = await writeTar(join(folder, 'images.tar'), await pictures({ a: 12, b: 12 }));
    // Images of an archive that cannot be read at random are in the store; everything else stays where it is.
    const images = await gzipped(join(folder, 'images.tar.gz'), await readFile(tar));
    const datasetVersion = await importReady(client, { name: 'pictures', path: images });
    await writeTinyPrior(join(folder, 'prior'));
    const priorId = await registerPrior(client, join(folder, 'prior'));

    const recipe = { datasetVersionId: datasetVersion.id, priorId, imagesPerClass: 2 };
    const { run: finished } = await launch(client, recipe);
    await follow(client, finished.id);
    const { outputs } = await runOf(client, finished.id);
    const blobs = outputs.flatMap((artifact) => artifact.blobs.map(({ name, sha256 }) => [name, sha256] as const));

    const { run: inFlight } = await launch(client, { ...recipe, imagesPerClass: 3 });
    let made = false;
    await follow(client, inFlight.id, ({ type, payload }) => {
      if (type === 'task.succeeded' && payload['cache'] === 'MISS') made = true;
      if (made && type === 'attempt.started') process.kill(service.pid, 'SIGKILL');
    }).catch(() => {});
    await service.end('SIGKILL');

    const target = join(RELEASES, release);
    await rm(target, { recursive: true, force: true });
    await mkdir(target, { recursive: true });
    const dump = await run(
      join(programs, 'pg_dump'),
      ['--inserts', '--no-owner', '--no-privileges', '--schema=public', server.url],
      { maxBuffer: 1 << 28 },
    );
    // Statements alone, which any client can send and any owner of a database: lines that begin with a backslash are for psql.
    const statements = dump.stdout.split('\n').filter((line) => !/^\\|^(COMMENT ON|CREATE) SCHEMA public/.test(line));
    await writeFile(join(target, 'database.sql.gz'), gzipSync(statements.join('\n'), { level: 9 }));
    await run('tar', ['-czf', join(target, 'store.tar.gz'), '-C', join(stateDir, 'store'), '.']);
    const fixture: ReleaseFixture = {
      release,
      finished: { runId: finished.id, recipe, blobs: Object.fromEntries(blobs) },
      inFlight: { runId: inFlight.id },
    };
    await writeFile(join(target, 'fixture.json'), `${JSON.stringify(fixture, null, 2)}\n`);
    process.stdout.write(`Wrote ${target}\n`);
  });
} finally {
  await server.stop();
}
