import { type Kysely, sql } from 'kysely';

/** Names such as `production` that stand for a synthetic dataset, and every dataset that they ever stood for. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table aliases (
      project_id text not null references projects,
      name text not null,
      -- what a promotion has to pass
      gates jsonb not null default '[]',
      created_at timestamptz not null default clock_timestamp(),
      primary key (project_id, name)
    );

    -- promotions and reversals, never changed; the newest holds
    create table alias_versions (
      id text primary key,
      project_id text not null,
      alias text not null,
      number integer not null check (number > 0),
      artifact_id text not null,
      -- what the gates said
      gates jsonb not null,
      -- why it may pass those that did not let it through
      override text,
      -- the version whose artifact it went back to
      reverts_to integer,
      promoted_by text not null,
      promoted_at timestamptz not null default clock_timestamp(),
      unique (project_id, alias, number),
      foreign key (project_id, alias) references aliases,
      foreign key (project_id, artifact_id) references artifacts
    );
    create index alias_versions_by_artifact on alias_versions (project_id, artifact_id, id);

    -- what stays whatever the policy says, and why: pins, what an alias stands for, and what it would go back to
    create view artifact_holds as
      select project_id, artifact_id, 'PIN' as by from artifact_pins
      union all
      select project_id, artifact_id, 'ALIAS' as by from alias_versions v
      where not exists (
        select 1 from alias_versions later
        where later.project_id = v.project_id and later.alias = v.alias and later.number = v.number + 2
      );
  `.execute(db);
}
