import { type Kysely, sql } from 'kysely';

/** Attempts are charged and timed while they run, not while they wait for a node or in a queue. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table attempts
      -- since when it runs; null while it waits, and where it ended without being seen to run
      add column running_at timestamptz;
    update attempts set running_at = started_at;
  `.execute(db);
}
