import { type Kysely, type RawBuilder, sql } from 'kysely';
import { type CostDimension, type CostRow, type ProjectCatalog } from '../../control/ports.ts';
import { type Overspent, type StageState } from '../../engine/ports.ts';
import { type Database } from './schema.ts';

type CostQueries = Pick<
  ProjectCatalog,
  | 'costs'
  | 'totalCosts'
  | 'spentThisMonth'
  | 'monthlyBudgetUsd'
  | 'budgetProject'
  | 'stageHistory'
  | 'costsToMake'
  | 'costsOfTasks'
>;

/** The beginning of this month in UTC, by the clock of the database. */
const monthStart = sql<Date>`date_trunc('month', clock_timestamp() at time zone 'UTC') at time zone 'UTC'`;

/** What an attempt has cost since it runs, or did until its lease ran out; nothing while it waits. */
const accruedUsd = sql<number>`greatest(0, extract(epoch from least(clock_timestamp(), a.lease_expires_at) - a.running_at)::float8)
  * coalesce(a.price_usd_per_hour, 0) / 3600`;

/** Of attempts that ended since then, and of those that run. */
const spentSince = (moment: RawBuilder<Date>, projectId: RawBuilder<string>): RawBuilder<number> => sql<number>`(
  select coalesce(sum(case when a.ended_at is null then ${accruedUsd} else a.cost_usd end), 0)
  from attempts a join runs of_run on of_run.id = a.run_id and of_run.project_id = ${projectId}
  where a.ended_at >= ${moment} or a.state = 'RUNNING'
)`;

/** What these runs have cost in this month. */
export const spentBy = (runIds: RawBuilder<unknown>): RawBuilder<number> => sql<number>`(
  select coalesce(sum(case when a.ended_at is null then ${accruedUsd} else a.cost_usd end), 0)
  from attempts a where a.run_id in (${runIds}) and (a.ended_at >= ${monthStart} or a.state = 'RUNNING')
)`;

export async function overspentRuns(db: Kysely<Database>): Promise<Overspent[]> {
  const { rows } = await sql<Overspent>`
    with active as (
      select r.id, r.project_id, (r.limits ->> 'costUsd')::float8 as budget, r.cost_usd
        + coalesce((select sum(${accruedUsd}) from attempts a where a.run_id = r.id and a.state = 'RUNNING'), 0) as spent
      from runs r join projects p on p.id = r.project_id
      where r.state = 'RUNNING' and (r.limits ->> 'costUsd' is not null or p.monthly_budget_usd is not null)
    ), spent as materialized (
      select p.id, p.monthly_budget_usd as budget, ${spentSince(monthStart, sql`p.id`)} as spent
      from projects p where p.monthly_budget_usd is not null and p.id in (select project_id from active)
    )
    select id as "runId", 'RUN' as of, spent as "spentUsd", budget as "budgetUsd" from active where spent > budget
    union all
    select a.id, 'PROJECT', s.spent, s.budget from spent s join active a on a.project_id = s.id where s.spent > s.budget
  `.execute(db);
  return rows;
}

const DIMENSIONS: Record<CostDimension, { columns: RawBuilder<unknown>; group: RawBuilder<unknown> }> = {
  DATASET: {
    columns: sql`d.id as "datasetId"`,
    group: sql`d.id`,
  },
  STAGE: { columns: sql`t.stage as stage`, group: sql`t.stage` },
  MONTH: {
    columns: sql`to_char(a.ended_at at time zone 'UTC', 'YYYY-MM') as period`,
    group: sql`to_char(a.ended_at at time zone 'UTC', 'YYYY-MM')`,
  },
  DAY: {
    columns: sql`to_char(a.ended_at at time zone 'UTC', 'YYYY-MM-DD') as period`,
    group: sql`to_char(a.ended_at at time zone 'UTC', 'YYYY-MM-DD')`,
  },
};

