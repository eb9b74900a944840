/** Databases and stores that earlier releases wrote, opened by this one. */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sql } from 'kysely';
import { sha256 } from '../../src/base/json.ts';
import { follow, launch, runOf } from '../support/api-steps.ts';
import { startTestPostgres, type TestPostgres } from '../support/postgres.ts';
import { sqlOver } from '../support/postgres-programs.ts';
import { databaseOf, readFixture, releases, unpackStore } from '../support/releases/releases.ts';
import { startServiceProcess, withTemporaryFolder } from '../support/service-process.ts';

let postgres: TestPostgres;
beforeAll(async () => void (postgres = await startTestPostgres()));
afterAll(() => postgres?.stop());

describe.each(await releases())('what release %s wrote', (release) => {
  it('is migrated, goes on with its run in flight, and is found again', () =>
    withTemporaryFolder(async (stateDir) => {
      const { finished, inFlight } = await readFixture(release);
      const { db, url } = await postgres.database();
      await sql`drop schema public cascade; create schema public`.execute(db);
      await sqlOver(url, await databaseOf(release));
      await unpackStore(release, join(stateDir, 'store'));
      const tasksOf = async (runId: string) =>
        (await db.selectFrom('tasks').selectAll().where('run_id', '=', runId).execute()).sort(
          (a, b) => a.index - b.index,
        );
      const before = await tasksOf(inFlight.runId);
      const made = before.filter(({ state }) => state === 'SUCCEEDED');
      expect(made.length).toBeGreaterThan(0);
      const left = await db.selectFrom('attempts').select('id').where('state', '=', 'RUNNING').execute();
      expect(left.length).toBeGreaterThan(0);

      const service = await startServiceProcess(stateDir, { DATABASE_URL: url });
      const { client } = service;
      const events = await follow(client, inFlight.runId);
      expect(events.at(-1)!.type).toBe('run.succeeded');
      expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i + 1));
      const lost = events.filter(({ type }) => type === 'attempt.lost').map(({ payload }) => payload['attemptId']);
      expect(lost).toEqual(left.map(({ id }) => id));
      for (const { id } of made) {
        const ends = events.filter(({ type, payload }) => type === 'task.succeeded' && payload['taskId'] === id);
        expect(ends).toHaveLength(1);
      }

      const old = await runOf(client, finished.runId);
      expect(old.state).toBe('SUCCEEDED');
      const blobs = old.outputs.flatMap((artifact) => artifact.blobs);
      expect(Object.fromEntries(blobs.map(({ name, sha256: digest }) => [name, digest]))).toEqual(finished.blobs);
      for (const blob of blobs) expect(sha256(await client.download(blob.downloadUrl))).toBe(blob.sha256);

      // The same recipe again: what stages of the same version made is not made again.
      const { run } = await launch(client, finished.recipe);
      expect((await follow(client, run.id)).at(-1)!.type).toBe('run.succeeded');
      const known = new Set((await tasksOf(finished.runId)).map(({ artifact_id }) => artifact_id));
      const again = await tasksOf(run.id);
      expect(again.filter(({ artifact_id }) => known.has(artifact_id)).map(({ cache }) => cache)).not.toContain('MISS');
      const stageVersions = async (runId: string) =>
        new Map((await tasksOf(runId)).map(({ stage, spec }) => [stage, spec.stageVersion]));
      const [then, now] = [await stageVersions(finished.runId), await stageVersions(run.id)];
      // Chunks of images are the same whatever comes after them.
      const encoded = again.filter(({ stage }) => stage === 'encode');
      if (then.get('encode') === now.get('encode')) expect(encoded.every(({ cache }) => cache === 'HIT')).toBe(true);
      if ([...now].every(([stage, version]) => then.get(stage) === version)) {
        expect(again.map(({ cache }) => cache)).toEqual(again.map(() => 'HIT'));
      }
      expect(await service.end()).toBe(0);
    }));
});
