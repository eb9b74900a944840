import { type Kysely, sql } from 'kysely';
import { type Database } from '../../../src/adapters/database/schema.ts';

/** Each artifact has as many inputs as the last digit of its number, and one more: 5.5 on average, 10 at most. */
export const EDGES_PER_ARTIFACT = 5.5;

const artifact = (number: string) => sql.raw(`(md5((${number})::text) || md5('z' || (${number})::text))`);
export const artifactOf = async (db: Kysely<Database>, number: number): Promise<string> =>
  (await sql<{ id: string }>`select ${artifact(String(number))} as id`.execute(db)).rows[0]!.id;

/**
 * So many artifacts in a project that is there, each made from up to ten that came before it, drawn from all of them: neighbours
 * lie far apart on the disk. Indexes are made afterwards, as a restore does it.
 */
export async function fillLineage(db: Kysely<Database>, projectId: string, artifacts: number): Promise<void> {
  await sql`
    insert into artifacts (project_id, id, kind, stage, title, bytes, manifest)
    select ${projectId}, ${artifact('n')}, 'latents', 'encode', 'artifact ' || n, 100, '{"blobs":{},"metrics":{},"content":{},"options":{},"produced":{}}'
    from generate_series(1, ${sql.lit(artifacts)}) n
  `.execute(db);
  await withoutConstraints(db, 'artifact_inputs', () =>
    sql`
      insert into artifact_inputs (project_id, artifact_id, input_id)
      select distinct ${projectId}, ${artifact('n')}, ${artifact('1 + (hashint4(n * 10 + i) & 1073741823) % (n - 1)')}
      from generate_series(2, ${sql.lit(artifacts)}) n, generate_series(0, n % 10) i
    `.execute(db),
  );
  await sql`vacuum analyze artifacts, artifact_inputs`.execute(db);
}

/** So many runs of one version, a second apart. */
export async function fillRuns(
  db: Kysely<Database>,
  of: { projectId: string; datasetVersionId: string; priorId: string },
  runs: number,
): Promise<void> {
  await sql`
    insert into runs (id, project_id, state, recipe, recipe_digest, inputs, dataset_version_id, prior_id, fingerprint, created_at, ended_at)
    select 'run_' || lpad(n::text, 26, '0'), ${of.projectId}, 'SUCCEEDED', '{}', 'r', '{}', ${of.datasetVersionId}, ${of.priorId}, 'f',
      timestamptz '2020-01-01' + n * interval '1 second', timestamptz '2020-01-01' + n * interval '1 second'
    from generate_series(1, ${sql.lit(runs)}) n
  `.execute(db);
  await sql`vacuum analyze runs`.execute(db);
}

export const runOf = (number: number): string => `run_${String(number).padStart(26, '0')}`;

/** Takes its indexes and keys away while rows are added, and puts them back. */
async function withoutConstraints(db: Kysely<Database>, table: string, work: () => Promise<unknown>): Promise<void> {
  const constraints = await sql<{ name: string; definition: string }>`
    select conname as name, pg_get_constraintdef(oid) as definition from pg_constraint
    where conrelid = ${table}::regclass and contype in ('p', 'f')
  `.execute(db);
  const indexes = await sql<{ name: string; definition: string }>`
    select indexname as name, indexdef as definition from pg_indexes
    where tablename = ${table} and indexname not in (select conname from pg_constraint where conrelid = ${table}::regclass)
  `.execute(db);
  for (const { name } of constraints.rows) await sql.raw(`alter table ${table} drop constraint "${name}"`).execute(db);
  for (const { name } of indexes.rows) await sql.raw(`drop index "${name}"`).execute(db);
  await work();
  for (const { definition } of indexes.rows) await sql.raw(definition).execute(db);
  for (const { name, definition } of constraints.rows) {
    await sql.raw(`alter table ${table} add constraint "${name}" ${definition}`).execute(db);
  }
}
