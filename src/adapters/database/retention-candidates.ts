import { type RawBuilder, sql } from 'kysely';
import { type ArtifactState, type RetentionPolicy } from '../../control/ports.ts';

const DAY_MS = 24 * 3600 * 1000;

/**
 * `with ...` of the artifacts that a policy does not keep, as `candidates(id, kind, bytes, cut, reason)`: all but what
 * lineage reaches from two sets of roots.
 * - `firm`: what is pinned or promoted, registered priors, what runs in flight read, wrote or are about to publish. No rule reaches it.
 * - `wanted`: what the runs and versions that the policy keeps read and wrote. A kind that has expired is no root of its
 *   own, nor is a stage that lists such; what a root was made from stays, unless its rule cuts lineage.
 *
 * Lineage is followed through DELETED artifacts too: what is kept never loses more than its rules say.
 */
export function withCandidates(projectId: string, policy: RetentionPolicy, now: Date): RawBuilder<unknown> {
  const { keepDays, keepVersions, keepRuns, kinds } = policy;
  const since = (days: number) => new Date(now.getTime() - days * DAY_MS);
  const keptSince = keepDays === null ? null : since(keepDays);
  const rules = JSON.stringify(
    kinds.map(({ kind, days, cutLineage }) => ({ kind, since: since(days), cut: cutLineage })),
  );
  return sql`with recursive
    in_flight as materialized (${inFlight(projectId)}),
    kept_runs as materialized (
      select id from (
        select r.id, r.state, r.ended_at, row_number() over (
          partition by v.dataset_id, r.state = 'SUCCEEDED' order by r.ended_at desc nulls first, r.id desc
        ) as place
        from runs r join dataset_versions v on v.id = r.dataset_version_id
        where r.project_id = ${projectId}
      ) placed
      where ended_at is null
        or (${keptSince}::timestamptz is null and ${keepRuns}::int is null)
        or ended_at >= ${keptSince}::timestamptz
        or (state = 'SUCCEEDED' and place <= ${keepRuns}::int)
    ),
    kept_versions as materialized (
      select artifact_id as id from (
        select artifact_id, number, dense_rank() over (partition by dataset_id order by imported_at desc, digest) as place
        from (
          select artifact_id, number, dataset_id, digest,
            max(coalesce(ended_at, created_at)) over (partition by dataset_id, digest) as imported_at
          from dataset_versions where project_id = ${projectId} and state = 'READY'
        ) imported
      ) placed
      where number > 0 and (${keepVersions}::int is null or place <= ${keepVersions}::int)
    ),
    used as materialized (
      select ra.artifact_id as id, max(coalesce(r.ended_at, 'infinity')) as used_at
      from run_artifacts ra join runs r on r.id = ra.run_id
      where ra.project_id = ${projectId} group by ra.artifact_id
    ),
    rules as materialized (
      select kind, since, cut from jsonb_to_recordset(${rules}::jsonb) as rule(kind text, since timestamptz, cut boolean)
    ),
    considered as materialized (
      select a.id, a.kind, a.bytes, a.created_at, u.used_at,
        rules.kind is not null and coalesce(u.used_at, a.created_at) < rules.since as expired,
        coalesce(rules.cut, false) as cut
      from artifacts a left join used u on u.id = a.id left join rules on rules.kind = a.kind
      where a.project_id = ${projectId} and a.state <> 'DELETED'
    ),
    expired as materialized (
      select id from considered where expired
      union
      select s.id from considered s
        join artifact_inputs i on i.project_id = ${projectId} and i.artifact_id = s.id
        join considered c on c.id = i.input_id
      where s.kind = 'stage' and c.expired
    ),
    firm_roots as (
      select artifact_id as id from artifact_holds where project_id = ${projectId}
      union select artifact_id from priors where project_id = ${projectId}
      union select artifact_id from run_artifacts where run_id in (select id from in_flight)
      union select artifact_id from tasks where run_id in (select id from in_flight) and state in ('PENDING', 'RUNNING')
    ),
    firm(id) as (
      select id from firm_roots
      union
      select i.input_id from artifact_inputs i join firm f on f.id = i.artifact_id where i.project_id = ${projectId}
    ),
    lasting as materialized (
      select c.* from considered c where not exists (select 1 from expired e where e.id = c.id)
    ),
    wanted_roots as (
      select id from kept_versions
      union
      select l.id from lasting l
        join run_artifacts ra on ra.project_id = ${projectId} and ra.artifact_id = l.id
        join kept_runs k on k.id = ra.run_id
      union
      select id from lasting where created_at >= ${keptSince}::timestamptz
        or (kind = 'datasetVersion' and ${keepVersions}::int is null)
        or (kind <> 'datasetVersion' and used_at is null and ${keptSince}::timestamptz is null)
    ),
    wanted(id) as (
      select id from wanted_roots
      union
      select i.input_id from artifact_inputs i join wanted w on w.id = i.artifact_id where i.project_id = ${projectId}
    ),
    candidates as materialized (
      select c.id, c.kind, c.bytes, c.expired and c.cut as cut,
        case when e.id is not null then 'KIND_EXPIRED'
          when c.kind = 'datasetVersion' then 'VERSION_NOT_KEPT' else 'RUN_NOT_KEPT' end as reason
      from considered c left join expired e on e.id = c.id left join wanted w on w.id = c.id
      where ((c.expired and c.cut) or w.id is null) and not exists (select 1 from firm f where f.id = c.id)
    )`;
}

