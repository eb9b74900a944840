import { type Kysely, sql } from 'kysely';

/** State and pointers; the object store holds the bytes. Every table carries its project. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table projects (
      id text primary key,
      name text not null,
      created_at timestamptz not null default now()
    );

    create table datasets (
      id text primary key,
      project_id text not null references projects,
      name text not null,
      created_at timestamptz not null default now(),
      unique (project_id, name)
    );

    create table dataset_versions (
      id text primary key,
      project_id text not null references projects,
      dataset_id text not null references datasets,
      number integer not null,
      state text not null check (state in ('IMPORTING', 'READY', 'FAILED')),
      -- what it reads: { path, asked, classes, split }, the path with links followed and as it was asked for; null: all classes, the only split
      source jsonb not null,
      -- { images, bytes } so far
      progress jsonb not null default '{}',
      digest text,
      images integer,
      -- [{ name, images }] in label order
      classes jsonb,
      artifact_id text,
      error jsonb,
      created_at timestamptz not null default now(),
      ended_at timestamptz,
      unique (dataset_id, number)
    );
    create index dataset_versions_by_state on dataset_versions (state) where state = 'IMPORTING';
    create index dataset_versions_by_digest on dataset_versions (project_id, digest);

    -- every key that asked for an import, also those that joined one under way
    create table import_keys (
      project_id text not null references projects,
      key text not null,
      -- checked at commit: the key is taken before the version is inserted
      dataset_version_id text not null references dataset_versions deferrable initially deferred,
      -- what was asked for under this key, as in dataset_versions
      source jsonb not null,
      primary key (project_id, key)
    );

    create table priors (
      id text primary key,
      project_id text not null references projects,
      name text not null,
      version text not null,
      digest text not null,
      artifact_id text not null,
      -- what the bundle says of itself: image and latent shape, classes, which models it has
      description jsonb not null,
      created_at timestamptz not null default now(),
      unique (project_id, digest)
    );

    create table runs (
      id text primary key,
      project_id text not null references projects,
      state text not null check (state in ('QUEUED', 'RUNNING', 'STOPPING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
      recipe jsonb not null,
      recipe_digest text not null,
      -- artifact ids by role, fixed at launch: { datasetVersion, prior }
      inputs jsonb not null,
      dataset_version_id text not null references dataset_versions,
      prior_id text not null references priors,
      idempotency_key text,
      -- digest of the whole launch request: the same key with another fingerprint is refused
      fingerprint text not null,
      traceparent text,
      -- why it is STOPPING or FAILED; null where it was cancelled
      failure jsonb,
      cancel_requested boolean not null default false,
      resources_unconfirmed boolean not null default false,
      event_sequence integer not null default 0,
      cost_usd double precision not null default 0,
      created_at timestamptz not null default now(),
      started_at timestamptz,
      ended_at timestamptz,
      unique (project_id, idempotency_key)
    );
    create index runs_by_project on runs (project_id, created_at desc, id desc);
    create index runs_active on runs (created_at) where state in ('QUEUED', 'RUNNING', 'STOPPING');
    create index runs_by_dataset_version on runs (dataset_version_id);

    create table stages (
      run_id text not null references runs,
      name text not null,
      position integer not null,
      state text not null check (state in ('PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED', 'SKIPPED')),
      skip_reason text,
      artifact_id text,
      tasks_total integer not null default 0,
      tasks_done integer not null default 0,
      tasks_cached integer not null default 0,
      items_total bigint not null default 0,
      items_done bigint not null default 0,
      cost_usd double precision not null default 0,
      allocated_seconds double precision not null default 0,
      started_at timestamptz,
      ended_at timestamptz,
      primary key (run_id, name)
    );

    create table tasks (
      id text primary key,
      run_id text not null references runs,
      stage text not null,
      index integer not null,
      artifact_id text not null,
      state text not null check (state in ('PENDING', 'RUNNING', 'SUCCEEDED', 'FAILED', 'CANCELLED')),
      -- HIT: published before this run asked; null until known
      cache text check (cache in ('HIT', 'MISS')),
      title text not null,
      labels jsonb not null,
      items integer not null,
      items_done integer not null default 0,
      spec jsonb not null,
      epoch integer not null default 0,
      -- a retry waits until then
      not_before timestamptz not null default now(),
      metrics jsonb,
      started_at timestamptz,
      ended_at timestamptz,
      unique (run_id, stage, index)
    );
    create index tasks_by_state on tasks (run_id, state);

    create table attempts (
      id text primary key,
      run_id text not null references runs,
      task_id text not null references tasks,
      number integer not null,
      epoch integer not null,
      state text not null check (state in ('RUNNING', 'SUCCEEDED', 'FAILED', 'LOST', 'CANCELLED')),
      executor text not null,
      -- how the executor finds it again, for example { pid }
      reference jsonb,
      -- the service process that holds the lease
      owner text not null,
      lease_expires_at timestamptz not null,
      failure jsonb,
      usage jsonb,
      cost_usd double precision,
      started_at timestamptz not null default now(),
      ended_at timestamptz,
      unique (task_id, number)
    );
    create index attempts_running on attempts (lease_expires_at) where state = 'RUNNING';

    -- one row per published manifest of a project
    create table artifacts (
      project_id text not null references projects,
      id text not null,
      kind text not null,
      stage text not null,
      title text not null,
      bytes bigint not null,
      manifest jsonb not null,
      -- the run and task that made it; null for what was imported
      run_id text references runs,
      task_id text references tasks,
      usage jsonb,
      cost_usd double precision not null default 0,
      created_at timestamptz not null default now(),
      primary key (project_id, id)
    );
    create index artifacts_by_run on artifacts (run_id);
    create index artifacts_by_kind on artifacts (project_id, kind, created_at desc, id desc);

    -- artifact reads input
    create table artifact_inputs (
      project_id text not null,
      artifact_id text not null,
      input_id text not null,
      primary key (project_id, artifact_id, input_id),
      foreign key (project_id, artifact_id) references artifacts
    );
    create index artifact_inputs_back on artifact_inputs (project_id, input_id, artifact_id);

    -- what a run read and wrote, whether it made it or found it
    create table run_artifacts (
      run_id text not null references runs,
      project_id text not null,
      artifact_id text not null,
      direction text not null check (direction in ('INPUT', 'OUTPUT')),
      stage text,
      primary key (run_id, direction, artifact_id)
    );
    create index run_artifacts_back on run_artifacts (project_id, artifact_id, direction);

    create table run_events (
      run_id text not null references runs,
      sequence integer not null,
      at timestamptz not null default now(),
      type text not null,
      payload jsonb not null,
      primary key (run_id, sequence)
    );
  `.execute(db);
}
