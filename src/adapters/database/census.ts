import { type ObservableResult, metrics } from '@opentelemetry/api';
import { sql, type Kysely } from 'kysely';
import { type Database } from './schema.ts';

/** How old what is told may be: every replica is asked for its metrics, and by several readers. */
const FRESH_MS = 5_000;

interface Census {
  runs: Record<string, number>;
  unconfirmedRuns: number;
  tasks: Record<string, number>;
  queueAgeSeconds: number;
  consumers: { name: string; waiting: number; age: number }[];
}

/**
 * Metrics of what is in the database now: every replica tells the same. Only runs that have not ended are looked at, which
 * an index has, and attempts that run; those that ended are millions one day. While the database is away nothing is told.
 */
export function observeDatabase(db: Kysely<Database>): void {
  const meter = metrics.getMeter('pushforward.database');
  let known: { at: number; census: Promise<Census | null> } | null = null;
  const census = () => {
    if (known === null || performance.now() - known.at > FRESH_MS) {
      known = { at: performance.now(), census: read(db).catch(() => null) };
    }
    return known.census;
  };
  const gauge = (name: string, options: { description: string; unit?: string }, tell: Teller) =>
    meter.createObservableGauge(name, options).addCallback(async (result) => {
      const now = await census();
      if (now) tell(now, result);
    });

  gauge('pushforward.runs.current', { description: 'Runs in the database that have not ended' }, ({ runs }, result) => {
    for (const [state, count] of Object.entries(runs)) result.observe(count, { state });
  });
  gauge(
    'pushforward.runs.unconfirmed',
    { description: 'Runs with attempts that were not seen gone in time and may still hold resources' },
    ({ unconfirmedRuns }, result) => result.observe(unconfirmedRuns),
  );
  gauge(
    'pushforward.tasks.current',
    { description: 'Tasks in the database that wait or are under way' },
    ({ tasks }, result) => {
      for (const [state, count] of Object.entries(tasks)) result.observe(count, { state });
    },
  );
  gauge(
    'pushforward.queue.age',
    { unit: 's', description: 'How long the oldest task that may start has waited, 0 where none waits' },
    ({ queueAgeSeconds }, result) => result.observe(queueAgeSeconds),
  );
  gauge(
    'pushforward.feed.waiting',
    { description: 'Events that wait for a consumer; no more than 100000 are counted' },
    ({ consumers }, result) => {
      for (const { name, waiting } of consumers) result.observe(waiting, { consumer: name });
    },
  );
  gauge(
    'pushforward.feed.age',
    { unit: 's', description: 'How long the oldest event has waited for a consumer, 0 where none waits' },
    ({ consumers }, result) => {
      for (const { name, age } of consumers) result.observe(age, { consumer: name });
    },
  );
}

type Teller = (census: Census, result: ObservableResult) => void;

const UNFINISHED = ['QUEUED', 'RUNNING', 'STOPPING'] as const;
const OPEN = ['PENDING', 'RUNNING'] as const;
/** Counting takes time; a consumer that is so far behind is far behind. */
const MOST_WAITING = 100_000;

async function read(db: Kysely<Database>): Promise<Census> {
  const runs = await db
    .selectFrom('runs')
    .select(['state', (of) => of.fn.countAll<number>().as('count')])
    .where('state', 'in', UNFINISHED)
    .groupBy('state')
    .execute();
  const tasks = await db
    .selectFrom('tasks')
    .innerJoin('runs', 'runs.id', 'tasks.run_id')
    .select(['tasks.state', (of) => of.fn.countAll<number>().as('count')])
    .select(
      sql<number | null>`extract(epoch from clock_timestamp() - min(not_before) filter (
        where tasks.state = 'PENDING' and runs.state = 'RUNNING' and not_before <= clock_timestamp()
      ))::float8`.as('age'),
    )
    .where('runs.state', 'in', UNFINISHED)
    .where('tasks.state', 'in', OPEN)
    .groupBy('tasks.state')
    .execute();
  const { unconfirmed } = await db
    .selectFrom('attempts')
    .innerJoin('runs', 'runs.id', 'attempts.run_id')
    .select((of) => of.fn.count<number>('runs.id').distinct().as('unconfirmed'))
    .where('attempts.state', '=', 'RUNNING')
    .where('runs.resources_unconfirmed', '=', true)
    .executeTakeFirstOrThrow();
  const { rows: consumers } = await sql<Census['consumers'][number]>`
    select
      c.name,
      (select count(*)::int from (select from feed_events f where f.consumer = c.name limit ${MOST_WAITING}) w) as waiting,
      coalesce((
        select extract(epoch from clock_timestamp() - coalesce(e.at, p.created_at))::float8
        from feed_events f
          left join run_events e using (run_id, sequence)
          left join project_events p on p.id = f.project_event_id
        where f.consumer = c.name order by f.id limit 1
      ), 0) as age
    from feed_consumers c`.execute(db);
  return {
    consumers,
    runs: countsOf(UNFINISHED, runs),
    unconfirmedRuns: unconfirmed,
    tasks: countsOf(OPEN, tasks),
    queueAgeSeconds: tasks.find(({ state }) => state === 'PENDING')?.age ?? 0,
  };
}

/** States that none is in count 0. */
function countsOf(states: readonly string[], rows: readonly { state: string; count: number }[]) {
  return Object.fromEntries(states.map((name) => [name, rows.find(({ state }) => state === name)?.count ?? 0]));
}