/** Runs that hold what they touch: those that have not ended, and those with an attempt that was not seen gone. */
export function inFlight(projectId: string): RawBuilder<unknown> {
  return sql`select id from runs where project_id = ${projectId} and (
    state in ('QUEUED', 'RUNNING', 'STOPPING') or id in (select run_id from attempts where state = 'RUNNING')
  )`;
}

/**
 * Whether nothing has come to hold the artifact `a` since the candidates were chosen: no pin, alias, prior, version, task in
 * flight or run, and nothing that is kept was made from it, also by way of what was DELETED. For one that goes all the
 * same (`cut`), nothing firm was, however far.
 * @param since when they were chosen, by the database's clock
 */
export function stillFree(projectId: string, since: Date, cut: RawBuilder<unknown>): RawBuilder<boolean> {
  const heldBy = (id: RawBuilder<unknown>) => sql`
    exists (select 1 from artifact_holds h where h.project_id = ${projectId} and h.artifact_id = ${id})
    or exists (select 1 from priors p where p.project_id = ${projectId} and p.artifact_id = ${id})
    or exists (
      select 1 from run_artifacts ra join runs r on r.id = ra.run_id
      where ra.project_id = ${projectId} and ra.artifact_id = ${id}
        and (r.ended_at is null or r.ended_at >= ${since} or r.id in (${inFlight(projectId)}))
    )`;
  return sql<boolean>`not (${heldBy(sql`a.id`)})
    and not exists (
      select 1 from dataset_versions v
      where v.project_id = ${projectId} and v.artifact_id = a.id and v.ended_at >= ${since}
    )
    and a.id not in (${taskTargets(projectId)})
    and case when ${cut} then not exists (
      with recursive made(id) as (
        select i.artifact_id from artifact_inputs i where i.project_id = ${projectId} and i.input_id = a.id
        union
        select i.artifact_id from artifact_inputs i join made m on m.id = i.input_id where i.project_id = ${projectId}
      )
      select 1 from made where ${heldBy(sql`made.id`)}
    ) else not exists (${users(projectId, 'KEPT')}) and (
      not exists (${users(projectId, 'DELETED')}) or not exists (
        with recursive made(id, state) as (
          select u.id, u.state from artifact_inputs i
            join artifacts u on u.project_id = i.project_id and u.id = i.artifact_id
          where i.project_id = ${projectId} and i.input_id = a.id
          union
          select u.id, u.state from made m
            join artifact_inputs i on i.project_id = ${projectId} and i.input_id = m.id
            join artifacts u on u.project_id = i.project_id and u.id = i.artifact_id
          where m.state = 'DELETED'
        )
        select 1 from made where state = 'KEPT'
      )
    ) end`;
}

/** Artifacts that were made from `a` and are in this state. */
function users(projectId: string, state: ArtifactState): RawBuilder<unknown> {
  return sql`select 1 from artifact_inputs i
    join artifacts u on u.project_id = i.project_id and u.id = i.artifact_id and u.state = ${state}
    where i.project_id = ${projectId} and i.input_id = a.id`;
}

/** What tasks in flight are about to find or to publish. */
export function taskTargets(projectId: string): RawBuilder<unknown> {
  return sql`select artifact_id from tasks where state in ('PENDING', 'RUNNING') and run_id in (${inFlight(projectId)})`;
}
