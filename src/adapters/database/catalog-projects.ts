import { type Kysely } from 'kysely';
import { type ProjectCatalog } from '../../control/ports.ts';
import { type Database } from './schema.ts';

export function projectQueries(
  db: Kysely<Database>,
  projectId: string,
): Pick<ProjectCatalog, 'about' | 'limitProject'> {
  return {
    async about() {
      const row = await db
        .selectFrom('projects')
        .selectAll()
        .select((of) =>
          of
            .selectFrom('attempts')
            .innerJoin('runs', 'runs.id', 'attempts.run_id')
            .where('attempts.state', '=', 'RUNNING')
            .where('runs.project_id', '=', projectId)
            .select((sub) => sub.fn.countAll<number>().as('count'))
            .as('running'),
        )
        .where('id', '=', projectId)
        .executeTakeFirstOrThrow();
      return {
        id: row.id,
        name: row.name,
        createdAt: row.created_at,
        maxRunningTasks: row.max_running_tasks,
        runningTasks: row.running ?? 0,
        monthlyBudgetUsd: row.monthly_budget_usd,
      };
    },

    async limitProject(maxRunningTasks) {
      await db
        .updateTable('projects')
        .set({ max_running_tasks: maxRunningTasks })
        .where('id', '=', projectId)
        .execute();
    },
  };
}
