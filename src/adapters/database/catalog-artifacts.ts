import { type Kysely, sql } from 'kysely';
import { type ProjectCatalog } from '../../control/ports.ts';
import { toArtifact, toPin } from './catalog-rows.ts';
import { toRunView } from './run-rows.ts';
import { type Database } from './schema.ts';

type ArtifactQueries = Pick<
  ProjectCatalog,
  | 'artifactsById'
  | 'artifactsByRun'
  | 'inputsOfArtifacts'
  | 'usersOfArtifacts'
  | 'runsUsingArtifacts'
  | 'pinsOfArtifacts'
>;

export function artifactQueries(db: Kysely<Database>, projectId: string): ArtifactQueries {
  return {
    async artifactsById(ids, kinds) {
      if (ids.length === 0 || kinds?.length === 0) return [];
      let query = db
        .selectFrom('artifacts')
        .where('project_id', '=', projectId)
        .where('id', '=', sql<string>`any(${[...ids]})`)
        .selectAll();
      if (kinds) query = query.where('kind', 'in', [...kinds]);
      return (await query.execute()).map(toArtifact);
    },

    async artifactsByRun(runIds, direction, kinds) {
      if (runIds.length === 0 || kinds?.length === 0) return [];
      let query = db
        .selectFrom('run_artifacts as r')
        .innerJoin('artifacts as a', (join) =>
          join.onRef('a.project_id', '=', 'r.project_id').onRef('a.id', '=', 'r.artifact_id'),
        )
        .where('r.project_id', '=', projectId)
        .where('r.run_id', 'in', [...runIds])
        .where('r.direction', '=', direction)
        .selectAll('a')
        .select('r.run_id as used_by')
        .orderBy('a.created_at')
        .orderBy('a.id');
      if (kinds) query = query.where('a.kind', 'in', [...kinds]);
      return (await query.execute()).map((row) => ({ runId: row.used_by, artifact: toArtifact(row) }));
    },

    async inputsOfArtifacts(ids) {
      if (ids.length === 0) return [];
      const rows = await db
        .selectFrom('artifact_inputs as i')
        .innerJoin('artifacts as a', (join) =>
          join.onRef('a.project_id', '=', 'i.project_id').onRef('a.id', '=', 'i.input_id'),
        )
        .where('i.project_id', '=', projectId)
        .where('i.artifact_id', 'in', [...ids])
        .selectAll('a')
        .select('i.artifact_id as made')
        .orderBy('a.created_at')
        .orderBy('a.id')
        .execute();
      return rows.map((row) => ({ artifactId: row.made, input: toArtifact(row) }));
    },

    async usersOfArtifacts(ids) {
      if (ids.length === 0) return [];
      const rows = await db
        .selectFrom('artifact_inputs as i')
        .innerJoin('artifacts as a', (join) =>
          join.onRef('a.project_id', '=', 'i.project_id').onRef('a.id', '=', 'i.artifact_id'),
        )
        .where('i.project_id', '=', projectId)
        .where('i.input_id', 'in', [...ids])
        .selectAll('a')
        .select('i.input_id as used')
        .orderBy('a.created_at')
        .orderBy('a.id')
        .execute();
      return rows.map((row) => ({ artifactId: row.used, user: toArtifact(row) }));
    },

    async runsUsingArtifacts(ids) {
      if (ids.length === 0) return [];
      const rows = await db
        .selectFrom('run_artifacts as r')
        .innerJoin('runs', 'runs.id', 'r.run_id')
        .where('runs.project_id', '=', projectId)
        .where('r.project_id', '=', projectId)
        .where('r.artifact_id', 'in', [...ids])
        .where('r.direction', '=', 'INPUT')
        .selectAll('runs')
        .select('r.artifact_id as used')
        .orderBy('runs.created_at', 'desc')
        .orderBy('runs.id', 'desc')
        .execute();
      return rows.map((row) => ({ artifactId: row.used, run: toRunView(row) }));
    },

    async pinsOfArtifacts(ids) {
      if (ids.length === 0) return [];
      const rows = await db
        .selectFrom('artifact_pins')
        .where('project_id', '=', projectId)
        .where('artifact_id', 'in', [...ids])
        .selectAll()
        .execute();
      return rows.map(toPin);
    },
  };
}
