import { sql, type Kysely } from 'kysely';
import { type EventFeed, type FedEvent } from '../../control/ports.ts';
import { claimFeed } from './claim.ts';
import { namingOutages } from './outages.ts';
import { type Database } from './schema.ts';

/** A consumer that was configured away holds no more than a week of events. */
const ABANDONED = sql<Date>`clock_timestamp() - interval '7 days'`;
const SEEN_EVERY = sql`interval '1 minute'`;

/**
 * The feed as a queue for each consumer (`feed_events`), not as a position in one order of all events: numbers are given out before transactions
 * commit, in whatever order, so a position would pass over what commits late, or would have to wait for every writer. The ids of
 * transactions (xid8) are no order either: a transaction that changes several runs has its id before it waits for the lock of the last of
 * them, and a restored backup begins with small ones again. A row that waits is there until it is done, and nothing else counts.
 */
export function createEventFeed({ db, url }: { db: Kysely<Database>; url: string }): EventFeed {
  return namingOutages(plainFeed(db, url));
}

function plainFeed(db: Kysely<Database>, url: string): EventFeed {
  return {
    async register(name, types) {
      await db
        .insertInto('feed_consumers')
        .values({ name, types: types && [...types] })
        .onConflict((conflict) =>
          conflict.column('name').doUpdateSet({ types: types && [...types], seen_at: sql<Date>`clock_timestamp()` }),
        )
        .execute();
    },

    claim: (consumer) => claimFeed(url, consumer),

    async waiting(consumer, first) {
      await db
        .updateTable('feed_consumers')
        .set({ seen_at: sql<Date>`clock_timestamp()` })
        .where('name', '=', consumer)
        .where('seen_at', '<', sql<Date>`clock_timestamp() - ${SEEN_EVERY}`)
        .execute();
      const rows = await db
        .selectFrom('feed_events as f')
        .leftJoin('run_events as e', (join) =>
          join.onRef('e.run_id', '=', 'f.run_id').onRef('e.sequence', '=', 'f.sequence'),
        )
        .leftJoin('runs as r', 'r.id', 'f.run_id')
        .leftJoin('project_events as p', 'p.id', 'f.project_event_id')
        .where('f.consumer', '=', consumer)
        .select(['f.id', 'f.run_id', 'f.sequence', 'f.project_event_id', 'p.subject'])
        .select(({ fn }) => [
          fn.coalesce('r.project_id', 'p.project_id').$notNull().as('project_id'),
          fn.coalesce('e.at', 'p.created_at').$notNull().as('at'),
          fn.coalesce('e.type', 'p.type').$notNull().as('type'),
          fn.coalesce('e.payload', 'p.payload').$notNull().as('payload'),
        ])
        .orderBy('f.id')
        .limit(first)
        .execute();
      return rows.map((row): FedEvent => {
        const of = { id: row.id, projectId: row.project_id, at: row.at, type: row.type, payload: row.payload };
        return row.run_id === null
          ? { ...of, of: 'project', eventId: row.project_event_id!, subject: row.subject! }
          : { ...of, of: 'run', runId: row.run_id, sequence: row.sequence! };
      });
    },

    async done(consumer, events) {
      if (events.length === 0) return;
      await db
        .deleteFrom('feed_events')
        .where('consumer', '=', consumer)
        .where('id', '=', sql<number>`any(${events.map(({ id }) => id)}::bigint[])`)
        .execute();
    },

    forgetAbandoned: () =>
      db.transaction().execute(async (tx) => {
        const gone = await tx.deleteFrom('feed_consumers').where('seen_at', '<', ABANDONED).returning('name').execute();
        // Also what a change wrote that did not see it go.
        const { rows } = await sql<{ consumer: string; events: number }>`
          with gone as (
            delete from feed_events f where not exists (select from feed_consumers c where c.name = f.consumer) returning consumer
          )
          select consumer, count(*)::int as events from gone group by consumer`.execute(tx);
        return gone.map(({ name }) => ({
          consumer: name,
          events: rows.find(({ consumer }) => consumer === name)?.events ?? 0,
        }));
      }),
  };
}
