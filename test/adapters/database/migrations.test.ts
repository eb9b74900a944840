import { sql } from 'kysely';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { migrate, openDatabase, requireMigrated } from '../../../src/adapters/database/connection.ts';
import * as first from '../../../src/adapters/database/migrations/001-first.ts';
import * as retention from '../../../src/adapters/database/migrations/003-retention.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import { manifestOf, taskOf } from '../../support/tasks.ts';

let postgres: TestPostgres;
beforeAll(async () => void (postgres = await startTestPostgres()), 60_000);
afterAll(() => postgres?.stop());

it('artifacts from before retention are kept, and their blobs are known', async () => {
  const { db } = await postgres.database();
  await sql`drop schema public cascade; create schema public`.execute(db);
  await first.up(db as never);
  const plain = manifestOf(taskOf({ stage: 'encode' }));
  const { data } = plain.blobs;
  const manifest = { ...plain, blobs: { data: data!, twice: data!, other: { ...data!, sha256: 'other', bytes: 5 } } };
  await sql`insert into projects (id, name) values ('p', 'p')`.execute(db);
  for (const [id, of] of [
    ['one', manifest],
    ['stage', { ...plain, blobs: {} }],
  ] as const) {
    await sql`insert into artifacts (project_id, id, kind, stage, title, bytes, manifest)
        values ('p', ${id}, 'latents', 'encode', 't', 105, ${JSON.stringify(of)}::jsonb)`.execute(db);
  }
  await retention.up(db as never);
  const states = await db.selectFrom('artifacts').select(['id', 'state']).orderBy('id').execute();
  expect(states).toEqual([
    { id: 'one', state: 'KEPT' },
    { id: 'stage', state: 'KEPT' },
  ]);
  const named = await db
    .selectFrom('blob_references')
    .select(['artifact_id', 'sha256', 'bytes'])
    .orderBy('bytes')
    .execute();
  expect(named).toEqual([
    { artifact_id: 'one', sha256: 'other', bytes: 5 },
    { artifact_id: 'one', sha256: data!.sha256, bytes: 100 },
  ]);
});

it('a database that lacks migrations is refused until it is migrated, also half-way', async () => {
  const { db } = await postgres.database();
  await requireMigrated(db);
  await sql`drop schema public cascade; create schema public`.execute(db);
  const refusal = expect.stringMatching(/lacks 001-first, 002-uploads.*run `pushforward migrate`/);
  await expect(requireMigrated(db)).rejects.toMatchObject({ code: 'NOT_READY', message: refusal });
  const applied = await migrate(db);
  expect(applied[0]).toBe('001-first');
  await requireMigrated(db);
  expect(await migrate(db)).toEqual([]);

  const last = applied.at(-1)!;
  await sql`delete from kysely_migration where name = ${last}`.execute(db);
  await expect(requireMigrated(db)).rejects.toMatchObject({ code: 'NOT_READY', details: { outstanding: [last] } });
});

it('a database that a newer release migrated is refused, and left as it is', async () => {
  const { db, url } = await postgres.database();
  await sql`insert into kysely_migration (name, timestamp) values ('999-later', '2030-01-01')`.execute(db);
  const refusal = {
    code: 'NOT_READY',
    message: expect.stringMatching(/a newer release migrated \(999-later\): start that release, or restore the backup/),
  };
  await expect(requireMigrated(db)).rejects.toMatchObject(refusal);
  await expect(migrate(db)).rejects.toMatchObject(refusal);
  // Also where it lacks some of ours: nothing is applied on top of what is not known.
  await sql`delete from kysely_migration where name like '003%'`.execute(db);
  const other = openDatabase({ url, connections: 1 });
  await expect(migrate(other)).rejects.toMatchObject(refusal);
  await other.destroy();
});
