import { type Kysely } from 'kysely';
import { type Catalog, type ProjectCatalog } from '../../control/ports.ts';
import { type StoredObjects } from '../../pipeline/ports.ts';
import { aliasQueries } from './catalog-aliases.ts';
import { artifactQueries } from './catalog-artifacts.ts';
import { projectEventQueries } from './catalog-events.ts';
import { costQueries } from './catalog-costs.ts';
import { datasetQueries } from './catalog-datasets.ts';
import { eventSourceQueries } from './catalog-event-sources.ts';
import { importQueries } from './catalog-imports.ts';
import { lineageQueries } from './catalog-lineage.ts';
import { priorQueries } from './catalog-priors.ts';
import { projectQueries } from './catalog-projects.ts';
import { runQueries } from './catalog-runs.ts';
import { toImportSource } from './catalog-rows.ts';
import { triggerQueries } from './catalog-triggers.ts';
import { uploadQueries } from './catalog-uploads.ts';
import { upstreamQueries } from './catalog-upstreams.ts';
import { webhookQueries } from './catalog-webhooks.ts';
import { ping } from './connection.ts';
import { namingOutages } from './outages.ts';
import { type Database } from './schema.ts';
import { overdue } from './upload-moves.ts';

/** What the API reads, and the rows of datasets and priors. Runs are written by runs.ts alone. An outage is DATABASE_UNAVAILABLE. */
export function createCatalog(db: Kysely<Database>, objects: StoredObjects): Catalog {
  return { ...namingOutages(rowsOfAll(db)), project: (projectId) => namingOutages(rowsOf(db, projectId, objects)) };
}

function rowsOfAll(db: Kysely<Database>): Omit<Catalog, 'project'> {
  return {
    ping: () => ping(db),

    async ensureProject(project) {
      await db
        .insertInto('projects')
        .values(project)
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    },

    async pendingImports() {
      const rows = await db
        .selectFrom('dataset_versions as v')
        .innerJoin('datasets as d', 'd.id', 'v.dataset_id')
        .where('v.state', '=', 'IMPORTING')
        .select(['v.id', 'v.project_id', 'v.source', 'v.dataset_id', 'v.deaths', 'd.name'])
        .orderBy('v.created_at')
        .orderBy('v.id')
        .execute();
      return rows.map((row) => ({
        projectId: row.project_id,
        datasetVersionId: row.id,
        datasetId: row.dataset_id,
        datasetName: row.name,
        source: toImportSource(row.source),
        deaths: row.deaths,
      }));
    },

    async overdueUploads(now, after, first) {
      const rows = await db
        .selectFrom('uploads')
        .where(overdue(now))
        .where('id', '>', after)
        .select(['id', 'project_id'])
        .orderBy('id')
        .limit(first)
        .execute();
      return rows.map((row) => ({ projectId: row.project_id, uploadId: row.id }));
    },
  };
}

function rowsOf(db: Kysely<Database>, projectId: string, objects: StoredObjects): ProjectCatalog {
  return {
    ...projectQueries(db, projectId),
    ...datasetQueries(db, projectId),
    ...importQueries(db, projectId, objects),
    ...priorQueries(db, projectId, objects),
    ...runQueries(db, projectId),
    ...artifactQueries(db, projectId),
    ...aliasQueries(db, projectId),
    ...projectEventQueries(db, projectId),
    ...lineageQueries(db, projectId),
    ...costQueries(db, projectId),
    ...triggerQueries(db, projectId),
    ...eventSourceQueries(db, projectId),
    ...uploadQueries(db, projectId),
    ...upstreamQueries(db, projectId),
    ...webhookQueries(db, projectId),
  };
}
