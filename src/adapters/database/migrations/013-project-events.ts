import { type Kysely, sql } from 'kysely';

/** What happens in a project outside of its runs; consumers of the feed get it like events of runs, see feed.ts. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    -- never changed, never deleted
    create table project_events (
      id text primary key,
      project_id text not null references projects,
      type text not null,
      -- what it happened to: events of one subject are handed on in their order
      subject text not null,
      payload jsonb not null,
      created_at timestamptz not null default clock_timestamp()
    );
    create index project_events_newest on project_events (project_id, created_at desc, id desc);

    alter table feed_events
      alter column run_id drop not null,
      alter column sequence drop not null,
      add column project_event_id text,
      add check ((run_id is not null and sequence is not null) <> (project_event_id is not null));

    -- types of events that wait for it; null: all
    alter table feed_consumers add column types text[];
  `.execute(db);
}
