import { type Kysely, sql, type Transaction } from 'kysely';
import { type ProjectCatalog } from '../../control/ports.ts';
import { olderThan, toPage } from './catalog-paging.ts';
import { toUpstreamVersion } from './catalog-rows.ts';
import { type Database, json, text } from './schema.ts';

type UpstreamQueries = Pick<ProjectCatalog, 'upstreamVersionsById' | 'upstreamVersions' | 'saveUpstreamVersions'>;

export function upstreamQueries(db: Kysely<Database>, projectId: string): UpstreamQueries {
  const upstreams = () => db.selectFrom('upstream_versions').where('project_id', '=', projectId).selectAll();
  return {
    async upstreamVersionsById(ids) {
      if (ids.length === 0) return [];
      return (
        await upstreams()
          .where('id', 'in', [...ids])
          .execute()
      ).map(toUpstreamVersion);
    },

    async upstreamVersions({ first, after }) {
      let query = upstreams()
        .orderBy('created_at', 'desc')
        .orderBy('id', 'desc')
        .limit(first + 1);
      if (after !== null) query = query.where(olderThan('upstream_versions', projectId, after));
      return toPage(await query.execute(), first, toUpstreamVersion);
    },

    saveUpstreamVersions: (versions) =>
      db.transaction().execute(async (tx) => {
        const places = new Set(versions.flatMap(({ place }) => place ?? []));
        // In one order, so that two events do not wait for each other.
        for (const place of [...places].sort()) await holdPlace(tx, projectId, place);
        const created = await tx
          .insertInto('upstream_versions')
          .values(
            versions.map((one) => ({
              ...{ id: one.id, project_id: projectId, namespace: one.namespace, name: one.name, version: one.version },
              ...{ place: one.place, fields: one.fields && json(one.fields), producer: text(one.producer) },
              ...{ job: one.job && json(one.job), made_at: one.madeAt },
            })),
          )
          .onConflict((conflict) => conflict.column('id').doNothing())
          .returning('id')
          .execute();
        if (created.length > 0) for (const place of places) await matchUpstreams(tx, projectId, place);
        return created.map(({ id }) => id);
      }),
  };
}

/**
 * Until the transaction ends nobody else imports from this place, or tells of it: whoever comes second sees what the first one wrote, so
 * that one of them finds the edge. Asked for before anything is read.
 */
export async function holdPlace(tx: Transaction<Database>, projectId: string, place: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(${SPACE}::int, hashtext(${`${projectId} ${place}`}))`.execute(tx);
}

/** Any constant; two places of one hash wait for each other and no more. */
const SPACE = 728_341_194;

/**
 * What was imported from a place came from the version that the import named, else from the newest that there was when it ended. All imports from there are looked at
 * anew, so the edges are the same in whatever order events and imports come. An import that found an earlier version stands for that.
 */
export async function matchUpstreams(tx: Transaction<Database>, projectId: string, place: string): Promise<void> {
  const imports = sql`
    select coalesce(o.id, v.id) as id, v.ended_at, v.source->>'upstreamVersionId' as named
    from dataset_versions v
    left join dataset_versions o
      on v.number < 0 and o.dataset_id = v.dataset_id and o.digest = v.digest and o.number > 0 and o.state = 'READY'
    where v.project_id = ${projectId} and v.source->>'path' = ${place} and v.state = 'READY'`;
  await sql`
    delete from version_upstreams e
    using upstream_versions u
    where e.project_id = ${projectId} and u.id = e.upstream_id and u.place = ${place}
      and e.dataset_version_id in (select i.id from (${imports}) i)`.execute(tx);
  await sql`
    insert into version_upstreams (project_id, dataset_version_id, upstream_id)
    select distinct ${projectId}::text, i.id, coalesce(i.named, m.id)
    from (${imports}) i
    left join lateral (
      select u.id from upstream_versions u
      where u.project_id = ${projectId} and u.place = ${place} and u.made_at <= i.ended_at
      order by u.made_at desc, u.id limit 1
    ) m on true
    where coalesce(i.named, m.id) is not null
    on conflict do nothing`.execute(tx);
}
