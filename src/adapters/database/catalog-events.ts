import { type Kysely, sql } from 'kysely';
import { type ProjectCatalog } from '../../control/ports.ts';
import { olderThan, toPage } from './catalog-paging.ts';
import { type Database } from './schema.ts';

export function projectEventQueries(db: Kysely<Database>, projectId: string): Pick<ProjectCatalog, 'projectEvents'> {
  return {
    async projectEvents({ first, after }, types) {
      let query = db
        .selectFrom('project_events')
        .where('project_id', '=', projectId)
        .select(['id', 'created_at as at', 'type', 'subject', 'payload'])
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(first + 1);
      if (types !== null) query = query.where('type', '=', sql<string>`any(${[...types]})`);
      if (after !== null) query = query.where(olderThan('project_events', projectId, after));
      return toPage(await query.execute(), first, (row) => row);
    },
  };
}
