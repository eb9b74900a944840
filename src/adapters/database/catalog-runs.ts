import { type Kysely, sql } from 'kysely';
import { type ProjectCatalog } from '../../control/ports.ts';
import { olderThan, toPage } from './catalog-paging.ts';
import { TASK_COLUMNS, toAttempt, toRunEvent, toTask } from './catalog-rows.ts';
import { toRunView, toStage } from './run-rows.ts';
import { type Database } from './schema.ts';

type RunQueries = Pick<
  ProjectCatalog,
  | 'runsById'
  | 'runByKey'
  | 'inputsByRole'
  | 'runs'
  | 'stagesByRun'
  | 'tasksById'
  | 'tasksOfStages'
  | 'tasksByRun'
  | 'attemptsByTask'
  | 'eventsOfRuns'
  | 'events'
>;

/** Stages, tasks, attempts and events carry no project of their own: they are reached through a run that does. */
export function runQueries(db: Kysely<Database>, projectId: string): RunQueries {
  const runs = () => db.selectFrom('runs').where('project_id', '=', projectId).selectAll();
  const ownRuns = () => db.selectFrom('runs').where('project_id', '=', projectId).select('id');
  const tasks = () => db.selectFrom('tasks').where('run_id', 'in', ownRuns()).select(TASK_COLUMNS);

  return {
    async runsById(ids) {
      if (ids.length === 0) return [];
      return (
        await runs()
          .where('id', 'in', [...ids])
          .execute()
      ).map(toRunView);
    },

    async runByKey(idempotencyKey) {
      const row = await runs().where('idempotency_key', '=', idempotencyKey).executeTakeFirst();
      return row ? toRunView(row) : null;
    },

    async inputsByRole(runId) {
      const row = await runs().where('id', '=', runId).select('inputs').executeTakeFirst();
      return row?.inputs ?? null;
    },

    async runs({ first, after }, filter) {
      let query = runs()
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(first + 1);
      if (after !== null) query = query.where(olderThan('runs', projectId, after));
      if (filter.states) query = query.where('state', 'in', filter.states.length ? [...filter.states] : [null]);
      if (filter.datasetId) {
        const versions = db.selectFrom('dataset_versions').select('id').where('dataset_id', '=', filter.datasetId);
        query = query.where('dataset_version_id', 'in', versions);
      }
      if (filter.datasetVersionId) query = query.where('dataset_version_id', '=', filter.datasetVersionId);
      if (filter.priorId) query = query.where('prior_id', '=', filter.priorId);
      return toPage(await query.execute(), first, toRunView);
    },

    async stagesByRun(runIds) {
      if (runIds.length === 0) return [];
      const rows = await db
        .selectFrom('stages as s')
        .where('s.run_id', 'in', ownRuns().where('id', 'in', [...runIds]))
        .selectAll('s')
        .select((eb) =>
          eb
            .selectFrom('tasks as t')
            .whereRef('t.run_id', '=', 's.run_id')
            .whereRef('t.stage', '=', 's.name')
            .where('t.cache', 'is distinct from', 'HIT')
            .select((sub) => sub.fn.coalesce(sub.fn.sum<number>('t.items_done'), sql<number>`0`).as('items'))
            .as('items_made'),
        )
        .orderBy('s.position')
        .execute();
      return rows.map((row) => ({ ...toStage(row), itemsMade: Number(row.items_made ?? 0) }));
    },

    async tasksById(ids) {
      if (ids.length === 0) return [];
      return (
        await tasks()
          .where('id', 'in', [...ids])
          .execute()
      ).map(toTask);
    },

    /** One query for many pages: each stage asked for brings its own position and length. */
    async tasksOfStages(requests) {
      if (requests.length === 0) return [];
      const rows = await db
        .selectFrom(
          sql<{ run_id: string; stage: string; after_index: number; first: number }>`unnest(
            ${requests.map((one) => one.runId)}::text[],
            ${requests.map((one) => one.stage)}::text[],
            ${requests.map((one) => one.afterIndex)}::integer[],
            ${requests.map((one) => one.first)}::integer[]
          )`.as<'k'>(sql`k(run_id, stage, after_index, first)`),
        )
        .innerJoinLateral(
          (eb) =>
            eb
              .selectFrom('tasks')
              .whereRef('tasks.run_id', '=', 'k.run_id')
              .whereRef('tasks.stage', '=', 'k.stage')
              .whereRef('tasks.index', '>', 'k.after_index')
              .where('tasks.run_id', 'in', ownRuns())
              .select(TASK_COLUMNS)
              .orderBy('tasks.index')
              .limit(sql<number>`k.first`)
              .as('t'),
          (join) => join.onTrue(),
        )
        .selectAll('t')
        .distinct()
        .orderBy('t.index')
        .execute();
      return rows.map(toTask);
    },

    async tasksByRun(runIds, stages) {
      if (runIds.length === 0 || stages.length === 0) return [];
      const rows = await tasks()
        .where('run_id', 'in', [...runIds])
        .where('stage', 'in', [...stages])
        .orderBy('index')
        .execute();
      return rows.map(toTask);
    },

    async attemptsByTask(taskIds) {
      if (taskIds.length === 0) return [];
      const rows = await db
        .selectFrom('attempts')
        .where('task_id', 'in', [...taskIds])
        .where('run_id', 'in', ownRuns())
        .selectAll()
        .orderBy('number')
        .execute();
      return rows.map(toAttempt);
    },

    async eventsOfRuns(requests) {
      if (requests.length === 0) return [];
      const rows = await db
        .selectFrom(
          sql<{ run_id: string; after: number; first: number }>`unnest(
            ${requests.map((one) => one.runId)}::text[],
            ${requests.map((one) => one.after)}::integer[],
            ${requests.map((one) => one.first)}::integer[]
          )`.as<'k'>(sql`k(run_id, after, first)`),
        )
        .innerJoinLateral(
          (eb) =>
            eb
              .selectFrom('run_events')
              .whereRef('run_events.run_id', '=', 'k.run_id')
              .whereRef('run_events.sequence', '>', 'k.after')
              .where('run_events.run_id', 'in', ownRuns())
              .selectAll('run_events')
              .orderBy('run_events.sequence')
              .limit(sql<number>`k.first`)
              .as('e'),
          (join) => join.onTrue(),
        )
        .selectAll('e')
        .distinct()
        .orderBy('e.sequence')
        .execute();
      return rows.map(toRunEvent);
    },

    /** The run is read first: an event that its `event_sequence` counts is then surely in the second read. */
    async events(runId, after, first) {
      const run = await runs().where('id', '=', runId).executeTakeFirst();
      if (!run) return null;
      const events = await db
        .selectFrom('run_events')
        .where('run_id', '=', run.id)
        .where('sequence', '>', after)
        .selectAll()
        .orderBy('sequence')
        .limit(first)
        .execute();
      return { run: toRunView(run), events: events.map(toRunEvent) };
    },
  };
}
