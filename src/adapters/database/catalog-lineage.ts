import { type Kysely, type RawBuilder, sql } from 'kysely';
import {
  type LineageDirection,
  type LineageKey,
  type LineageRelation,
  type ProjectCatalog,
} from '../../control/ports.ts';
import { type Database } from './schema.ts';

/**
 * The edges of lineage as the tables have them. Each part of the union walks an index in the order that is asked for and ends
 * after as many rows as are, so that a node with a million neighbours costs no more than one with a hundred.
 */
export function lineageQueries(db: Kysely<Database>, projectId: string): Pick<ProjectCatalog, 'lineageEdges'> {
  return {
    async lineageEdges({ sources, direction, after, first, perSource }) {
      if (sources.length === 0) return [];
      const kinds = sources.map(({ kind }) => kind);
      const ids = sources.map(({ id }) => id);
      const parts = PARTS[direction].map((part) => partOf(part, projectId, after, perSource));
      const { rows } = await sql<{ place: string; kind: LineageKey['kind']; id: string; relation: LineageRelation }>`
        select f.place, e.kind, e.id, e.relation
        from unnest(${kinds}::text[], ${ids}::text[]) with ordinality as f (kind, id, place)
        cross join lateral (
          ${sql.join(parts, sql` union all `)}
          order by kind, id limit ${perSource}
        ) e
        order by f.place, e.kind, e.id
        limit ${first}
      `.execute(db);
      return rows.map(({ place, kind, id, relation }) => ({ source: Number(place) - 1, relation, to: { kind, id } }));
    },
  };
}

interface Part {
  from: LineageKey['kind'];
  to: LineageKey['kind'];
  relation: LineageRelation | RawBuilder<LineageRelation>;
  /** The neighbour's id. */
  id: RawBuilder<string>;
  /** Tables and conditions; `f.id` is the node that is asked about. */
  of: (projectId: string) => RawBuilder<unknown>;
}

const STORED = (
  to: 'DATASET_VERSION' | 'PRIOR',
  table: 'dataset_versions' | 'priors',
): Record<LineageDirection, Part> => ({
  UPSTREAM: {
    ...{ from: 'ARTIFACT', to, relation: 'STORED', id: sql`s.id` },
    of: (projectId) => sql`${sql.table(table)} s where s.project_id = ${projectId} and s.artifact_id = f.id`,
  },
  DOWNSTREAM: {
    ...{ from: to, to: 'ARTIFACT', relation: 'STORED', id: sql`s.artifact_id` },
    of: (projectId) => sql`${sql.table(table)} s where s.project_id = ${projectId} and s.id = f.id`,
  },
});

const READ = (
  to: 'DATASET_VERSION' | 'PRIOR',
  column: 'dataset_version_id' | 'prior_id',
): Record<LineageDirection, Part> => ({
  UPSTREAM: {
    ...{ from: 'RUN', to, relation: 'READ', id: sql`r.${sql.ref(column)}` },
    of: (projectId) => sql`runs r where r.project_id = ${projectId} and r.id = f.id`,
  },
  DOWNSTREAM: {
    ...{ from: to, to: 'RUN', relation: 'READ', id: sql`r.id` },
    of: (projectId) => sql`runs r where r.project_id = ${projectId} and r.${sql.ref(column)} = f.id`,
  },
});

const PROMOTED: Record<LineageDirection, Part> = {
  UPSTREAM: {
    ...{ from: 'ALIAS_VERSION', to: 'ARTIFACT', relation: 'PROMOTED', id: sql`v.artifact_id` },
    of: (projectId) => sql`alias_versions v where v.project_id = ${projectId} and v.id = f.id`,
  },
  DOWNSTREAM: {
    ...{ from: 'ARTIFACT', to: 'ALIAS_VERSION', relation: 'PROMOTED', id: sql`v.id` },
    of: (projectId) => sql`alias_versions v where v.project_id = ${projectId} and v.artifact_id = f.id`,
  },
};

