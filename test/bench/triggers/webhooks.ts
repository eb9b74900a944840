import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Kysely, sql } from 'kysely';
import { insertEvents } from '../../../src/adapters/database/event-writes.ts';
import { type Database } from '../../../src/adapters/database/schema.ts';
import { seedProject, startTestPostgres } from '../../support/postgres.ts';
import { startServiceProcess, withTemporaryFolder } from '../../support/service-process.ts';
import { until } from '../../support/until.ts';
import { type BenchCase } from '../bench.ts';
import { fillRuns, runOf } from '../lineage/rows.ts';
import type { SinkReport } from './sink.ts';

const RATE_EVENTS = 20_000;
const KILL_EVENTS = 10_000;
const KILLS = 10;
const RATE_CASE = `${RATE_EVENTS} webhooks to a sink on this machine`;
const KILL_CASE = `webhooks lost of ${KILL_EVENTS}, over ${KILLS} kill -9 of the service`;
const PROJECT = 'default';
const ENV = { PUSHFORWARD_WEBHOOK_ALLOW: '127.0.0.0/8', LOG_LEVEL: 'error' };

/** From the event that is written with what it tells of, through the compiled service, to a receiver in another process. */
export async function* webhookCases(wanted: (name: string) => boolean): AsyncIterable<BenchCase> {
  if (wanted(RATE_CASE)) yield await withEndpoint(rateCase);
  if (wanted(KILL_CASE)) yield await withEndpoint(killCase);
}

interface Ground {
  db: Kysely<Database>;
  start: () => ReturnType<typeof startServiceProcess>;
  report: () => Promise<SinkReport>;
}

async function rateCase({ db, start, report }: Ground): Promise<BenchCase> {
  const service = await start();
  await writeEvents(db, 0, RATE_EVENTS);
  await until(() => allDelivered(db, RATE_EVENTS), 'all to be delivered', 300_000);
  const { ms, outOfOrder, events } = await report();
  await service.end();
  const rate = Math.round((1000 * events) / ms);
  return {
    ...{ case: RATE_CASE, unit: 'webhooks/s', ours: rate, peers: { limit: 1000 }, target: 1 },
    ...{ events, outOfOrder, seconds: ms / 1000 },
  };
}

/** Events are written all the time, whether a service is there or not. */
async function killCase({ db, start, report }: Ground): Promise<BenchCase> {
  let service = await start();
  const batches = 50;
  const size = KILL_EVENTS / batches;
  let kills = 0;
  let written = 0;
  const write = async () => {
    for (; written < KILL_EVENTS; written += size) {
      await writeEvents(db, written, size);
      // Spread over the kills: the next ones come once some of the last have arrived, or a little later.
      await delay(500);
    }
  };
  const writing = write();
  for (; kills < KILLS; kills++) {
    const before = (await report()).requests;
    await until(async () => (await report()).requests > before + size / 4, 'some to arrive', 60_000);
    await service.end('SIGKILL');
    service = await start();
  }
  await writing;
  await until(() => allDelivered(db, KILL_EVENTS), 'all to be delivered', 300_000);
  const { events, requests, outOfOrder } = await report();
  await service.end();
  return {
    ...{ case: KILL_CASE, unit: 'count', ours: KILL_EVENTS - events, peers: { limit: 0 }, target: 1 },
    ...{ kills, arrivedTwice: requests - events, outOfOrder },
  };
}

async function withEndpoint(work: (ground: Ground) => Promise<BenchCase>): Promise<BenchCase> {
  const postgres = await startTestPostgres();
  const sink = fork(join(import.meta.dirname, 'sink.ts'));
  try {
    const [{ url: receiver }] = (await once(sink, 'message')) as [SinkReport];
    const report = async () => {
      sink.send('report');
      return ((await once(sink, 'message')) as [SinkReport])[0];
    };
    const { db, url } = await postgres.database();
    const refers = await seedProject(db, PROJECT);
    await fillRuns(db, refers, Math.max(RATE_EVENTS, KILL_EVENTS) / 2);
    return await withTemporaryFolder(async (folder) => {
      const start = () => startServiceProcess(folder, { DATABASE_URL: url, ...ENV });
      // One start for the endpoint: the consumer is there from then on.
      const first = await start();
      const input = { url: receiver, types: ['run.succeeded', 'run.cancelled'] };
      await first.client.send('CreateWebhook', { input });
      await until(async () => (await db.selectFrom('feed_consumers').select('name').execute()).length > 0);
      await first.end();
      return await work({ db, start, report });
    });
  } finally {
    sink.disconnect();
    sink.kill();
    await postgres.stop();
  }
}

/** Two events of each run, a hundred runs a transaction. */
async function writeEvents(db: Kysely<Database>, from: number, count: number): Promise<void> {
  const runs = Array.from({ length: count / 2 }, (_, index) => runOf(from / 2 + index + 1));
  for (let at = 0; at < runs.length; at += 100) {
    const events = runs.slice(at, at + 100).flatMap((runId) => [
      { runId, sequence: 1, type: 'run.cancelled', payload: {} },
      { runId, sequence: 2, type: 'run.succeeded', payload: {} },
    ]);
    await db.transaction().execute((tx) => insertEvents(tx, events, sql`clock_timestamp()`));
  }
}

async function allDelivered(db: Kysely<Database>, count: number): Promise<boolean> {
  const { n } = await db
    .selectFrom('webhook_deliveries')
    .where('state', '=', 'DELIVERED')
    .select(({ fn }) => fn.countAll<number>().as('n'))
    .executeTakeFirstOrThrow();
  return Number(n) === count;
}
