import { sql, type Transaction } from 'kysely';
import { type Database } from './schema.ts';

/**
 * The lock of a project's bytes, until the transaction ends. Whoever relies on an artifact (records it, launches a run on
 * it, pins it) shares it; whoever dooms or deletes has it alone. Asked for before anything is read: a statement sees what
 * was committed before it began, so each side sees all that the other decided, or is seen by it.
 */
export async function shareBytes(tx: Transaction<Database>, projectId: string): Promise<void> {
  await sql`select pg_advisory_xact_lock_shared(${SPACE}::int, hashtext(${projectId}))`.execute(tx);
}

export async function ownBytes(tx: Transaction<Database>, projectId: string): Promise<void> {
  await sql`select pg_advisory_xact_lock(${SPACE}::int, hashtext(${projectId}))`.execute(tx);
}

/** Any constant; two projects of one hash wait for each other and no more. */
const SPACE = 728_341_191;