const LAUNCHED: Record<LineageDirection, Part> = {
  UPSTREAM: {
    ...{ from: 'RUN', to: 'TRIGGER_EVALUATION', relation: 'LAUNCHED', id: sql`t.id` },
    of: (projectId) => sql`trigger_evaluations t where t.project_id = ${projectId} and t.launched_run_id = f.id`,
  },
  DOWNSTREAM: {
    ...{ from: 'TRIGGER_EVALUATION', to: 'RUN', relation: 'LAUNCHED', id: sql`t.launched_run_id` },
    of: (projectId) =>
      sql`trigger_evaluations t where t.project_id = ${projectId} and t.id = f.id and t.launched_run_id is not null`,
  },
};

const BOTH_WAYS = [
  STORED('DATASET_VERSION', 'dataset_versions'),
  STORED('PRIOR', 'priors'),
  READ('DATASET_VERSION', 'dataset_version_id'),
  READ('PRIOR', 'prior_id'),
  PROMOTED,
  LAUNCHED,
];

const PARTS: Record<LineageDirection, readonly Part[]> = {
  UPSTREAM: [
    ...BOTH_WAYS.map(({ UPSTREAM }) => UPSTREAM),
    {
      ...{ from: 'ARTIFACT', to: 'ARTIFACT', relation: 'DERIVED', id: sql`i.input_id` },
      of: (projectId) => sql`artifact_inputs i where i.project_id = ${projectId} and i.artifact_id = f.id`,
    },
    {
      ...{ from: 'ARTIFACT', to: 'RUN', relation: 'MADE', id: sql`a.run_id` },
      of: (projectId) => sql`artifacts a where a.project_id = ${projectId} and a.id = f.id`,
    },
    {
      ...{ from: 'DATASET_VERSION', to: 'UPSTREAM_VERSION', relation: 'IMPORTED', id: sql`e.upstream_id` },
      of: (projectId) => sql`version_upstreams e where e.project_id = ${projectId} and e.dataset_version_id = f.id`,
    },
    {
      ...{ from: 'RUN', to: 'ARTIFACT', relation: 'READ', id: sql`o.artifact_id` },
      of: (projectId) =>
        sql`run_artifacts o where o.project_id = ${projectId} and o.run_id = f.id and o.direction = 'INPUT'`,
    },
  ],
  DOWNSTREAM: [
    ...BOTH_WAYS.map(({ DOWNSTREAM }) => DOWNSTREAM),
    {
      ...{ from: 'ARTIFACT', to: 'ARTIFACT', relation: 'DERIVED', id: sql`i.artifact_id` },
      of: (projectId) => sql`artifact_inputs i where i.project_id = ${projectId} and i.input_id = f.id`,
    },
    {
      ...{ from: 'ARTIFACT', to: 'RUN', relation: 'READ', id: sql`o.run_id` },
      of: (projectId) =>
        sql`run_artifacts o where o.project_id = ${projectId} and o.artifact_id = f.id and o.direction = 'INPUT'`,
    },
    {
      ...{ from: 'UPSTREAM_VERSION', to: 'DATASET_VERSION', relation: 'IMPORTED', id: sql`e.dataset_version_id` },
      of: (projectId) => sql`version_upstreams e where e.project_id = ${projectId} and e.upstream_id = f.id`,
    },
    {
      ...{ from: 'RUN', to: 'ARTIFACT', id: sql`o.artifact_id` },
      relation: sql`(select case when a.run_id = f.id then 'MADE' else 'REUSED' end
        from artifacts a where a.project_id = o.project_id and a.id = o.artifact_id)`,
      of: (projectId) =>
        sql`run_artifacts o where o.project_id = ${projectId} and o.run_id = f.id and o.direction = 'OUTPUT'`,
    },
  ],
};

function partOf(
  { from, to, relation, id, of }: Part,
  projectId: string,
  after: LineageKey | null,
  perSource: number,
): RawBuilder<unknown> {
  // Kinds come in the order of their names, so one before that of `after` is through, and one behind it has not begun.
  const through = after !== null && to < after.kind;
  const behind = after?.kind === to ? after.id : '';
  return sql`(
    select ${to}::text as kind, ${id} as id, ${relation}::text as relation
    from ${of(projectId)} and f.kind = ${from}
      and (f.place > 1 or ${!through}) and ${id} > case when f.place = 1 then ${behind} else '' end
    order by ${id} limit ${perSource}
  )`;
}
