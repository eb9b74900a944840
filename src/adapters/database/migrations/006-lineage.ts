import { type Kysely, sql } from 'kysely';

/** Lineage walks from any node both ways, and meets neighbours in the order of their ids. */
export async function up(db: Kysely<unknown>): Promise<void> {
  await sql`
    create index dataset_versions_by_artifact on dataset_versions (project_id, artifact_id, id);
    create index priors_by_artifact on priors (project_id, artifact_id, id);

    drop index runs_by_dataset_version;
    create index runs_by_dataset_version on runs (dataset_version_id, id);
    create index runs_by_prior on runs (prior_id, id);

    drop index run_artifacts_back;
    create index run_artifacts_back on run_artifacts (project_id, artifact_id, direction, run_id);
  `.execute(db);
}
