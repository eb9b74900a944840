import { type Kysely, sql } from 'kysely';

/** Triggers, what they came to, and who may send events to them, see triggers.ts. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table triggers (
      id text primary key,
      project_id text not null references projects,
      name text not null,
      state text not null default 'ACTIVE' check (state in ('ACTIVE', 'PAUSED')),
      paused_because text check ((paused_because is null) = (state = 'ACTIVE')),
      version integer not null,
      definition jsonb not null,
      changed_by text not null,
      changed_at timestamptz not null default clock_timestamp(),
      created_at timestamptz not null default clock_timestamp(),
      -- of a schedule: when it is told next
      next_due_at timestamptz,
      deleted_at timestamptz
    );
    create unique index triggers_name on triggers (project_id, name) where deleted_at is null;
    create index triggers_newest on triggers (project_id, created_at desc, id desc) where deleted_at is null;
    create index triggers_due on triggers (next_due_at) where deleted_at is null and state = 'ACTIVE';

    -- what was said before; evaluations name it
    create table trigger_versions (
      trigger_id text not null references triggers,
      number integer not null,
      definition jsonb not null,
      changed_by text not null,
      changed_at timestamptz not null,
      primary key (trigger_id, number)
    );

    create table trigger_evaluations (
      id text primary key,
      project_id text not null references projects,
      trigger_id text not null references triggers,
      trigger_version integer not null,
      event_key text not null,
      event jsonb not null,
      -- triggers that led here; it is the last
      chain text[] not null,
      verdict text not null check (verdict in ('FIRED', 'NOT_MET', 'SKIPPED', 'PENDING', 'FAILED')),
      reason text,
      detail text,
      tree jsonb,
      error jsonb,
      launched_run_id text references runs,
      measuring_run_id text references runs,
      promoted_version_id text,
      created_at timestamptz not null default clock_timestamp(),
      ended_at timestamptz check ((ended_at is null) = (verdict = 'PENDING')),
      unique (trigger_id, event_key)
    );
    create index trigger_evaluations_newest on trigger_evaluations (project_id, created_at desc, id desc);
    create index trigger_evaluations_of on trigger_evaluations (trigger_id, created_at desc, id desc);
    create index trigger_evaluations_fired on trigger_evaluations (trigger_id, ended_at desc) where verdict = 'FIRED';
    create index trigger_evaluations_runs on trigger_evaluations (trigger_id)
      where launched_run_id is not null or measuring_run_id is not null;
    create index trigger_evaluations_pending on trigger_evaluations (trigger_id) where verdict = 'PENDING';
    create index trigger_evaluations_launched on trigger_evaluations (launched_run_id) where launched_run_id is not null;
    create index trigger_evaluations_measuring on trigger_evaluations (measuring_run_id) where measuring_run_id is not null;
    create index trigger_evaluations_promoted on trigger_evaluations (promoted_version_id) where promoted_version_id is not null;
    create index trigger_evaluations_old on trigger_evaluations (ended_at) where launched_run_id is null and measuring_run_id is null;

    create table event_sources (
      id text primary key,
      project_id text not null references projects,
      name text not null,
      -- newest first; the first is valid until it is rotated, the second until it expires
      secrets jsonb not null,
      created_by text not null,
      created_at timestamptz not null default clock_timestamp(),
      revoked_at timestamptz,
      unique (project_id, name)
    );

    -- what came, so that it is not evaluated again
    create table received_events (
      event_source_id text not null references event_sources,
      key text not null,
      received_at timestamptz not null default clock_timestamp(),
      primary key (event_source_id, key)
    );
    create index received_events_old on received_events (received_at);

    -- these alone are deleted, with the evaluations that they led to
    create index project_events_of_triggers on project_events (created_at)
      where type in ('trigger.due', 'trigger.requested', 'event.received');
  `.execute(db);
}
