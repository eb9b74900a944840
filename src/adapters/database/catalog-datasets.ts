import { type Kysely, type Transaction } from 'kysely';
import { canonicalJson } from '../../base/json.ts';
import { type ImportOrder, type ProjectCatalog } from '../../control/ports.ts';
import { insertArtifact } from './catalog-artifacts.ts';
import { olderThan, toPage } from './catalog-paging.ts';
import { toDataset, toDatasetVersion, toImportSource } from './catalog-rows.ts';
import { type Database, json } from './schema.ts';

type DatasetQueries = Pick<
  ProjectCatalog,
  | 'datasetsById'
  | 'datasetByName'
  | 'datasets'
  | 'datasetVersionsById'
  | 'datasetVersionsByDataset'
  | 'datasetVersionByKey'
  | 'createImport'
  | 'recordImportProgress'
  | 'finishImport'
  | 'failImport'
>;

/**
 * A row of `dataset_versions` is an import, and a version too once it is READY. An import that finds the digest of an
 * earlier version keeps its row, so that its id still answers, but gives its number up for a negative one:
 * `number > 0` are the versions, and a negative row stands for the version of the same dataset and digest.
 */
export function datasetQueries(db: Kysely<Database>, projectId: string): DatasetQueries {
  const versions = () => db.selectFrom('dataset_versions').where('project_id', '=', projectId);
  const datasets = () => db.selectFrom('datasets').where('project_id', '=', projectId);

  const datasetVersionsById: DatasetQueries['datasetVersionsById'] = async (ids) => {
    if (ids.length === 0) return [];
    const rows = await versions()
      .where('id', 'in', [...ids])
      .selectAll()
      .execute();
    const stands = rows.filter((row) => row.number < 0);
    const originals = stands.length
      ? await versions()
          .where('number', '>', 0)
          .where('dataset_id', 'in', [...new Set(stands.map((row) => row.dataset_id))])
          .where('digest', 'in', [...new Set(stands.map((row) => row.digest))])
          .where('state', '=', 'READY')
          .selectAll()
          .execute()
      : [];
    return rows.flatMap((row) => {
      if (row.number > 0) return [{ askedId: row.id, version: toDatasetVersion(row, false) }];
      const original = originals.find((one) => one.dataset_id === row.dataset_id && one.digest === row.digest);
      return original ? [{ askedId: row.id, version: toDatasetVersion(original, true) }] : [];
    });
  };

  return {
    datasetVersionsById,

    async datasetsById(ids) {
      if (ids.length === 0) return [];
      return (
        await datasets()
          .where('id', 'in', [...ids])
          .selectAll()
          .execute()
      ).map(toDataset);
    },

    async datasetByName(name) {
      const row = await datasets().where('name', '=', name).selectAll().executeTakeFirst();
      return row ? toDataset(row) : null;
    },

    async datasets({ first, after }) {
      let query = datasets()
        .selectAll()
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(first + 1);
      if (after !== null) query = query.where(olderThan('datasets', projectId, after));
      return toPage(await query.execute(), first, toDataset);
    },

    async datasetVersionsByDataset(datasetIds) {
      if (datasetIds.length === 0) return [];
      const rows = await versions()
        .where('dataset_id', 'in', [...datasetIds])
        .where('number', '>', 0)
        .selectAll()
        .orderBy('number', 'desc')
        .execute();
      return rows.map((row) => toDatasetVersion(row, false));
    },

    async datasetVersionByKey(idempotencyKey) {
      const row = await versions()
        .where('idempotency_key', '=', idempotencyKey)
        .select(['id', 'dataset_id', 'source'])
        .executeTakeFirst();
      if (!row) return null;
      const [[found], [dataset]] = await Promise.all([
        datasetVersionsById([row.id]),
        datasets().where('id', '=', row.dataset_id).select('name').execute(),
      ]);
      if (!found || !dataset) return null;
      return { version: found.version, source: toImportSource(row.source), datasetName: dataset.name };
    },

    createImport: (order) => db.transaction().execute((tx) => createImport(tx, projectId, order)),

    async recordImportProgress(id, progress) {
      await db
        .updateTable('dataset_versions')
        .set({ progress: json(progress) })
        .where('project_id', '=', projectId)
        .where('id', '=', id)
        .where('state', '=', 'IMPORTING')
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
        const same = await tx
          .selectFrom('dataset_versions')
          .where('dataset_id', '=', row.dataset_id)
          .where('digest', '=', imported.digest)
          .where('state', '=', 'READY')
          .where('number', '>', 0)
          .select('id')
          .executeTakeFirst();
        await insertArtifact(tx, projectId, imported.manifest, row.name);
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
            classes: json(imported.classes),
            artifact_id: imported.manifest.id,
            ended_at: new Date(),
          })
          .where('id', '=', id)
          .execute();
      }),

    async failImport(id, error) {
      await db
        .updateTable('dataset_versions')
        .set({ state: 'FAILED', error: json(error), ended_at: new Date() })
        .where('project_id', '=', projectId)
        .where('id', '=', id)
        .where('state', '=', 'IMPORTING')
        .execute();
    },
  };
}

