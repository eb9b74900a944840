import { type Kysely } from 'kysely';
import { type ProjectCatalog } from '../../control/ports.ts';
import { type StoredObjects } from '../../pipeline/ports.ts';
import { insertArtifacts } from './artifact-writes.ts';
import { olderThan, toPage } from './catalog-paging.ts';
import { toPrior } from './catalog-rows.ts';
import { type Database, json } from './schema.ts';

type PriorQueries = Pick<ProjectCatalog, 'priorsById' | 'priors' | 'savePrior'>;

export function priorQueries(db: Kysely<Database>, projectId: string, objects: StoredObjects): PriorQueries {
  const priors = () => db.selectFrom('priors').where('project_id', '=', projectId).selectAll();
  return {
    async priorsById(ids) {
      if (ids.length === 0) return [];
      return (
        await priors()
          .where('id', 'in', [...ids])
          .execute()
      ).map(toPrior);
    },

    async priors({ first, after }) {
      let query = priors()
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(first + 1);
      if (after !== null) query = query.where(olderThan('priors', projectId, after));
      return toPage(await query.execute(), first, toPrior);
    },

    savePrior: (id, prior) =>
      db.transaction().execute(async (tx) => {
        const title = `${prior.name} ${prior.version}`;
        await insertArtifacts(tx, { projectId }, [{ manifest: prior.manifest, title }], objects);
        const inserted = await tx
          .insertInto('priors')
          .values({
            id,
            project_id: projectId,
            name: prior.name,
            version: prior.version,
            digest: prior.digest,
            artifact_id: prior.manifest.id,
            description: json(prior.description),
          })
          .onConflict((conflict) => conflict.columns(['project_id', 'digest']).doNothing())
          .returningAll()
          .executeTakeFirst();
        if (inserted) return { prior: toPrior(inserted), created: true };
        const there = await tx
          .selectFrom('priors')
          .where('project_id', '=', projectId)
          .where('digest', '=', prior.digest)
          .selectAll()
          .executeTakeFirstOrThrow();
        return { prior: toPrior(there), created: false };
      }),
  };
}
