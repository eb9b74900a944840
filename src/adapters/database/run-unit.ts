import { sql, type Transaction } from 'kysely';
import {
  type AttemptRecord,
  type Failure,
  type NewArtifact,
  type NewAttempt,
  type RunRecord,
  type StageRecord,
  type TaskRecord,
  type Usage,
} from '../../engine/ports.ts';
import { type StoredObjects } from '../../pipeline/ports.ts';
import { leasedSeconds, toAttempt, toRun, toStage, toTask } from './run-rows.ts';
import { type Database } from './schema.ts';

export type Tx = Transaction<Database>;

/**
 * What one transaction knows of the runs whose rows it has locked, and what it has yet to write. Everything about a run is
 * changed under its lock (leases aside, which no change reads), so what was read stays true, moves are checked here, and
 * all that many changes do is written with a few statements (`run-due.ts`).
 */
export interface Unit {
  tx: Tx;
  objects: StoredObjects;
  /** The store's clock when the runs were locked; `text` is finer than a Date. All that the transaction does happens then. */
  at: { text: string; date: Date };
  runs: Map<string, KnownRun>;
  due: Due;
}

export interface KnownRun {
  run: RunRecord;
  /** In the order they run. */
  stages: Map<string, StageRecord>;
  tasks: Map<string, TaskRecord>;
  /** Every attempt so far at a task that was asked about, by task. */
  attempts: Map<string, KnownAttempt[]>;
}

export interface KnownAttempt {
  record: AttemptRecord;
  failure: Failure | null;
  usage: Usage | null;
  costUsd: number | null;
}

/** Columns to set, by the key of their row. */
export type Columns = Record<string, unknown>;

export interface Due {
  runs: Map<string, Columns>;
  /** By `stageKey`. */
  stages: Map<string, Columns>;
  tasks: Map<string, Columns>;
  newAttempts: (NewAttempt & { runId: string })[];
  attempts: Map<string, Columns>;
  /** By run, then by id. */
  artifacts: Map<string, Map<string, NewArtifact>>;
  events: { runId: string; sequence: number; type: string; payload: unknown }[];
  /** Stages whose counts are behind their tasks, by `stageKey`. */
  counts: Map<string, { run_id: string; name: string }>;
}

export function nothingDue(): Due {
  return {
    runs: new Map(),
    stages: new Map(),
    tasks: new Map(),
    newAttempts: [],
    attempts: new Map(),
    artifacts: new Map(),
    events: [],
    counts: new Map(),
  };
}

export const stageKey = (runId: string, name: string): string => `${runId}/${name}`;

/** Locks the runs that exist of these and reads what their changes begin with. `taskIds` are read ahead with their attempts. */
export async function lockRuns(
  tx: Tx,
  objects: StoredObjects,
  runIds: readonly string[],
  taskIds: readonly string[],
): Promise<Unit> {
  // In one order, so that two transactions do not wait for each other.
  const runs = await tx
    .selectFrom('runs')
    .selectAll()
    .where('id', '=', sql<string>`any(${[...runIds]})`)
    .orderBy('id')
    .forUpdate()
    .execute();
  const stages = await tx
    .selectFrom('stages')
    .selectAll()
    .where('run_id', '=', sql<string>`any(${[...runIds]})`)
    .orderBy('position')
    .execute();
  const { rows } = await sql<{ text: string; date: Date }>`
    select t.at::text as text, t.at as date from (select clock_timestamp() as at) t`.execute(tx);
  const known = new Map(
    runs.map((row): [string, KnownRun] => [
      row.id,
      { run: toRun(row), stages: new Map(), tasks: new Map(), attempts: new Map() },
    ]),
  );
  for (const row of stages) known.get(row.run_id)!.stages.set(row.name, toStage(row));
  const unit = { tx, objects, at: rows[0]!, runs: known, due: nothingDue() };
  if (taskIds.length > 0) {
    await readTasks(unit, taskIds);
    await readAttempts(unit, taskIds);
  }
  return unit;
}

export async function readTasks({ tx, runs }: Unit, taskIds: readonly string[]): Promise<void> {
  const rows = await tx
    .selectFrom('tasks')
    .selectAll()
    .where('id', '=', sql<string>`any(${[...taskIds]})`)
    .execute();
  for (const row of rows) runs.get(row.run_id)?.tasks.set(row.id, toTask(row));
}

export async function readAttempts({ tx, runs }: Unit, taskIds: readonly string[]): Promise<void> {
  const rows = await tx
    .selectFrom('attempts')
    .innerJoin('runs', 'runs.id', 'attempts.run_id')
    .selectAll('attempts')
    .select(['runs.project_id', leasedSeconds.as('leased_seconds')])
    .where('task_id', '=', sql<string>`any(${[...taskIds]})`)
    .orderBy('number')
    .execute();
  for (const row of rows) {
    const attempts = runs.get(row.run_id)?.attempts;
    if (!attempts) continue;
    const one = { record: toAttempt(row), failure: row.failure, usage: row.usage, costUsd: row.cost_usd };
    attempts.set(row.task_id, [...(attempts.get(row.task_id) ?? []), one]);
  }
  for (const { tasks, attempts } of runs.values()) {
    for (const id of taskIds) if (tasks.has(id) && !attempts.has(id)) attempts.set(id, []);
  }
}
