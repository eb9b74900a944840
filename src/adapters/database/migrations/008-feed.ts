import { type Kysely, sql } from 'kysely';

/** Events on their way to consumers, see feed.ts. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table feed_consumers (
      name text primary key,
      begun_at timestamptz not null default now(),
      -- somebody asked then what waits for it
      seen_at timestamptz not null default now()
    );

    -- what waits: written with the event, deleted once the consumer is done with it
    create table feed_events (
      -- no foreign key: a consumer that goes must not fail the change of a run
      consumer text not null,
      id bigint generated always as identity,
      run_id text not null,
      sequence integer not null,
      primary key (consumer, id)
    );
  `.execute(db);
}
