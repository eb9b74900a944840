import { sql, type RawBuilder, type Transaction } from 'kysely';
import { json, type Database } from './schema.ts';

export interface NewEvent {
  runId: string;
  sequence: number;
  type: string;
  payload: unknown;
}

/**
 * Events, and for every consumer of the feed that each of them waits (`feed.ts`). The run's row is locked, so the next events of
 * the run are written after these have committed: among what waits, those of one run are in their order.
 */
export async function insertEvents(
  tx: Transaction<Database>,
  events: readonly NewEvent[],
  at: RawBuilder<Date>,
): Promise<void> {
  if (events.length === 0) return;
  await sql`
    with written as (
      insert into run_events (run_id, sequence, at, type, payload)
      select v."runId", v.sequence, ${at}, v.type, v.payload
      from jsonb_to_recordset(${json(events)}::jsonb) as v("runId" text, sequence integer, type text, payload jsonb)
      returning run_id, sequence
    )
    insert into feed_events (consumer, run_id, sequence)
    select c.name, w.run_id, w.sequence
    from written w cross join feed_consumers c
    order by w.run_id, w.sequence`.execute(tx);
}