export function costQueries(db: Kysely<Database>, projectId: string): CostQueries {
  return {
    async costs({ by, from, to, first }) {
      const columns = by.map((one) => DIMENSIONS[one].columns);
      const groups = by.map((one) => DIMENSIONS[one].group);
      const { rows } = await sql<CostRow>`
        select ${sql.join([...columns, ...SUMS])}
        from ${ended(from, to)}
        ${by.length > 0 ? sql`group by ${sql.join(groups)}` : sql``}
        order by "costUsd" desc${by.length > 0 ? sql`, ${sql.join(groups)}` : sql``}
        limit ${first}
      `.execute(db);
      return rows.map((row) => ({ ...NO_DIMENSIONS, ...row }));
    },

    async totalCosts(from, to) {
      const { rows } = await sql<CostRow>`select ${sql.join(SUMS)} from ${ended(from, to)}`.execute(db);
      return { ...NO_DIMENSIONS, ...rows[0]! };
    },

    async spentThisMonth() {
      const { rows } = await sql<{ usd: number }>`select ${spentSince(monthStart, sql`${projectId}`)} as usd`.execute(
        db,
      );
      return rows[0]!.usd;
    },

    async monthlyBudgetUsd() {
      const { usd } = await db
        .selectFrom('projects')
        .select('monthly_budget_usd as usd')
        .where('id', '=', projectId)
        .executeTakeFirstOrThrow();
      return usd;
    },

    async budgetProject(monthlyUsd) {
      await db.updateTable('projects').set({ monthly_budget_usd: monthlyUsd }).where('id', '=', projectId).execute();
    },

    async stageHistory(priorId, runs) {
      const { rows } = await sql<{
        recipe: Record<string, unknown>;
        stage: string;
        state: StageState;
        items: number;
        allocatedSeconds: number;
        wallSeconds: number;
      }>`
        select r.recipe, s.name as stage, s.state, s.allocated_seconds as "allocatedSeconds",
          coalesce(extract(epoch from s.ended_at - s.started_at)::float8, 0) as "wallSeconds",
          (
            select coalesce(sum(t.items), 0) from tasks t
            where t.run_id = s.run_id and t.stage = s.name and t.cache is distinct from 'HIT'
          ) as items
        from (
          select id, recipe from runs
          where project_id = ${projectId} and state = 'SUCCEEDED' and (${priorId}::text is null or prior_id = ${priorId})
          order by created_at desc, id desc limit ${runs}
        ) r join stages s on s.run_id = r.id
      `.execute(db);
      return rows.map((row) => ({ ...row, recipe: row.recipe as never, items: Number(row.items) }));
    },

    async costsToMake(runIds) {
      if (runIds.length === 0) return new Map();
      const { rows } = await sql<{ run_id: string; usd: number }>`
        select o.run_id, sum(a.cost_usd) as usd
        from run_artifacts o join artifacts a on a.project_id = o.project_id and a.id = o.artifact_id
        where o.project_id = ${projectId} and o.run_id = any(${[...runIds]}) and o.direction = 'OUTPUT' and a.kind <> 'stage'
        group by o.run_id
      `.execute(db);
      return new Map(rows.map(({ run_id: id, usd }) => [id, usd]));
    },

    async costsOfTasks(taskIds) {
      if (taskIds.length === 0) return new Map();
      const { rows } = await sql<{ task_id: string; usd: number }>`
        select a.task_id, coalesce(sum(a.cost_usd), 0) as usd
        from attempts a join runs r on r.id = a.run_id and r.project_id = ${projectId}
        where a.task_id = any(${[...taskIds]})
        group by a.task_id
      `.execute(db);
      return new Map(rows.map(({ task_id: id, usd }) => [id, usd]));
    },
  };

  /** Attempts of the project that ended in [from, to), with what they are told apart by. */
  function ended(from: Date | null, to: Date | null): RawBuilder<unknown> {
    return sql`attempts a
      join runs r on r.id = a.run_id and r.project_id = ${projectId}
      join tasks t on t.id = a.task_id
      join dataset_versions v on v.id = r.dataset_version_id
      join datasets d on d.id = v.dataset_id
      where a.ended_at >= ${from ?? sql`'-infinity'`} and a.ended_at < ${to ?? sql`'infinity'`}`;
  }
}

const NO_DIMENSIONS = { datasetId: null, stage: null, period: null };

const SUMS = [
  sql`count(distinct a.run_id) as runs`,
  sql`count(*) as attempts`,
  sql`coalesce(sum((a.usage ->> 'allocatedSeconds')::float8), 0) as "allocatedSeconds"`,
  sql`coalesce(sum(a.cost_usd), 0) as "costUsd"`,
  sql`coalesce(sum(a.cost_usd) filter (where a.state <> 'SUCCEEDED'), 0) as "lostUsd"`,
  sql`coalesce(array_agg(distinct a.price_list) filter (where a.price_list is not null), '{}') as "priceLists"`,
];
