import { type Kysely, type Selectable, sql } from 'kysely';
import { newId } from '../../base/ids.ts';
import { type AliasVersionView, type AliasView, type ProjectCatalog } from '../../control/ports.ts';
import { keepArtifact } from './artifact-keeping.ts';
import { toPage } from './catalog-paging.ts';
import { insertProjectEvent } from './event-writes.ts';
import { type Aliases, type AliasVersions, type Database, json, text } from './schema.ts';

type AliasQueries = Pick<
  ProjectCatalog,
  'aliases' | 'aliasByName' | 'versionsOfAliases' | 'aliasVersionsById' | 'aliasesOfArtifacts' | 'saveAlias' | 'promote'
>;

export function aliasQueries(db: Kysely<Database>, projectId: string): AliasQueries {
  const aliases = () => db.selectFrom('aliases').where('project_id', '=', projectId).selectAll();
  const versions = () => db.selectFrom('alias_versions').where('project_id', '=', projectId).selectAll();
  const newest = (names: readonly string[]) =>
    versions()
      .distinctOn('alias')
      .where('alias', '=', sql<string>`any(${[...names]})`)
      .orderBy('alias')
      .orderBy('number', 'desc')
      .execute();
  const withNewest = async (rows: Selectable<Aliases>[]): Promise<AliasView[]> => {
    const current = new Map((await newest(rows.map(({ name }) => name))).map((row) => [row.alias, toVersion(row)]));
    return rows.map((row) => toAlias(row, current.get(row.name) ?? null));
  };
  const byName = async (name: string) =>
    (await withNewest(await aliases().where('name', '=', name).execute()))[0] ?? null;

  return {
    async aliases({ first, after }) {
      let query = aliases()
        .orderBy('name')
        .limit(first + 1);
      if (after !== null) query = query.where('name', '>', after);
      return toPage(await withNewest(await query.execute()), first, (alias) => alias);
    },

    aliasByName: byName,

    async versionsOfAliases(requests) {
      if (requests.length === 0) return [];
      const rows = await db
        .selectFrom(
          sql<{ alias: string; before: number | null; first: number }>`unnest(
            ${requests.map((one) => one.alias)}::text[],
            ${requests.map((one) => one.before)}::integer[],
            ${requests.map((one) => one.first)}::integer[]
          )`.as<'k'>(sql`k(alias, before, first)`),
        )
        .innerJoinLateral(
          () =>
            versions()
              .whereRef('alias_versions.alias', '=', sql`k.alias`)
              .where(sql<boolean>`number < coalesce(k.before, 2147483647)`)
              .orderBy('number', 'desc')
              .limit(sql<number>`k.first`)
              .as('v'),
          (join) => join.onTrue(),
        )
        .selectAll('v')
        .orderBy('v.alias')
        .orderBy('v.number', 'desc')
        .execute();
      return rows.map(toVersion);
    },

    async aliasVersionsById(ids) {
      if (ids.length === 0) return [];
      return (
        await versions()
          .where('id', '=', sql<string>`any(${[...ids]})`)
          .execute()
      ).map(toVersion);
    },

    async aliasesOfArtifacts(ids) {
      if (ids.length === 0) return [];
      const rows = await db
        .selectFrom('alias_versions as v')
        .where('v.project_id', '=', projectId)
        .where('v.artifact_id', '=', sql<string>`any(${[...ids]})`)
        .where(({ not, exists, selectFrom }) =>
          not(
            exists(
              selectFrom('alias_versions as later')
                .whereRef('later.project_id', '=', 'v.project_id')
                .whereRef('later.alias', '=', 'v.alias')
                .whereRef('later.number', '>', 'v.number')
                .select('later.id'),
            ),
          ),
        )
        .selectAll('v')
        .orderBy('v.alias')
        .execute();
      return rows.map(toVersion);
    },

    async saveAlias(name, gates) {
      await db
        .insertInto('aliases')
        .values({ project_id: projectId, name, gates: json(gates) })
        .onConflict((conflict) => conflict.columns(['project_id', 'name']).doUpdateSet({ gates: json(gates) }))
        .execute();
      return (await byName(name))!;
    },

    promote: (name, { after, artifactId, gates, override, revertsTo, by }) =>
      db.transaction().execute(async (tx) => {
        await keepArtifact(tx, projectId, artifactId, { purpose: 'promote it', path: ['artifactId'] });
        await tx
          .insertInto('aliases')
          .values({ project_id: projectId, name, gates: json([]) })
          .onConflict((conflict) => conflict.doNothing())
          .execute();
        const row = await tx
          .insertInto('alias_versions')
          .values({
            ...{ id: newId('alv'), project_id: projectId, alias: name, number: after + 1, artifact_id: artifactId },
            ...{ gates: json(gates), override: override === null ? null : text(override), reverts_to: revertsTo },
            promoted_by: by,
          })
          .onConflict((conflict) => conflict.columns(['project_id', 'alias', 'number']).doNothing())
          .returningAll()
          .executeTakeFirst();
        if (!row) return null;
        const before = await tx
          .selectFrom('alias_versions')
          .where('project_id', '=', projectId)
          .where('alias', '=', name)
          .where('number', '=', after)
          .select('artifact_id')
          .executeTakeFirst();
        await insertProjectEvent(tx, projectId, {
          ...{ type: revertsTo === null ? 'alias.promoted' : 'alias.reverted', subject: name },
          payload: {
            ...{ alias: name, number: row.number, aliasVersionId: row.id, artifactId },
            ...{ previousArtifactId: before?.artifact_id ?? null, by, override: row.override, revertsTo },
            // what each gate said is among the versions of the alias
            gates: gates.length,
          },
        });
        return toVersion(row);
      }),
  };
}

const toAlias = (row: Selectable<Aliases>, current: AliasVersionView | null): AliasView => ({
  name: row.name,
  gates: row.gates,
  createdAt: row.created_at,
  current,
});

const toVersion = (row: Selectable<AliasVersions>): AliasVersionView => ({
  id: row.id,
  alias: row.alias,
  number: row.number,
  artifactId: row.artifact_id,
  gates: row.gates,
  override: row.override,
  revertsTo: row.reverts_to,
  promotedBy: row.promoted_by,
  promotedAt: row.promoted_at,
});
