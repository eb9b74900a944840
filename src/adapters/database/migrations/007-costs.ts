import { type Kysely, sql } from 'kysely';

/** What attempts are charged by, and what a project may spend. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    alter table attempts
      -- in force when it began; null where a release before this one began it
      add column price_usd_per_hour double precision check (price_usd_per_hour >= 0),
      -- names the prices of that day
      add column price_list text;
    -- what was spent since some moment
    create index attempts_by_end on attempts (ended_at) include (run_id, cost_usd) where ended_at is not null;

    alter table projects
      -- of a month in UTC; null: any
      add column monthly_budget_usd double precision check (monthly_budget_usd >= 0);
  `.execute(db);
}
