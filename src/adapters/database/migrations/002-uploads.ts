import { type Kysely, sql } from 'kysely';

/** Uploads: files that others put into the store, part by part. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table uploads (
      id text primary key,
      project_id text not null references projects,
      -- OPEN takes parts; READY can be imported; of ABORTED and EXPIRED nothing is left, once freed_at is set
      state text not null check (state in ('OPEN', 'READY', 'ABORTED', 'EXPIRED')),
      idempotency_key text not null,
      -- digest of the whole request: the same key with another fingerprint is refused
      fingerprint text not null,
      bytes bigint not null,
      created_at timestamptz not null default now(),
      -- from then on it may expire, unless an import has used it
      expires_at timestamptz not null,
      ended_at timestamptz,
      freed_at timestamptz,
      unique (project_id, idempotency_key),
      check ((state = 'OPEN') = (ended_at is null)),
      check (freed_at is null or state in ('ABORTED', 'EXPIRED'))
    );
    create index uploads_by_project on uploads (project_id, created_at desc, id desc);
    create index uploads_to_expire on uploads (expires_at) where state in ('OPEN', 'READY');
    create index uploads_to_free on uploads (id) where state in ('ABORTED', 'EXPIRED') and freed_at is null;

    create table upload_files (
      upload_id text not null references uploads,
      index integer not null,
      path text not null,
      bytes bigint not null,
      -- of every part but the last
      part_bytes bigint not null,
      part_count integer not null,
      -- under which the store gathers its parts; null before the first is asked for
      gathering text,
      complete boolean not null default false,
      primary key (upload_id, index),
      unique (upload_id, path)
    );

    -- what URLs were signed for, until the file is complete
    create table upload_parts (
      upload_id text not null,
      file integer not null,
      number integer not null,
      sha256 text not null,
      primary key (upload_id, file, number),
      foreign key (upload_id, file) references upload_files
    );

    -- which uploads imports have used: their paths are upload:<id> or upload:<id>/path
    create index import_keys_by_upload on import_keys (project_id, split_part(source ->> 'path', '/', 1))
      where source ->> 'path' like 'upload:%';
  `.execute(db);
}
