import { sql, type Transaction } from 'kysely';
import { PushforwardError } from '../../base/errors.ts';
import { type ArtifactManifest, type NewArtifact } from '../../engine/ports.ts';
import { type StoredObjects } from '../../pipeline/ports.ts';
import { shareBytes } from './project-lock.ts';
import { chunks, json, text, type Database } from './schema.ts';

type Tx = Transaction<Database>;

/**
 * Rows of what was published, what it was made from and which blobs it names. One that is there stays as it is, but for
 * who made it; one that was DOOMED is rescued with all that it was made from, one that was DELETED lives again.
 *
 * The caller has seen manifest and blobs in the store, at some moment before. That they are there still, and stay, follows
 * from the lock that is shared here: who deletes bytes first writes, under the same lock alone, which (`swept_objects`),
 * and never condemns what a row names.
 *
 * @throws STORE_UNAVAILABLE where some of it is being deleted, or was since the caller saw it: to be looked up again
 */
export async function insertArtifacts(
  tx: Tx,
  by: { projectId: string; id?: string },
  artifacts: readonly (Pick<NewArtifact, 'manifest' | 'title'> & Partial<NewArtifact>)[],
  objects: StoredObjects,
): Promise<void> {
  const { projectId } = by;
  await shareBytes(tx, projectId);
  // One statement may not meet a row twice.
  for (const some of chunks([...new Map(artifacts.map((one) => [one.manifest.id, one])).values()])) {
    const manifests = some.map(({ manifest }) => manifest);
    await refuseSwept(tx, projectId, manifests, objects);
    await insertRows(tx, by, some);
    await insertEdges(tx, projectId, manifests);
    await insertReferences(tx, projectId, manifests);
    await rescue(
      tx,
      projectId,
      manifests.flatMap(({ id, inputs }) => [id, ...inputs]),
    );
  }
}

/**
 * DOOMED artifacts of these become KEPT, and all that they were made from: a kept artifact never needs one that is to
 * go. Asked under the project's lock.
 * @returns how many were rescued
 */
export async function rescue(tx: Tx, projectId: string, ids: readonly string[]): Promise<number> {
  // A DELETED one may stand between what is kept and what is doomed.
  const from = await tx
    .selectFrom('artifacts')
    .select('id')
    .where('project_id', '=', projectId)
    .where('state', '!=', 'KEPT')
    .where('id', '=', sql<string>`any(${[...new Set(ids)]})`)
    .execute();
  if (from.length === 0) return 0;
  // In one order, so that two who rescue do not wait for each other.
  const { rows } = await sql<{ id: string }>`
    with recursive needed(id) as (
      select unnest(${from.map(({ id }) => id)}::text[])
      union
      select i.input_id from artifact_inputs i join needed n on n.id = i.artifact_id where i.project_id = ${projectId}
    )
    select id from artifacts
    where project_id = ${projectId} and state = 'DOOMED' and id in (select id from needed)
    order by id for update`.execute(tx);
  await tx
    .updateTable('artifacts')
    .set({ state: 'KEPT', doomed_at: null, doomed_because: null })
    .where('project_id', '=', projectId)
    .where('id', '=', sql<string>`any(${rows.map(({ id }) => id)})`)
    .execute();
  return rows.length;
}

async function refuseSwept(
  tx: Tx,
  projectId: string,
  manifests: readonly ArtifactManifest[],
  objects: StoredObjects,
): Promise<void> {
  const bytesOf = new Map<string, number | null>();
  for (const { id, blobs } of manifests) {
    bytesOf.set(objects.manifestKey(projectId, id), null);
    for (const blob of Object.values(blobs)) bytesOf.set(objects.blobKey(projectId, blob.sha256), blob.bytes);
  }
  const swept = await tx
    .selectFrom('swept_objects')
    .select(['key', 'gone_at'])
    .where('project_id', '=', projectId)
    .where('key', '=', sql<string>`any(${[...bytesOf.keys()]})`)
    .execute();
  for (const { key, gone_at } of swept) {
    const there = gone_at === null ? null : await objects.bytesOf(key);
    const expected = bytesOf.get(key) ?? there;
    if (there !== null && there === expected) continue;
    throw new PushforwardError(
      'STORE_UNAVAILABLE',
      `expected ${key} to stay in the store, got it deleted by retention: it is looked up again; where that does not happen by itself, ask again`,
      { key, swept: true },
    );
  }
  // Written anew since they were gone.
  if (swept.length === 0) return;
  await tx
    .deleteFrom('swept_objects')
    .where('project_id', '=', projectId)
    .where('key', '=', sql<string>`any(${swept.map(({ key }) => key)})`)
    .execute();
}

async function insertRows(
  tx: Tx,
  by: { projectId: string; id?: string },
  artifacts: Parameters<typeof insertArtifacts>[2],
): Promise<void> {
  await tx
    .insertInto('artifacts')
    .values(
      artifacts.map(({ manifest, title, taskId, made }) => ({
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
          created_at: of.ref('excluded.created_at'),
          // The same but for one that was DELETED, which may have been made elsewhere this time.
          bytes: of.ref('excluded.bytes'),
          manifest: of.ref('excluded.manifest'),
          state: 'KEPT',
          doomed_at: null,
          doomed_because: null,
          deleted_at: null,
          deleted_because: null,
        }))
        .where((where) =>
          where.or([
            where('artifacts.state', '=', 'DELETED'),
            where.and([where('artifacts.run_id', 'is', null), where('excluded.run_id', 'is not', null)]),
          ]),
        ),
    )
    .execute();
}

async function insertEdges(tx: Tx, projectId: string, manifests: readonly ArtifactManifest[]): Promise<void> {
  const edges = manifests.flatMap(({ id, inputs }) =>
    [...new Set(inputs)].map((input_id) => ({ project_id: projectId, artifact_id: id, input_id })),
  );
  for (const some of chunks(edges)) {
    await tx
      .insertInto('artifact_inputs')
      .values(some)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

async function insertReferences(tx: Tx, projectId: string, manifests: readonly ArtifactManifest[]): Promise<void> {
  const references = manifests.flatMap(({ id, blobs }) =>
    Object.values(blobs).map(({ sha256, bytes }) => ({ project_id: projectId, artifact_id: id, sha256, bytes })),
  );
  for (const some of chunks(references)) {
    await tx
      .insertInto('blob_references')
      .values(some)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}
