import { type Kysely, sql } from 'kysely';

/** Endpoints that are told of events, and what is on its way to them, see webhooks.ts. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create table webhooks (
      id text primary key,
      project_id text not null references projects,
      url text not null,
      description text not null,
      types text[] not null,
      -- null: all
      aliases text[],
      dataset_ids text[],
      -- null: the CloudEvent as it is
      template jsonb,
      headers jsonb not null default '{}',
      -- newest first; the first is valid until it is rotated, the second until it expires
      secrets jsonb not null,
      state text not null default 'ENABLED' check (state in ('ENABLED', 'DISABLED')),
      disabled_because text check ((disabled_because is null) = (state = 'ENABLED')),
      created_by text not null,
      created_at timestamptz not null default clock_timestamp()
    );
    create index webhooks_newest on webhooks (project_id, created_at desc, id desc);

    create table webhook_deliveries (
      id text primary key,
      project_id text not null references projects,
      webhook_id text not null references webhooks on delete cascade,
      -- deliveries of one key to one endpoint come in the order of their positions
      key text not null,
      position bigint generated always as identity,
      event_id text not null,
      type text not null,
      run_id text,
      event jsonb not null,
      state text not null default 'PENDING' check (state in ('PENDING', 'DELIVERED', 'DEAD')),
      tries integer not null default 0,
      -- since it was first sent, or sent again on request
      failures integer not null default 0,
      next_try_at timestamptz not null default clock_timestamp(),
      error text,
      created_at timestamptz not null default clock_timestamp(),
      ended_at timestamptz,
      unique (webhook_id, event_id)
    );
    create index webhook_deliveries_due on webhook_deliveries (webhook_id, next_try_at, position) where state = 'PENDING';
    create index webhook_deliveries_ahead on webhook_deliveries (webhook_id, key, position) where state = 'PENDING';
    create index webhook_deliveries_newest on webhook_deliveries (project_id, created_at desc, id desc);
    create index webhook_deliveries_ended on webhook_deliveries (ended_at) where ended_at is not null;

    create table webhook_tries (
      delivery_id text not null references webhook_deliveries on delete cascade,
      number integer not null,
      at timestamptz not null,
      ms double precision not null,
      status integer,
      error text,
      request_headers jsonb not null,
      request_body text not null,
      response_headers jsonb,
      response_body text,
      primary key (delivery_id, number)
    );
  `.execute(db);
}
