import { sql, type Kysely, type Transaction } from 'kysely';
import { PushforwardError } from '../../base/errors.ts';
import { gather } from '../../base/gather.ts';
import { type NewRun, type Published, type ReadyTask, type RunStore, type Usage } from '../../engine/ports.ts';
import { type StoredObjects } from '../../pipeline/ports.ts';
import { rescue } from './artifact-writes.ts';
import { overspentRuns } from './catalog-costs.ts';
import { createChangeGroups } from './change-groups.ts';
import { claimService } from './claim.ts';
import { insertEvents } from './event-writes.ts';
import { namingOutages } from './outages.ts';
import { shareBytes } from './project-lock.ts';
import { readSnapshots } from './run-snapshots.ts';
import { leasedSeconds, toAttempt, toRun } from './run-rows.ts';
import { json, type Database } from './schema.ts';

export interface RunStoreOptions {
  db: Kysely<Database>;
  /** The same database: the claim has a connection of its own, since it lives as long as that does. */
  url: string;
  /** Looked at where an artifact was deleted and is recorded again. */
  objects: StoredObjects;
}

/** The engine's RunStore on Postgres. An outage is DATABASE_UNAVAILABLE. */
export function createRunStore(options: RunStoreOptions): RunStore {
  return namingOutages(plainRunStore(options));
}

function plainRunStore({ db, url, objects }: RunStoreOptions): RunStore {
  const snapshot = gather((runIds: string[]) => readSnapshots(db, runIds));
  return {
    claim: () => claimService(url),

    insertRun: (run) =>
      db.transaction().execute(async (tx) => {
        // Waits for a concurrent insert of the same key; afterwards the row of the winner is visible.
        const inserted = await tx
          .insertInto('runs')
          .values({
            id: run.id,
            project_id: run.projectId,
            state: 'QUEUED',
            recipe: json(run.recipe),
            recipe_digest: run.recipeDigest,
            inputs: json(run.inputs),
            dataset_version_id: run.datasetVersionId,
            prior_id: run.priorId,
            idempotency_key: run.idempotencyKey,
            fingerprint: run.fingerprint,
            traceparent: run.traceparent,
            priority: run.priority,
            limits: json(run.limits),
            retry_of: run.retriedRunId,
            event_sequence: 1,
          })
          .onConflict((conflict) => conflict.columns(['project_id', 'idempotency_key']).doNothing())
          .returningAll()
          .executeTakeFirst();
        if (!inserted) {
          const winner = await tx
            .selectFrom('runs')
            .selectAll()
            .where('project_id', '=', run.projectId)
            .where('idempotency_key', '=', run.idempotencyKey)
            .executeTakeFirstOrThrow();
          return { run: toRun(winner), created: false };
        }
        await tx
          .insertInto('stages')
          .values(run.stages.map((name, position) => ({ run_id: run.id, name, position, state: 'PENDING' as const })))
          .execute();
        await keepInputs(tx, run);
        const inputs = [...new Set(Object.values(run.inputs))];
        if (inputs.length > 0) {
          await tx
            .insertInto('run_artifacts')
            .values(
              inputs.map((artifact_id) => ({
                run_id: run.id,
                project_id: run.projectId,
                artifact_id,
                direction: 'INPUT' as const,
              })),
            )
            .execute();
        }
        const created = { runId: run.id, sequence: 1, type: 'run.created', payload: { stages: [...run.stages] } };
        await insertEvents(tx, [created], sql`clock_timestamp()`);
        return { run: toRun(inserted), created: true };
      }),

    async findRun(projectId, runId) {
      const row = await db
        .selectFrom('runs')
        .selectAll()
        .where('project_id', '=', projectId)
        .where('id', '=', runId)
        .executeTakeFirst();
      return row ? toRun(row) : null;
    },

    async activeRuns() {
      const rows = await db
        .selectFrom('runs')
        .select('id')
        .where('state', 'in', ['QUEUED', 'RUNNING', 'STOPPING'])
        .orderBy('created_at')
        .orderBy('id')
        .execute();
      return rows.map((row) => row.id);
    },

    snapshot: async (runId) => (await snapshot(runId)) ?? null,
    publishedTasks: (runId) => publishedTasks(db, runId),

    async readyTasks({ limit, exceptArtifacts, exceptProjects }) {
      let query = db
        .selectFrom('tasks')
        .innerJoin('runs', 'runs.id', 'tasks.run_id')
        .innerJoin('projects', 'projects.id', 'runs.project_id')
        .select([
          'tasks.id as taskId',
          'tasks.run_id as runId',
          'runs.project_id as projectId',
          'tasks.spec',
          'tasks.epoch',
          'runs.recipe',
          'runs.traceparent as runTraceparent',
          'projects.max_running_tasks as projectLimit',
        ])
        .where('tasks.state', '=', 'PENDING')
        .where('tasks.not_before', '<=', sql<Date>`clock_timestamp()`)
        .where('runs.state', '=', 'RUNNING')
        .orderBy('runs.priority', 'desc')
        .orderBy('runs.created_at')
        .orderBy('runs.id')
        .orderBy('tasks.index')
        .limit(limit);
      if (exceptProjects.length > 0) query = query.where('runs.project_id', 'not in', [...exceptProjects]);
      if (exceptArtifacts.length > 0) {
        const projects = exceptArtifacts.map(({ projectId }) => projectId);
        const artifacts = exceptArtifacts.map(({ artifactId }) => artifactId);
        query = query.where(
          sql<boolean>`(runs.project_id, tasks.artifact_id) not in (select * from unnest(${projects}::text[], ${artifacts}::text[]))`,
        );
      }
      return (await query.execute()) satisfies ReadyTask[];
    },

    async overdue() {
      const seconds = (name: 'taskSeconds' | 'runSeconds') =>
        sql<Date>`clock_timestamp() - (runs.limits ->> ${sql.lit(name)})::float8 * interval '1 second'`;
      const runs = await db
        .selectFrom('runs')
        .select('id')
        .where('state', '=', 'RUNNING')
        .where('started_at', '<', seconds('runSeconds'))
        .execute();
      const attempts = await db
        .selectFrom('attempts')
        .innerJoin('runs', 'runs.id', 'attempts.run_id')
        .select('attempts.id')
        .where('attempts.state', '=', 'RUNNING')
        .where('attempts.running_at', '<', seconds('taskSeconds'))
        .execute();
      return { runs: runs.map(({ id }) => id), attempts: attempts.map(({ id }) => id) };
    },

    overspent: () => overspentRuns(db),

    async formerArtifacts(projectId, ids) {
      const rows = await db
        .selectFrom('artifacts')
        .select(['id', 'deleted_at', 'deleted_because'])
        .where('project_id', '=', projectId)
        .where('id', '=', sql<string>`any(${[...ids]})`)
        .execute();
      return new Map(
        rows.map((row) => [row.id, { deletedAt: row.deleted_at, deletedBecause: row.deleted_because }] as const),
      );
    },

    async nextReadyInMs() {
      const row = await db
        .selectFrom('tasks')
        .innerJoin('runs', 'runs.id', 'tasks.run_id')
        .select(sql<number | null>`extract(epoch from min(not_before) - clock_timestamp())::float8 * 1000`.as('ms'))
        .where('tasks.state', '=', 'PENDING')
        .where('runs.state', '=', 'RUNNING')
        .where('tasks.not_before', '>', sql<Date>`clock_timestamp()`)
        .executeTakeFirst();
      return typeof row?.ms === 'number' ? Math.max(0, Math.ceil(row.ms)) : null;
    },

    async abandonedAttempts(ownerId) {
      const rows = await attemptRows(db)
        .where('attempts.state', '=', 'RUNNING')
        .where((where) =>
          where.or([where('lease_expires_at', '<', sql<Date>`clock_timestamp()`), where('owner', '!=', ownerId)]),
        )
        .orderBy('attempts.started_at')
        .execute();
      return rows.map(toAttempt);
    },

    async renewLeases(ownerId, attemptIds, leaseMs) {
      if (attemptIds.length === 0) return [];
      const rows = await db
        .updateTable('attempts')
        .set({ lease_expires_at: sql<Date>`clock_timestamp() + ${leaseMs} * interval '1 millisecond'` })
        .where('id', 'in', [...attemptIds])
        .where('owner', '=', ownerId)
        .where('state', '=', 'RUNNING')
        .returning('id')
        .execute();
      return rows.map((row) => row.id);
    },

    change: createChangeGroups(db, objects),
  };
}

