import { sql, type Transaction } from 'kysely';
import { type NewArtifact, type NewTask, type RunRecord } from '../../engine/ports.ts';
import { type StoredObjects } from '../../pipeline/ports.ts';
import { insertArtifacts } from './artifact-writes.ts';
import { chunks, json, text, type Database } from './schema.ts';

type Tx = Transaction<Database>;

/** Within a transaction `now()` stands still; this does not. */
export const now = sql<Date>`clock_timestamp()`;

export async function insertTasks(tx: Tx, run: RunRecord, tasks: readonly NewTask[]): Promise<void> {
  for (const some of chunks(tasks)) {
    await tx
      .insertInto('tasks')
      .values(
        some.map(({ id, spec, state, cache, cacheReason, metrics }) => ({
          id,
          run_id: run.id,
          stage: spec.stage,
          index: spec.index,
          artifact_id: spec.artifactId,
          state,
          cache,
          cache_reason: cacheReason === null ? null : text(cacheReason),
          title: text(spec.title),
          labels: json(spec.labels),
          items: spec.items,
          items_done: state === 'SUCCEEDED' ? spec.items : 0,
          spec: json(spec),
          metrics: metrics && json(metrics),
          ended_at: state === 'SUCCEEDED' ? now : null,
        })),
      )
      .execute();
  }
}

/** Of those of the run that have not ended. */
export async function setRunning(
  tx: Tx,
  run: RunRecord,
  attempts: ReadonlyMap<string, boolean>,
  at: string,
): Promise<void> {
  const rows = [...attempts].map(([id, runs]) => ({ id, runs }));
  for (const some of chunks(rows)) {
    await sql`
      update attempts a set running_at = case when v.runs then coalesce(a.running_at, ${at}::timestamptz) end
      from jsonb_to_recordset(${json(some)}::jsonb) as v(id text, runs boolean)
      where a.id = v.id and a.run_id = ${run.id} and a.state = 'RUNNING'`.execute(tx);
  }
}

export async function recordArtifacts(
  tx: Tx,
  run: RunRecord,
  artifacts: readonly NewArtifact[],
  objects: StoredObjects,
): Promise<void> {
  await insertArtifacts(tx, run, artifacts, objects);
  for (const some of chunks(artifacts)) {
    await tx
      .insertInto('run_artifacts')
      .values(
        some.map(({ manifest }) => ({
          run_id: run.id,
          project_id: run.projectId,
          artifact_id: manifest.id,
          direction: 'OUTPUT' as const,
          stage: manifest.stage,
        })),
      )
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}
