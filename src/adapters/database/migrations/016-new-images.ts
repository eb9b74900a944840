import { type Kysely, sql } from 'kysely';

/** How many images of a version the one before it lacks; not known of what earlier releases imported. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`alter table dataset_versions add column new_images integer`.execute(db);
}