/** What a run is launched on stays from here on, since the run is in flight. */
async function keepInputs(tx: Transaction<Database>, { projectId, inputs }: NewRun): Promise<void> {
  const ids = Object.values(inputs);
  await shareBytes(tx, projectId);
  const deleted = await tx
    .selectFrom('artifacts')
    .select('id')
    .where('project_id', '=', projectId)
    .where('id', '=', sql<string>`any(${ids})`)
    .where('state', '=', 'DELETED')
    .executeTakeFirst();
  if (deleted) {
    const role = Object.keys(inputs).find((name) => inputs[name] === deleted.id);
    throw new PushforwardError(
      'ARTIFACT_DELETED',
      `expected artifact ${deleted.id} (${role}) in the store, got one that retention deleted: import or register it again`,
      { artifactId: deleted.id, role },
    );
  }
  await rescue(tx, projectId, ids);
}

function attemptRows(db: Kysely<Database>) {
  return db
    .selectFrom('attempts')
    .innerJoin('runs', 'runs.id', 'attempts.run_id')
    .selectAll('attempts')
    .select(['runs.project_id', leasedSeconds.as('leased_seconds')]);
}

const NO_USAGE: Usage = { allocatedSeconds: 0, peakMemoryBytes: 0, bytesRead: 0, bytesWritten: 0 };

async function publishedTasks(db: Kysely<Database>, runId: string): Promise<Map<string, Published[]>> {
  const rows = await db
    .selectFrom('tasks')
    .innerJoin('runs', 'runs.id', 'tasks.run_id')
    .innerJoin('artifacts', (join) =>
      join.onRef('artifacts.project_id', '=', 'runs.project_id').onRef('artifacts.id', '=', 'tasks.artifact_id'),
    )
    .innerJoin('stages', (join) =>
      join.onRef('stages.run_id', '=', 'tasks.run_id').onRef('stages.name', '=', 'tasks.stage'),
    )
    .select([
      'tasks.stage',
      'tasks.spec',
      'artifacts.manifest',
      'artifacts.usage',
      'artifacts.cost_usd',
      'artifacts.created_at',
    ])
    .where('tasks.run_id', '=', runId)
    .where('tasks.state', '=', 'SUCCEEDED')
    .orderBy('stages.position')
    .orderBy('tasks.index')
    .execute();
  const published = new Map<string, Published[]>();
  for (const row of rows) {
    const of = published.get(row.stage) ?? [];
    const { spec: task, manifest, cost_usd: costUsd, created_at: recordedAt } = row;
    of.push({ task, manifest, usage: row.usage ?? NO_USAGE, costUsd, recordedAt });
    published.set(row.stage, of);
  }
  return published;
}
