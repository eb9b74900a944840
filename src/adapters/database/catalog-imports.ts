import { type Kysely, sql, type Transaction } from 'kysely';
import { canonicalJson } from '../../base/json.ts';
import { type ImportOrder, type ImportSource, type ProjectCatalog } from '../../control/ports.ts';
import { type StoredObjects } from '../../pipeline/ports.ts';
import { insertArtifacts } from './artifact-writes.ts';
import { toImportSource } from './catalog-rows.ts';
import { insertProjectEvent } from './event-writes.ts';
import { holdPlace, matchUpstreams } from './catalog-upstreams.ts';
import { type Database, json } from './schema.ts';
import { holdUpload } from './upload-moves.ts';

type ImportQueries = Pick<
  ProjectCatalog,
  'createImport' | 'recordImportDeaths' | 'recordImportProgress' | 'finishImport' | 'failImport'
>;

/** What an import writes; its row is one of `dataset_versions`, see `datasetQueries`. */
export function importQueries(db: Kysely<Database>, projectId: string, objects: StoredObjects): ImportQueries {
  const pending = (id: string) =>
    db
      .updateTable('dataset_versions')
      .where('project_id', '=', projectId)
      .where('id', '=', id)
      .where('state', '=', 'IMPORTING');

  return {
    createImport: (order) => db.transaction().execute((tx) => createImport(tx, projectId, order)),

    async recordImportDeaths(id, deaths) {
      const { numUpdatedRows } = await pending(id).set({ deaths }).executeTakeFirstOrThrow();
      return numUpdatedRows > 0n;
    },

    async recordImportProgress(id, progress) {
      await pending(id)
        .set({ progress: json(progress) })
        .execute();
    },

    finishImport: (id, imported) =>
      db.transaction().execute(async (tx) => {
        const row = await tx
          .selectFrom('dataset_versions as v')
          .innerJoin('datasets as d', 'd.id', 'v.dataset_id')
          .where('v.project_id', '=', projectId)
          .where('v.id', '=', id)
          .where('v.state', '=', 'IMPORTING')
          .select(['v.id', 'v.dataset_id', 'v.number', 'v.source', 'd.name'])
          .forUpdate()
          .executeTakeFirst();
        if (!row) return;
        const { path } = toImportSource(row.source);
        await holdPlace(tx, projectId, path);
        const same = await tx
          .selectFrom('dataset_versions')
          .where('dataset_id', '=', row.dataset_id)
          .where('digest', '=', imported.digest)
          .where('state', '=', 'READY')
          .where('number', '>', 0)
          .select(['id', 'number'])
          .executeTakeFirst();
        await insertArtifacts(tx, { projectId }, [{ manifest: imported.manifest, title: row.name }], objects);
        // The same images may lie elsewhere now: the version reads them from where they were seen last.
        if (same) {
          await tx
            .updateTable('dataset_versions')
            .set({ artifact_id: imported.manifest.id, source: json(row.source) })
            .where('id', '=', same.id)
            .execute();
        }
        await tx
          .updateTable('dataset_versions')
          .set({
            state: 'READY',
            number: same ? await nextStandIn(tx, row.dataset_id) : row.number,
            digest: imported.digest,
            images: imported.images,
            new_images: imported.newImages,
            classes: json(imported.classes),
            artifact_id: imported.manifest.id,
            ended_at: sql<Date>`clock_timestamp()`,
          })
          .where('id', '=', id)
          .execute();
        await matchUpstreams(tx, projectId, path);
        await insertProjectEvent(tx, projectId, {
          ...{ type: 'datasetVersion.ready', subject: row.dataset_id },
          payload: {
            ...{ dataset: row.name, datasetId: row.dataset_id, reused: same !== undefined },
            ...{ datasetVersionId: same?.id ?? id, number: same?.number ?? row.number, digest: imported.digest },
            ...{ images: imported.images, classes: imported.classes.length },
          },
        });
      }),

    failImport: (id, error) =>
      db.transaction().execute(async (tx) => {
        const failed = await tx
          .updateTable('dataset_versions as v')
          .from('datasets as d')
          .whereRef('d.id', '=', 'v.dataset_id')
          .where('v.project_id', '=', projectId)
          .where('v.id', '=', id)
          .where('v.state', '=', 'IMPORTING')
          .set({ state: 'FAILED', error: json(error), ended_at: new Date() })
          .returning(['v.dataset_id', 'v.number', 'd.name'])
          .executeTakeFirst();
        if (!failed) return;
        await insertProjectEvent(tx, projectId, {
          ...{ type: 'datasetVersion.failed', subject: failed.dataset_id },
          payload: {
            ...{ dataset: failed.name, datasetId: failed.dataset_id, datasetVersionId: id, number: failed.number },
            error: { code: error.code, message: error.message },
          },
        });
      }),
  };
}

