import { type Kysely, sql } from 'kysely';
import { type ProjectCatalog } from '../../control/ports.ts';
import { olderThan, toPage } from './catalog-paging.ts';
import { toDataset, toDatasetVersion, toImportSource } from './catalog-rows.ts';
import { type Database } from './schema.ts';

type DatasetQueries = Pick<
  ProjectCatalog,
  | 'datasetsById'
  | 'datasetByName'
  | 'datasets'
  | 'datasetVersionsById'
  | 'versionsOfDatasets'
  | 'newestVersions'
  | 'datasetVersionByKey'
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

    /** One query for many pages: each dataset asked for brings its own position and length. */
    async versionsOfDatasets(requests) {
      if (requests.length === 0) return [];
      const rows = await db
        .selectFrom(
          sql<{ dataset_id: string; before: number | null; first: number }>`unnest(
            ${requests.map((one) => one.datasetId)}::text[],
            ${requests.map((one) => one.before)}::integer[],
            ${requests.map((one) => one.first)}::integer[]
          )`.as<'k'>(sql`k(dataset_id, before, first)`),
        )
        .innerJoinLateral(
          () =>
            versions()
              .whereRef('dataset_versions.dataset_id', '=', sql`k.dataset_id`)
              .where('number', '>', 0)
              .where(sql<boolean>`number < coalesce(k.before, 2147483647)`)
              .selectAll()
              .orderBy('number', 'desc')
              .limit(sql<number>`k.first`)
              .as('v'),
          (join) => join.onTrue(),
        )
        .selectAll('v')
        .orderBy('v.number', 'desc')
        .execute();
      // Two pages of one dataset may overlap.
      return [...new Map(rows.map((row) => [row.id, toDatasetVersion(row, false)])).values()];
    },

    async newestVersions(datasetIds) {
      if (datasetIds.length === 0) return [];
      const rows = await versions()
        .where('dataset_id', 'in', [...datasetIds])
        .where('number', '>', 0)
        .where('state', '=', 'READY')
        .distinctOn('dataset_id')
        .selectAll()
        .orderBy('dataset_id')
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
  };
}
