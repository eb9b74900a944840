import { sql, type Kysely } from 'kysely';
import pg from 'pg';
import { type Clock } from '../../base/clock.ts';
import { toErrorRecord } from '../../base/errors.ts';
import { type Log } from '../../base/log.ts';
import { type Database } from './schema.ts';

export interface ProgressReport {
  runId: string;
  attemptId: string;
  itemsDone: number;
}

/** Progress that reached a replica which does not run the attempt, on its way to the one that does. Late or lost at times. */
export interface ProgressRelay {
  send(report: ProgressReport): Promise<void>;
  /** Told of what any replica sends, this one too. */
  listen(take: (report: ProgressReport) => void): void;
  close(): Promise<void>;
}

const CHANNEL = 'pushforward_progress';
const AGAIN_MS = 1_000;

/** By the database's notifications, since the replicas share nothing else that tells at once. */
export function createProgressRelay(of: { db: Kysely<Database>; url: string; clock: Clock; log: Log }): ProgressRelay {
  const { db, url, clock, log } = of;
  const closing = new AbortController();
  let listening: Promise<void> = Promise.resolve();

  /** Until the connection ends. */
  async function hear(take: (report: ProgressReport) => void): Promise<void> {
    const client = new pg.Client({ connectionString: url, application_name: 'pushforward progress', keepAlive: true });
    const ended = Promise.withResolvers<void>();
    client.on('error', () => ended.resolve());
    client.on('end', () => ended.resolve());
    client.on('notification', ({ payload = '' }) => take(JSON.parse(payload) as ProgressReport));
    closing.signal.addEventListener('abort', () => ended.resolve());
    try {
      await client.connect();
      await client.query(`listen ${CHANNEL}`);
      await ended.promise;
    } finally {
      await client.end().catch(() => {});
    }
  }

  async function hearOn(take: (report: ProgressReport) => void): Promise<void> {
    while (!closing.signal.aborted) {
      await hear(take).catch((error: unknown) =>
        log.warn('progress of other replicas cannot be heard; trying again', { error: toErrorRecord(error) }),
      );
      await clock.sleep(AGAIN_MS, closing.signal);
    }
  }

  return {
    async send(report) {
      await sql`select pg_notify(${CHANNEL}, ${JSON.stringify(report)})`.execute(db);
    },
    listen(take) {
      listening = hearOn(take);
    },
    async close() {
      closing.abort();
      await listening;
    },
  };
}