/** The dataset's row is the lock that numbers its versions one after another. */
async function createImport(
  tx: Transaction<Database>,
  projectId: string,
  order: ImportOrder,
): Promise<{ datasetVersionId: string; created: boolean }> {
  const dataset = await tx
    .insertInto('datasets')
    .values({ id: order.newDatasetId, project_id: projectId, name: order.datasetName })
    // Takes the row's lock even where it is there already.
    .onConflict((conflict) => conflict.columns(['project_id', 'name']).doUpdateSet({ name: order.datasetName }))
    .returning('id')
    .executeTakeFirstOrThrow();
  const earlier = await tx
    .selectFrom('dataset_versions')
    .where('project_id', '=', projectId)
    .where((where) =>
      where.or([
        where('idempotency_key', '=', order.idempotencyKey),
        where.and([where('dataset_id', '=', dataset.id), where('state', '=', 'IMPORTING')]),
      ]),
    )
    .select(['id', 'idempotency_key', 'source'])
    .execute();
  const asked = canonicalJson({ path: order.source.path, classes: order.source.classes });
  const same =
    earlier.find((row) => row.idempotency_key === order.idempotencyKey) ??
    earlier.find((row) => {
      const source = toImportSource(row.source);
      return canonicalJson({ path: source.path, classes: source.classes }) === asked;
    });
  if (same) return { datasetVersionId: same.id, created: false };

  const { last } = await tx
    .selectFrom('dataset_versions')
    .where('dataset_id', '=', dataset.id)
    .where('number', '>', 0)
    .select(({ fn }) => fn.max('number').as('last'))
    .executeTakeFirstOrThrow();
  const inserted = await tx
    .insertInto('dataset_versions')
    .values({
      id: order.datasetVersionId,
      project_id: projectId,
      dataset_id: dataset.id,
      number: (last ?? 0) + 1,
      state: 'IMPORTING',
      source: json(order.source),
      idempotency_key: order.idempotencyKey,
    })
    .onConflict((conflict) => conflict.columns(['project_id', 'idempotency_key']).doNothing())
    .returning('id')
    .executeTakeFirst();
  if (inserted) return { datasetVersionId: inserted.id, created: true };
  // Another dataset's import took the key meanwhile.
  const winner = await tx
    .selectFrom('dataset_versions')
    .where('project_id', '=', projectId)
    .where('idempotency_key', '=', order.idempotencyKey)
    .select('id')
    .executeTakeFirstOrThrow();
  return { datasetVersionId: winner.id, created: false };
}

async function nextStandIn(tx: Transaction<Database>, datasetId: string): Promise<number> {
  const { lowest } = await tx
    .selectFrom('dataset_versions')
    .where('dataset_id', '=', datasetId)
    .select(({ fn }) => fn.min('number').as('lowest'))
    .executeTakeFirstOrThrow();
  return Math.min(lowest ?? 0, 0) - 1;
}
