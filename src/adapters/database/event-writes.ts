import { sql, type RawBuilder, type Transaction } from 'kysely';
import { newId } from '../../base/ids.ts';
import { type JsonObject } from '../../base/json.ts';
import { json, text, type Database } from './schema.ts';

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
      returning run_id, sequence, type
    )
    insert into feed_events (consumer, run_id, sequence)
    select c.name, w.run_id, w.sequence
    from written w join feed_consumers c on ${wanted}
    order by w.run_id, w.sequence`.execute(tx);
}

export interface NewProjectEvent {
  type: string;
  /** What it happened to, such as the id of a dataset or the name of an alias. */
  subject: string;
  payload: JsonObject;
}

/**
 * The same for what happens in a project outside of its runs. The next event of the subject is written after this one has committed, so
 * among what waits, those of a subject are in their order.
 */
export async function insertProjectEvent(
  tx: Transaction<Database>,
  projectId: string,
  { type, subject, payload }: NewProjectEvent,
): Promise<void> {
  await sql`select pg_advisory_xact_lock(${SPACE}::int, hashtext(${`${projectId} ${subject}`}))`.execute(tx);
  await sql`
    with w as (
      insert into project_events (id, project_id, type, subject, payload)
      values (${newId('evt')}, ${projectId}, ${type}, ${text(subject)}, ${json(payload)})
      returning id, type
    )
    insert into feed_events (consumer, project_event_id)
    select c.name, w.id from w join feed_consumers c on ${wanted}`.execute(tx);
}

/** Any constant; two subjects of one hash wait for each other and no more. */
const SPACE = 728_341_195;

const wanted = sql`(c.types is null or w.type = any(c.types))`;
