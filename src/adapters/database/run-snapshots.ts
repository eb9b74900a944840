import { sql, type Kysely } from 'kysely';
import { type RunSnapshot, type TaskState } from '../../engine/ports.ts';
import { leasedSeconds, toAttempt, toRun, toStage } from './run-rows.ts';
import { json, type Database } from './schema.ts';

/** Of the runs that exist of these, with as many statements as of one. */
export async function readSnapshots(
  db: Kysely<Database>,
  runIds: readonly string[],
): Promise<Map<string, RunSnapshot>> {
  const these = sql<string>`any(${[...runIds]})`;
  const runs = await db.selectFrom('runs').selectAll().where('id', '=', these).execute();
  const stages = await db.selectFrom('stages').selectAll().where('run_id', '=', these).orderBy('position').execute();
  const snapshots = new Map(runs.map((row): [string, RunSnapshot] => [row.id, emptySnapshot(toRun(row))]));
  for (const row of stages) snapshots.get(row.run_id)?.stages.push(toStage(row));
  // After the stages: what is counted is never older than the state of its stage.
  for (const { run_id, state, count } of await countTasks(db, [...snapshots.values()])) {
    snapshots.get(run_id)!.tasks[state] = count;
  }
  const attempts = await db
    .selectFrom('attempts')
    .innerJoin('runs', 'runs.id', 'attempts.run_id')
    .selectAll('attempts')
    .select(['runs.project_id', leasedSeconds.as('leased_seconds')])
    .where('attempts.run_id', '=', these)
    .where('attempts.state', '=', 'RUNNING')
    .execute();
  for (const row of attempts) snapshots.get(row.run_id)?.runningAttempts.push(toAttempt(row));
  return snapshots;
}

function emptySnapshot(run: RunSnapshot['run']): RunSnapshot {
  const tasks = { PENDING: 0, RUNNING: 0, SUCCEEDED: 0, FAILED: 0, CANCELLED: 0 };
  return { run, stages: [], tasks, runningAttempts: [] };
}

/** Tasks of each first unfinished stage. */
async function countTasks(db: Kysely<Database>, snapshots: readonly RunSnapshot[]) {
  const current = snapshots.flatMap(({ run, stages }) => {
    const stage = stages.find(({ state }) => state !== 'SUCCEEDED' && state !== 'SKIPPED');
    return stage ? { run_id: run.id, stage: stage.name } : [];
  });
  const { rows } = await sql<{ run_id: string; state: TaskState; count: number }>`
    select t.run_id, t.state, count(*) as count
    from jsonb_to_recordset(${json(current)}::jsonb) as v(run_id text, stage text)
    join tasks t on t.run_id = v.run_id and t.stage = v.stage
    group by t.run_id, t.state`.execute(db);
  return rows;
}
