import { type Kysely, sql } from 'kysely';

/** An import that kills its service is not tried for ever. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    -- services that died while they carried it out; one counts itself before it begins, and not any more where it stops alive
    alter table dataset_versions add column deaths integer not null default 0;
  `.execute(db);
}
