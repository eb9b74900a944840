import { type Kysely, sql } from 'kysely';

/** What is kept and for how long, and what has been deleted: an artifact outlives its bytes as a row. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table artifacts
      add column state text not null default 'KEPT' check (state in ('KEPT', 'DOOMED', 'DELETED')),
      add column doomed_at timestamptz,
      -- the rule that doomed it
      add column doomed_because text check (doomed_because in ('KIND_EXPIRED', 'VERSION_NOT_KEPT', 'RUN_NOT_KEPT')),
      add column deleted_at timestamptz;
    create index artifacts_doomed on artifacts (project_id, doomed_at, id) where state = 'DOOMED';
    -- the order in which a store lists the manifests
    create index artifacts_in_key_order on artifacts (project_id, id collate "C") where state <> 'DELETED';

    -- which manifests name a blob; gone once the artifact is DELETED
    create table blob_references (
      project_id text not null,
      -- in the order in which a store lists the blobs
      sha256 text collate "C" not null,
      artifact_id text not null,
      bytes bigint not null,
      primary key (project_id, sha256, artifact_id),
      foreign key (project_id, artifact_id) references artifacts
    );
    create index blob_references_by_artifact on blob_references (project_id, artifact_id);
    insert into blob_references (project_id, sha256, artifact_id, bytes)
      select a.project_id, blob.value ->> 'sha256', a.id, (blob.value ->> 'bytes')::bigint
      from artifacts a, jsonb_each(a.manifest -> 'blobs') blob
      on conflict do nothing;

    -- what someone wants kept, whatever the policy says
    create table artifact_pins (
      project_id text not null,
      artifact_id text not null,
      note text not null,
      pinned_by text not null,
      pinned_at timestamptz not null default now(),
      primary key (project_id, artifact_id),
      foreign key (project_id, artifact_id) references artifacts
    );

    create table retention_policies (
      project_id text primary key references projects,
      policy jsonb not null,
      set_by text not null,
      set_at timestamptz not null default now()
    );
    -- apart from the policy, which may come and go
    create table retention_sweeps (
      project_id text primary key references projects,
      -- when objects that nothing refers to were last swept
      swept_at timestamptz not null
    );

    -- objects of the store that are being deleted, or were not long ago: whoever records an artifact looks here
    create table swept_objects (
      project_id text not null references projects,
      key text not null,
      -- the decision that it goes by; whoever takes a deletion over makes it his
      sweep text not null,
      condemned_at timestamptz not null,
      -- seen gone; null while it is being deleted
      gone_at timestamptz,
      primary key (project_id, key)
    );
    create index swept_objects_pending on swept_objects (project_id, condemned_at) where gone_at is null;
  `.execute(db);
}
