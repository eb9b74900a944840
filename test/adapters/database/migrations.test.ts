import { sql } from 'kysely';
import { expect, it } from 'vitest';
import * as first from '../../../src/adapters/database/migrations/001-first.ts';
import * as retention from '../../../src/adapters/database/migrations/003-retention.ts';
import { startTestPostgres } from '../../support/postgres.ts';
import { manifestOf, taskOf } from '../../support/tasks.ts';

it('artifacts from before retention are kept, and their blobs are known', async () => {
  const postgres = await startTestPostgres();
  try {
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
  } finally {
    await postgres.stop();
  }
}, 60_000);
