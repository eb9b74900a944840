import { sql, type Transaction } from 'kysely';
import { type JsonObject } from '../../base/json.ts';
import { type NewArtifact, type NewTask, type RunRecord } from '../../engine/ports.ts';
import { json, text, type Database } from './schema.ts';

type Tx = Transaction<Database>;

/** Rows of one insert: Postgres takes 65535 parameters a statement. */
const ROWS = 1000;

/** Within a transaction `now()` stands still; this does not. */
export const now = sql<Date>`clock_timestamp()`;

export async function insertTasks(tx: Tx, run: RunRecord, tasks: readonly NewTask[]): Promise<void> {
  for (const some of chunks(tasks)) {
    await tx
      .insertInto('tasks')
      .values(
        some.map(({ id, spec, state, cache, metrics }) => ({
          id,
          run_id: run.id,
          stage: spec.stage,
          index: spec.index,
          artifact_id: spec.artifactId,
          state,
          cache,
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

/** Returns the last sequence number given out. */
export async function appendEvents(
  tx: Tx,
  runId: string,
  after: number,
  events: readonly { type: string; payload: JsonObject }[],
): Promise<number> {
  let sequence = after;
  for (const some of chunks(events)) {
    await tx
      .insertInto('run_events')
      .values(
        some.map(({ type, payload }) => ({
          run_id: runId,
          sequence: ++sequence,
          at: now,
          type,
          payload: json(payload),
        })),
      )
      .execute();
  }
  return sequence;
}

/** Rows of what was published, and what it was made from. One that is there stays as it is, but for who made it. */
export async function insertArtifacts(
  tx: Tx,
  by: { projectId: string; id?: string },
  artifacts: readonly (Pick<NewArtifact, 'manifest' | 'title'> & Partial<NewArtifact>)[],
): Promise<void> {
  // One statement may not meet a row twice.
  for (const some of chunks([...new Map(artifacts.map((one) => [one.manifest.id, one])).values()])) {
    await tx
      .insertInto('artifacts')
      .values(
        some.map(({ manifest, title, taskId, made }) => ({
          project_id: by.projectId,
          id: manifest.id,
          kind: manifest.kind,
          stage: manifest.stage,
          title: text(title),
          bytes: Object.values(manifest.blobs).reduce((sum, blob) => sum + blob.bytes, 0),
          manifest: json(manifest),
          run_id: made ? by.id : null,
          task_id: made ? taskId : null,
          usage: made?.usage ? json(made.usage) : null,
          cost_usd: made?.costUsd ?? 0,
        })),
      )
      // Found by one run before the attempt that made it was recorded: its maker is told later.
      .onConflict((conflict) =>
        conflict
          .columns(['project_id', 'id'])
          .doUpdateSet((of) => ({
            run_id: of.ref('excluded.run_id'),
            task_id: of.ref('excluded.task_id'),
            usage: of.ref('excluded.usage'),
            cost_usd: of.ref('excluded.cost_usd'),
          }))
          .where('artifacts.run_id', 'is', null)
          .where('excluded.run_id', 'is not', null),
      )
      .execute();
    const inputs = some.flatMap(({ manifest }) =>
      [...new Set(manifest.inputs)].map((input_id) => ({
        project_id: by.projectId,
        artifact_id: manifest.id,
        input_id,
      })),
    );
    for (const edges of chunks(inputs)) {
      await tx
        .insertInto('artifact_inputs')
        .values(edges)
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    }
  }
}

export async function recordArtifacts(tx: Tx, run: RunRecord, artifacts: readonly NewArtifact[]): Promise<void> {
  await insertArtifacts(tx, run, artifacts);
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

function* chunks<T>(of: readonly T[]): Generator<readonly T[]> {
  for (let i = 0; i < of.length; i += ROWS) yield of.slice(i, i + ROWS);
}
