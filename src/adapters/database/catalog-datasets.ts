import { type Kysely, type Transaction } from 'kysely';
import { canonicalJson } from '../../base/json.ts';
import { type ImportOrder, type ImportSource, type ProjectCatalog } from '../../control/ports.ts';
import { type StoredObjects } from '../../pipeline/ports.ts';
import { insertArtifacts } from './artifact-writes.ts';
import { olderThan, toPage } from './catalog-paging.ts';
import { toDataset, toDatasetVersion, toImportSource } from './catalog-rows.ts';
import { type Database, json } from './schema.ts';
import { holdUpload } from './upload-moves.ts';

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
export function datasetQueries(db: Kysely<Database>, projectId: string, objects: StoredObjects): DatasetQueries {
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
      const row = await db
        .selectFrom('import_keys as k')
        .innerJoin('dataset_versions as v', 'v.id', 'k.dataset_version_id')
        .innerJoin('datasets as d', 'd.id', 'v.dataset_id')
        .where('k.project_id', '=', projectId)
        .where('k.key', '=', idempotencyKey)
        .select(['v.id', 'k.source', 'd.name'])
        .executeTakeFirst();
      if (!row) return null;
      const [found] = await datasetVersionsById([row.id]);
      return found ? { version: found.version, source: toImportSource(row.source), datasetName: row.name } : null;
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
  const read = (source: ImportSource) =>
    canonicalJson({ path: source.path, classes: source.classes, split: source.split });
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
