import { type Kysely, sql, type Transaction } from 'kysely';
import { newId } from '../../base/ids.ts';
import { byCodeUnit } from '../../base/order.ts';
import { type Held, type OrphanBlob, type ProjectRetention } from '../../control/ports.ts';
import { type StoredObjects } from '../../pipeline/ports.ts';
import { ownBytes } from './project-lock.ts';
import { inFlight, taskTargets } from './retention-candidates.ts';
import { chunks, type Database, text } from './schema.ts';

type Tx = Transaction<Database>;
type Deletes = Pick<
  ProjectRetention,
  'deleteDoomed' | 'invalidate' | 'condemnOrphans' | 'takeInterrupted' | 'confirmGone' | 'forgetGone'
>;

/** Decisions to delete. The objects themselves are deleted by control, after each was committed. */
export function retentionDeletes(db: Kysely<Database>, projectId: string, objects: StoredObjects): Deletes {
  const condemn = async (tx: Tx, sweep: string, keys: readonly string[]): Promise<string[]> => {
    const taken: string[] = [];
    const set = { sweep, condemned_at: sql<Date>`clock_timestamp()` };
    for (const some of chunks(keys)) {
      const rows = await tx
        .insertInto('swept_objects')
        .values(some.map((key) => ({ project_id: projectId, key, ...set })))
        // One that is being deleted already is left to whoever deletes it.
        .onConflict((conflict) =>
          conflict
            .columns(['project_id', 'key'])
            .doUpdateSet({ ...set, gone_at: null })
            .where('swept_objects.gone_at', 'is not', null),
        )
        .returning('key')
        .execute();
      taken.push(...rows.map(({ key }) => key));
    }
    return taken;
  };

  /** Of artifacts that were made DELETED in this transaction: their manifests, and the blobs that no other one names. */
  const condemnArtifacts = async (tx: Tx, ids: readonly string[]) => {
    const sweep = newId('sweep');
    if (ids.length === 0) return { sweep, keys: [], artifacts: 0, bytes: 0 };
    const named = await tx
      .deleteFrom('blob_references')
      .where('project_id', '=', projectId)
      .where('artifact_id', '=', sql<string>`any(${[...ids]})`)
      .returning(['sha256', 'bytes'])
      .execute();
    const manifestKeys = ids.map((id) => objects.manifestKey(projectId, id));
    const free = await unnamed(tx, projectId, [...new Map(named.map((one) => [one.sha256, one])).values()]);
    const blobKeys = free.map(({ sha256 }) => objects.blobKey(projectId, sha256));
    const keys = [...(await condemn(tx, sweep, manifestKeys)), ...(await condemn(tx, sweep, blobKeys))];
    return { sweep, keys, artifacts: ids.length, bytes: free.reduce((sum, { bytes }) => sum + bytes, 0) };
  };

  return {
    deleteDoomed: (doomedBefore, now, limit) =>
      db.transaction().execute(async (tx) => {
        await ownBytes(tx, projectId);
        // What is needed was rescued when it came to be; pins, aliases, runs and tasks are asked for all the same.
        const { rows } = await sql<{ id: string }>`
          update artifacts a set state = 'DELETED', deleted_at = ${now}
          where a.project_id = ${projectId} and a.id in (
            select d.id from artifacts d
            where d.project_id = ${projectId} and d.state = 'DOOMED' and d.doomed_at <= ${doomedBefore}
              -- Not as anti-joins, which would look at all of them before the first.
              and not (
                exists (select 1 from artifact_holds h where h.project_id = d.project_id and h.artifact_id = d.id)
                or exists (
                  select 1 from run_artifacts ra where ra.project_id = d.project_id and ra.artifact_id = d.id
                    and ra.run_id in (${inFlight(projectId)})
                )
                or d.id in (${taskTargets(projectId)})
              )
            order by d.doomed_at, d.id limit ${limit}
          )
          returning a.id`.execute(tx);
        return await condemnArtifacts(
          tx,
          rows.map(({ id }) => id),
        );
      }),

    invalidate: (ids, because, now) =>
      db.transaction().execute(async (tx) => {
        await ownBytes(tx, projectId);
        const held = await heldOf(tx, projectId, ids);
        if (held) return { held };
        const rows = await tx
          .updateTable('artifacts')
          .set({ state: 'DELETED', deleted_at: now, deleted_because: text(because) })
          .where('project_id', '=', projectId)
          .where('id', '=', sql<string>`any(${[...ids]})`)
          .where('state', '!=', 'DELETED')
          .returning('id')
          .execute();
        return await condemnArtifacts(
          tx,
          rows.map(({ id }) => id),
        );
      }),

    condemnOrphans: (orphans) =>
      db.transaction().execute(async (tx) => {
        await ownBytes(tx, projectId);
        const sweep = newId('sweep');
        if (orphans.kind === 'blobs') {
          const free = (await importing(tx, projectId)) ? [] : await unnamed(tx, projectId, orphans.blobs);
          const keys = free.map(({ sha256 }) => objects.blobKey(projectId, sha256));
          return { sweep, keys: await condemn(tx, sweep, keys) };
        }
        const { rows } = await sql<{ id: string }>`
          select o.id from unnest(${[...orphans.ids]}::text[]) as o(id)
          where not exists (
              select 1 from artifacts a where a.project_id = ${projectId} and a.id = o.id and a.state <> 'DELETED'
            )
            and o.id not in (${taskTargets(projectId)})`.execute(tx);
        const keys = rows.map(({ id }) => objects.manifestKey(projectId, id));
        return { sweep, keys: await condemn(tx, sweep, keys) };
      }),

    async takeInterrupted(afterMs, limit) {
      const sweep = newId('sweep');
      const { rows } = await sql<{ key: string }>`
        update swept_objects set condemned_at = clock_timestamp(), sweep = ${sweep}
        where project_id = ${projectId} and key in (
          select key from swept_objects
          where project_id = ${projectId} and gone_at is null
            and condemned_at <= clock_timestamp() - ${afterMs} * interval '1 millisecond'
          order by condemned_at, key limit ${limit} for update skip locked
        )
        returning key`.execute(db);
      // `artifacts/` before `blobs/`.
      return { sweep, keys: rows.map(({ key }) => key).sort(byCodeUnit) };
    },

    async confirmGone(sweep, keys) {
      await db
        .updateTable('swept_objects')
        .set({ gone_at: sql<Date>`clock_timestamp()` })
        .where('project_id', '=', projectId)
        .where('key', '=', sql<string>`any(${[...keys]})`)
        .where('sweep', '=', sweep)
        .execute();
    },

    async forgetGone(afterMs) {
      await db
        .deleteFrom('swept_objects')
        .where('project_id', '=', projectId)
        .where('gone_at', '<', sql<Date>`clock_timestamp() - ${afterMs} * interval '1 millisecond'`)
        .execute();
    },
  };
}

