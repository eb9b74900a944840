import { type Kysely, sql } from 'kysely';
import { type ProjectRetention, type RetentionStore } from '../../control/ports.ts';
import { type StoredObjects } from '../../pipeline/ports.ts';
import { keepArtifact } from './artifact-keeping.ts';
import { toPin } from './catalog-rows.ts';
import { claimPass } from './claim.ts';
import { namingOutages } from './outages.ts';
import { ownBytes } from './project-lock.ts';
import { importing, retentionDeletes } from './retention-deletes.ts';
import { retentionMarks } from './retention-marks.ts';
import { type Database, json, text } from './schema.ts';

/** Control's RetentionStore on Postgres. An outage is DATABASE_UNAVAILABLE. */
export function createRetentionStore(of: {
  db: Kysely<Database>;
  /** The same database: the claim of a pass has a connection of its own. */
  url: string;
  objects: StoredObjects;
}): RetentionStore {
  const { db, url, objects } = of;
  const all: Omit<RetentionStore, 'project'> = {
    async projects() {
      const { rows } = await sql<{ projectId: string; interrupted: boolean }>`
        select project_id as "projectId", bool_or(pending) as interrupted from (
          select project_id, false as pending from retention_policies
          union all select distinct project_id, true from swept_objects where gone_at is null
        ) busy group by project_id order by project_id`.execute(db);
      return rows;
    },
    claimPass: (projectId) => claimPass(url, projectId),
  };
  return {
    ...namingOutages(all),
    project: (projectId) =>
      namingOutages({
        ...policies(db, projectId),
        ...pins(db, projectId),
        ...retentionMarks(db, projectId),
        ...retentionDeletes(db, projectId, objects),
        ...inventory(db, projectId),
      } satisfies ProjectRetention),
  };
}

function policies(db: Kysely<Database>, projectId: string): Pick<ProjectRetention, 'policy' | 'setPolicy'> {
  return {
    async policy() {
      const row = await db
        .selectFrom('retention_policies')
        .selectAll()
        .where('project_id', '=', projectId)
        .executeTakeFirst();
      return row ? { ...row.policy, setBy: row.set_by, setAt: row.set_at } : null;
    },

    setPolicy: (policy, by) =>
      db.transaction().execute(async (tx) => {
        if (policy) {
          const set = { policy: json(policy), set_by: by, set_at: sql<Date>`clock_timestamp()` };
          await tx
            .insertInto('retention_policies')
            .values({ project_id: projectId, ...set })
            .onConflict((conflict) => conflict.column('project_id').doUpdateSet(set))
            .execute();
          return;
        }
        await ownBytes(tx, projectId);
        await tx.deleteFrom('retention_policies').where('project_id', '=', projectId).execute();
        await tx
          .updateTable('artifacts')
          .set({ state: 'KEPT', doomed_at: null, doomed_because: null })
          .where('project_id', '=', projectId)
          .where('state', '=', 'DOOMED')
          .execute();
      }),
  };
}

function pins(db: Kysely<Database>, projectId: string): Pick<ProjectRetention, 'pin' | 'unpin'> {
  return {
    pin: (artifactId, note, by) =>
      db.transaction().execute(async (tx) => {
        if (!(await keepArtifact(tx, projectId, artifactId, { purpose: 'pin it', path: ['id'] }))) return null;
        const set = { note: text(note), pinned_by: by, pinned_at: sql<Date>`clock_timestamp()` };
        const row = await tx
          .insertInto('artifact_pins')
          .values({ project_id: projectId, artifact_id: artifactId, ...set })
          .onConflict((conflict) => conflict.columns(['project_id', 'artifact_id']).doUpdateSet(set))
          .returningAll()
          .executeTakeFirstOrThrow();
        return toPin(row);
      }),

    async unpin(artifactId) {
      await db
        .deleteFrom('artifact_pins')
        .where('project_id', '=', projectId)
        .where('artifact_id', '=', artifactId)
        .execute();
      const artifact = await db
        .selectFrom('artifacts')
        .select('id')
        .where('project_id', '=', projectId)
        .where('id', '=', artifactId)
        .executeTakeFirst();
      return artifact !== undefined;
    },
  };
}

function inventory(
  db: Kysely<Database>,
  projectId: string,
): Pick<
  ProjectRetention,
  'lastSweep' | 'swept' | 'importing' | 'attemptsSince' | 'manifests' | 'blobs' | 'uploadFiles'
> {
  return {
    async lastSweep() {
      const row = await db
        .selectFrom('retention_sweeps')
        .select('swept_at')
        .where('project_id', '=', projectId)
        .executeTakeFirst();
      return row?.swept_at ?? null;
    },

    async swept(at) {
      await db
        .insertInto('retention_sweeps')
        .values({ project_id: projectId, swept_at: at })
        .onConflict((conflict) => conflict.column('project_id').doUpdateSet({ swept_at: at }))
        .execute();
    },

    importing: () => importing(db, projectId),

    async attemptsSince() {
      const row = await db
        .selectFrom('attempts as a')
        .innerJoin('runs as r', 'r.id', 'a.run_id')
        .where('r.project_id', '=', projectId)
        .where('a.state', '=', 'RUNNING')
        .select((of) => of.fn.min('a.started_at').as('since'))
        .executeTakeFirstOrThrow();
      return row.since;
    },

    async manifests(after, limit) {
      const { rows } = await sql<{ id: string }>`
        select id from artifacts
        where project_id = ${projectId} and state <> 'DELETED' and id collate "C" > ${after}
        order by id collate "C" limit ${limit}`.execute(db);
      return rows.map(({ id }) => id);
    },

    async blobs(after, limit) {
      const { rows } = await sql<{ sha256: string; bytes: number }>`
        select sha256, max(bytes) as bytes from blob_references
        where project_id = ${projectId} and sha256 > ${after}
        group by sha256 order by sha256 limit ${limit}`.execute(db);
      return rows;
    },

    async uploadFiles(after, limit) {
      const { rows } = await sql<{ name: string; bytes: number; complete: boolean }>`
        select name, bytes, complete from (
          select (u.id || '/' || f.path) collate "C" as name, f.bytes,
            f.complete and u.state in ('OPEN', 'READY') as complete
          from uploads u join upload_files f on f.upload_id = u.id
          where u.project_id = ${projectId} and u.freed_at is null
        ) files
        where name > ${after} order by name limit ${limit}`.execute(db);
      return rows;
    },
  };
}
