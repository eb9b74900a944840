import { type Kysely, sql } from 'kysely';

/** How urgent a run is, what it may use, which run it repeats, and why its tasks had to be carried out. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table projects
      -- tasks of the project that run at once; null: as many as there are slots
      add column max_running_tasks integer check (max_running_tasks > 0);

    alter table runs
      add column priority smallint not null default 0,
      -- { taskSeconds, runSeconds, maxAttempts }; null: the default of the service
      add column limits jsonb not null default '{"taskSeconds": null, "runSeconds": null, "maxAttempts": null}',
      -- the run that it repeats
      add column retry_of text references runs;

    alter table tasks
      drop constraint tasks_cache_check,
      -- HIT: published before this run asked; STALE: made before, and gone or damaged; MISS: never made before
      add constraint tasks_cache_check check (cache in ('HIT', 'MISS', 'STALE')),
      -- why it is STALE
      add column cache_reason text;
    create index tasks_pending on tasks (run_id, index) where state = 'PENDING';

    alter table artifacts
      -- what was said when it was deleted by hand; null where the policy did it
      add column deleted_because text;
  `.execute(db);
}
