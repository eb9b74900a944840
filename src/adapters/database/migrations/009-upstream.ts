import { type Kysely, sql } from 'kysely';

/** Dataset versions that others made, as they told, and what was imported of them. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table upstream_versions (
      -- a digest of project, namespace, name and version
      id text primary key,
      project_id text not null references projects,
      namespace text not null,
      name text not null,
      version text not null,
      -- as in dataset_versions.source; null: nowhere that can be imported from
      place text,
      -- [{ name, type }], null where nothing was told
      fields jsonb,
      producer text not null,
      -- what made it: { namespace, name, runId }; null where nothing was told
      job jsonb,
      -- by the clock of whoever made it
      made_at timestamptz not null,
      created_at timestamptz not null default now()
    );
    create index upstream_versions_by_project on upstream_versions (project_id, created_at desc, id desc);
    create index upstream_versions_by_place on upstream_versions (project_id, place, made_at desc);
    create index dataset_versions_by_path on dataset_versions (project_id, (source->>'path'));

    create table version_upstreams (
      project_id text not null,
      dataset_version_id text not null references dataset_versions,
      upstream_id text not null references upstream_versions,
      primary key (project_id, dataset_version_id, upstream_id)
    );
    create index version_upstreams_back on version_upstreams (project_id, upstream_id, dataset_version_id);
  `.execute(db);
}