/**
 * Takes the key first: whoever comes second with it waits here, then finds what the first one got. The dataset's row is the
 * lock that numbers its versions one after another.
 */
async function createImport(
  tx: Transaction<Database>,
  projectId: string,
  order: ImportOrder,
): Promise<{ datasetVersionId: string; created: boolean }> {
  const keys = () => ({ project_id: projectId, key: order.idempotencyKey });
  const taken = await tx
    .insertInto('import_keys')
    .values({ ...keys(), dataset_version_id: order.datasetVersionId, source: json(order.source) })
    .onConflict((conflict) => conflict.columns(['project_id', 'key']).doNothing())
    .returning('key')
    .executeTakeFirst();
  if (!taken) {
    const earlier = await tx
      .selectFrom('import_keys')
      .where((where) => where.and(keys()))
      .select('dataset_version_id')
      .executeTakeFirstOrThrow();
    return { datasetVersionId: earlier.dataset_version_id, created: false };
  }
  if (order.uploadId !== null) await holdUpload(tx, projectId, order.uploadId);

  const dataset = await tx
    .insertInto('datasets')
    .values({ id: order.newDatasetId, project_id: projectId, name: order.datasetName })
    // Takes the row's lock even where it is there already.
    .onConflict((conflict) => conflict.columns(['project_id', 'name']).doUpdateSet({ name: order.datasetName }))
    .returning('id')
    .executeTakeFirstOrThrow();
  const underWay = await tx
    .selectFrom('dataset_versions')
    .where('dataset_id', '=', dataset.id)
    .where('state', '=', 'IMPORTING')
    .select(['id', 'source'])
    .execute();
  const read = (source: ImportSource) => canonicalJson({ ...source, asked: null });
  const joined = underWay.find((row) => read(toImportSource(row.source)) === read(order.source));
  if (joined) {
    await tx
      .updateTable('import_keys')
      .set({ dataset_version_id: joined.id })
      .where((where) => where.and(keys()))
      .execute();
    return { datasetVersionId: joined.id, created: false };
  }

  const { last } = await tx
    .selectFrom('dataset_versions')
    .where('dataset_id', '=', dataset.id)
    .where('number', '>', 0)
    .select(({ fn }) => fn.max('number').as('last'))
    .executeTakeFirstOrThrow();
  await tx
    .insertInto('dataset_versions')
    .values({
      id: order.datasetVersionId,
      project_id: projectId,
      dataset_id: dataset.id,
      number: (last ?? 0) + 1,
      state: 'IMPORTING',
      source: json(order.source),
    })
    .execute();
  return { datasetVersionId: order.datasetVersionId, created: true };
}

async function nextStandIn(tx: Transaction<Database>, datasetId: string): Promise<number> {
  const { lowest } = await tx
    .selectFrom('dataset_versions')
    .where('dataset_id', '=', datasetId)
    .select(({ fn }) => fn.min('number').as('lowest'))
    .executeTakeFirstOrThrow();
  return Math.min(lowest ?? 0, 0) - 1;
}
