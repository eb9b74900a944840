import { type Kysely, sql, type Transaction } from 'kysely';
import { type DoomReason, type PageRequest, type PlanTotals, type ProjectRetention } from '../../control/ports.ts';
import { rescue } from './artifact-writes.ts';
import { toPage } from './catalog-paging.ts';
import { toArtifact } from './catalog-rows.ts';
import { ownBytes } from './project-lock.ts';
import { stillFree, withCandidates } from './retention-candidates.ts';
import { type Database } from './schema.ts';

/** How many artifacts are decided under one holding of the project's lock, which whoever publishes waits for. */
const BATCH = 250;

type Marks = Pick<ProjectRetention, 'plan' | 'planItems' | 'mark'>;

export function retentionMarks(db: Kysely<Database>, projectId: string): Marks {
  return {
    async plan(policy, now) {
      const { rows } = await sql<{
        kinds: PlanTotals['kinds'];
        bytes: number;
      }>`${withCandidates(projectId, policy, now)},
        by_kind as (
          select kind, reason, count(*) as artifacts, sum(bytes)::bigint as bytes from candidates
          group by kind, reason order by kind, reason
        ),
        named as (
          select b.sha256, max(b.bytes) as bytes from blob_references b join candidates c on c.id = b.artifact_id
          where b.project_id = ${projectId} group by b.sha256
        ),
        shared as (
          select b.sha256 from blob_references b left join candidates c on c.id = b.artifact_id
          where b.project_id = ${projectId} and c.id is null
        )
        select
          (select coalesce(jsonb_agg(to_jsonb(by_kind)), '[]') from by_kind) as kinds,
          (
            select coalesce(sum(bytes), 0)::bigint from named
            where not exists (select 1 from shared s where s.sha256 = named.sha256)
          ) as bytes`.execute(db);
      const { kinds, bytes } = rows[0]!;
      return { artifacts: kinds.reduce((sum, one) => sum + one.artifacts, 0), bytes, kinds };
    },

    async planItems(policy, now, { first, after }: PageRequest) {
      const { rows: found } = await sql<{ id: string; reason: DoomReason }>`${withCandidates(projectId, policy, now)}
        select id, reason from candidates where id > ${after ?? ''} order by id limit ${first + 1}`.execute(db);
      const ids = found.map(({ id }) => id);
      const artifacts = await db
        .selectFrom('artifacts')
        .selectAll()
        .where('project_id', '=', projectId)
        .where('id', '=', sql<string>`any(${ids})`)
        .execute();
      const byId = new Map(artifacts.map((row) => [row.id, toArtifact(row)]));
      return toPage(found, first, ({ id, reason }) => ({ artifact: byId.get(id)!, reason }));
    },

    /**
     * The candidates are chosen in one statement, which may take seconds, while everyone else goes on. Each batch of them
     * is then doomed under the lock if it is still free, users before what they were made from: so at no moment does a
     * kept artifact need a doomed one. One whose user is doomed in the same batch waits for the next round.
     */
    mark: (policy, now, signal) =>
      db.connection().execute(async (connection) => {
        const { rows: clock } = await sql<{ at: Date }>`select clock_timestamp() as at`.execute(connection);
        const since = clock[0]!.at;
        await sql`drop table if exists pg_temp.candidates`.execute(connection);
        await sql`create temporary table candidates (id text primary key, cut boolean, reason text, created_at timestamptz)`.execute(
          connection,
        );
        try {
          await sql`insert into pg_temp.candidates (id, cut, reason, created_at)
            select c.id, c.cut, c.reason, a.created_at from (
              ${withCandidates(projectId, policy, now)} select * from candidates
            ) c join artifacts a on a.project_id = ${projectId} and a.id = c.id`.execute(connection);
          await sql`analyze pg_temp.candidates`.execute(connection);
          const rescued = await rescueWanted(connection, projectId, signal);
          await sql`delete from pg_temp.candidates c using artifacts a
            where a.project_id = ${projectId} and a.id = c.id and a.state <> 'KEPT'`.execute(connection);
          const doomed = await doomRounds(connection, { projectId, now, since, signal });
          return { doomed, rescued };
        } finally {
          await sql`drop table if exists pg_temp.candidates`.execute(connection).catch(() => {});
        }
      }),
  };
}

/** What was doomed and is a candidate no more, because the policy changed or something came to need it. */
async function rescueWanted(db: Kysely<Database>, projectId: string, signal: AbortSignal): Promise<number> {
  let rescued = 0;
  while (!signal.aborted) {
    const count = await db.transaction().execute(async (tx) => {
      await ownBytes(tx, projectId);
      const { rows } = await sql<{ id: string }>`select id from artifacts a
        where a.project_id = ${projectId} and a.state = 'DOOMED'
          and not exists (select 1 from pg_temp.candidates c where c.id = a.id) limit ${BATCH}`.execute(tx);
      return await rescue(
        tx,
        projectId,
        rows.map(({ id }) => id),
      );
    });
    if (count === 0) break;
    rescued += count;
  }
  return rescued;
}

interface Marking {
  projectId: string;
  now: Date;
  since: Date;
  signal: AbortSignal;
}

async function doomRounds(db: Kysely<Database>, of: Marking): Promise<{ artifacts: number; bytes: number }> {
  const total = { artifacts: 0, bytes: 0 };
  for (let before = -1; before < total.artifacts;) {
    before = total.artifacts;
    let after: { createdAt: string; id: string } | null = null;
    for (;;) {
      if (of.signal.aborted) return total;
      // Newest first: what was made from others comes before them, but for clocks that stood still.
      const { rows }: { rows: { id: string; created_at: string }[] } = await sql<{ id: string; created_at: string }>`
        select c.id, c.created_at::text as created_at from pg_temp.candidates c
        where ${after ? sql`(c.created_at, c.id) < (${after.createdAt}::timestamptz, ${after.id})` : sql`true`}
        order by c.created_at desc, c.id desc limit ${BATCH}`.execute(db);
      const last = rows.at(-1);
      if (!last) break;
      after = { createdAt: last.created_at, id: last.id };
      const ids = rows.map(({ id }) => id);
      const doomed = await db.transaction().execute((tx) => doom(tx, ids, of));
      total.artifacts += doomed.length;
      total.bytes += doomed.reduce((sum, one) => sum + one.bytes, 0);
    }
  }
  return total;
}

async function doom(
  tx: Transaction<Database>,
  ids: readonly string[],
  { projectId, now, since }: Marking,
): Promise<{ id: string; bytes: number }[]> {
  await ownBytes(tx, projectId);
  const { rows } = await sql<{ id: string; bytes: number }>`
    update artifacts a set state = 'DOOMED', doomed_at = ${now}, doomed_because = c.reason
    from pg_temp.candidates c
    where c.id = any(${ids}) and a.project_id = ${projectId} and a.id = c.id and a.state = 'KEPT'
      and ${stillFree(projectId, since, sql`c.cut`)}
    returning a.id, a.bytes`.execute(tx);
  await sql`delete from pg_temp.candidates where id = any(${rows.map(({ id }) => id)})`.execute(tx);
  return rows;
}