/** The first of these that cannot go, in their order, and why. */
async function heldOf(tx: Tx, projectId: string, ids: readonly string[]): Promise<Held | null> {
  const { rows } = await sql<Held>`
    select asked.id as "artifactId", case
        when a.id is null then 'NOBODY_KNOWS'
        when a.kind in ('datasetVersion', 'prior') then 'SOURCE'
        when h.by is not null then h.by
        else 'RUN'
      end as by
    from unnest(${[...ids]}::text[]) with ordinality as asked(id, place)
      left join artifacts a on a.project_id = ${projectId} and a.id = asked.id
      left join artifact_holds h on h.project_id = ${projectId} and h.artifact_id = asked.id
    where a.id is null or a.kind in ('datasetVersion', 'prior') or h.by is not null
      or exists (
        select 1 from run_artifacts ra where ra.project_id = ${projectId} and ra.artifact_id = asked.id
          and ra.run_id in (${inFlight(projectId)})
      )
      or asked.id in (${taskTargets(projectId)})
    order by asked.place limit 1`.execute(tx);
  return rows[0] ?? null;
}

export async function importing(db: Kysely<Database>, projectId: string): Promise<boolean> {
  const row = await db
    .selectFrom('dataset_versions')
    .select('id')
    .where('project_id', '=', projectId)
    .where('state', '=', 'IMPORTING')
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/**
 * Those that no artifact names, nor one that was DELETED and that a task in flight makes again: it would find its blobs
 * there and rely on them. Another task that comes to the same bytes may rely on them too; what it publishes is then
 * found wanting, and it is tried again.
 */
async function unnamed(tx: Tx, projectId: string, blobs: readonly OrphanBlob[]): Promise<OrphanBlob[]> {
  const digests = blobs.map(({ sha256 }) => sha256);
  const { rows } = await sql<{ sha256: string }>`
    select b.sha256 from unnest(${digests}::text[]) as b(sha256)
    where not exists (select 1 from blob_references r where r.project_id = ${projectId} and r.sha256 = b.sha256)
      and not exists (
        select 1 from tasks t
          join artifacts a on a.project_id = ${projectId} and a.id = t.artifact_id and a.state = 'DELETED',
          jsonb_each(a.manifest -> 'blobs') named
        where t.state in ('PENDING', 'RUNNING') and t.run_id in (${inFlight(projectId)})
          and named.value ->> 'sha256' = b.sha256
      )`.execute(tx);
  const free = new Set(rows.map((row) => row.sha256));
  return blobs.filter(({ sha256 }) => free.has(sha256));
}
