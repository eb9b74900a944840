import { sql } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { insertProjectEvent } from '../../../src/adapters/database/event-writes.ts';
import { createEventFeed } from '../../../src/adapters/database/feed.ts';
import { createRunStore } from '../../../src/adapters/database/runs.ts';
import { newId } from '../../../src/base/ids.ts';
import { type EventFeed, type FedEvent, keyOf } from '../../../src/control/ports.ts';
import { type RunStore, USUAL_LAUNCH } from '../../../src/engine/ports.ts';
import { seedProject, startTestPostgres, type TestDatabase, type TestPostgres } from '../../support/postgres.ts';

let postgres: TestPostgres;
let database: TestDatabase;
let runs: RunStore;
let feed: EventFeed;

beforeAll(async () => {
  postgres = await startTestPostgres();
}, 60_000);
afterAll(() => postgres.stop());
beforeEach(async () => {
  database = await postgres.database();
  runs = createRunStore(database);
  feed = createEventFeed(database);
  await seedProject(database.db);
});

async function launched(): Promise<string> {
  const { run } = await runs.insertRun({
    ...{ id: newId('run'), projectId: 'project_1', recipe: {}, recipeDigest: 'r', inputs: { prior: 'p' } },
    ...{ datasetVersionId: 'project_1_version', priorId: 'project_1_prior', idempotencyKey: null, fingerprint: 'f' },
    ...{ traceparent: null, stages: ['encode'], ...USUAL_LAUNCH },
  });
  return run.id;
}

const append = (runId: string, ...types: string[]) =>
  runs.change(runId, (tx) => tx.appendEvents(types.map((type) => ({ type, payload: { about: type } }))));
const told = async (consumer = 'sink', first = 100) =>
  (await feed.waiting(consumer, first)).map((event) =>
    event.of === 'run' ? `${event.runId} ${event.sequence} ${event.type}` : `${event.subject} ${event.type}`,
  );
const register = (consumer: string) => feed.register(consumer, null);

describe('the feed', () => {
  it('begins at now, and tells each consumer all that comes, with its project', async () => {
    const run = await launched();
    await register('sink');
    expect(await told()).toEqual([]);
    await append(run, 'a', 'b');
    await register('other');
    await append(run, 'c');
    expect(await told()).toEqual([`${run} 2 a`, `${run} 3 b`, `${run} 4 c`]);
    expect(await told('other')).toEqual([`${run} 4 c`]);
    expect(await feed.waiting('sink', 1)).toMatchObject([
      {
        runId: run,
        projectId: 'project_1',
        sequence: 2,
        type: 'a',
        payload: { about: 'a' },
        at: expect.any(Date) as Date,
      },
    ]);
    expect(await told('unknown')).toEqual([]);
  });

  it('keeps what is not done, each consumer its own, over a registration anew', async () => {
    const run = await launched();
    await register('sink');
    await register('other');
    await append(run, 'a', 'b');
    await feed.done('sink', await feed.waiting('sink', 1));
    await register('sink');
    expect(await told()).toEqual([`${run} 3 b`]);
    expect(await told('other')).toHaveLength(2);
    await feed.done('sink', await feed.waiting('sink', 9));
    await feed.done('sink', []);
    expect(await told()).toEqual([]);
  });

  it('passes over nothing that commits after what was written later', async () => {
    await register('sink');
    const [slow, quick] = [await launched(), await launched()];
    await feed.done('sink', await feed.waiting('sink', 9));
    const { promise: held, resolve: letGo } = Promise.withResolvers<void>();
    const { promise: written, resolve: wrote } = Promise.withResolvers<void>();
    const late = runs.change(slow, async (tx) => {
      await tx.appendEvents([{ type: 'slow', payload: {} }]);
      // writes what is due so far: from here on the event has its id
      await tx.recountStage('encode');
      wrote();
      await held;
    });
    await written;
    await append(quick, 'quick');
    expect(await told()).toEqual([`${quick} 2 quick`]);
    await feed.done('sink', await feed.waiting('sink', 9));
    letGo();
    await late;
    expect(await told()).toEqual([`${slow} 2 slow`]);
  });

  it('has the events of a run in their order, whoever writes them', async () => {
    await register('sink');
    const ids = await Promise.all([launched(), launched(), launched()]);
    const stores = [runs, createRunStore(database), createRunStore(database)];
    const writes = Array.from({ length: 90 }, (_, i) =>
      stores[i % 3]!.change(ids[(i * 7) % 3]!, (tx) => tx.appendEvents([{ type: `e${i}`, payload: {} }])),
    );
    const seen = new Map<string, number[]>();
    const take = async () => {
      const events = await feed.waiting('sink', 7);
      for (const event of events) {
        const sequence = event.of === 'run' ? event.sequence : NaN;
        seen.set(keyOf(event), [...(seen.get(keyOf(event)) ?? []), sequence]);
      }
      await feed.done('sink', events);
      return events.length;
    };
    const all = Promise.all(writes).then(() => true);
    while (!(await Promise.race([all, Promise.resolve(false)]))) await take();
    while ((await take()) > 0);
    for (const id of ids) expect(seen.get(id)).toEqual(Array.from({ length: 31 }, (_, i) => i + 1));
  });

  it('carries what happens in a project too, in the order of each subject, whoever writes it', async () => {
    await feed.register('sink', ['alias.promoted', 'run.created']);
    await feed.register('other', ['datasetVersion.ready']);
    const writes = Array.from({ length: 60 }, (_, n) =>
      database.db.transaction().execute(async (tx) => {
        await insertProjectEvent(tx, 'project_1', { type: 'alias.promoted', subject: `a${n % 3}`, payload: { n } });
      }),
    );
    const run = launched();
    const seen: FedEvent[] = [];
    const take = async () => {
      const events = await feed.waiting('sink', 7);
      seen.push(...events);
      await feed.done('sink', events);
      return events.length;
    };
    const all = Promise.all([...writes, run]).then(() => true);
    while (!(await Promise.race([all, Promise.resolve(false)]))) await take();
    while ((await take()) > 0);
    expect(seen).toHaveLength(61);
    expect(seen.filter(({ of }) => of === 'run')).toMatchObject([{ runId: await run, type: 'run.created' }]);
    for (const subject of ['a0', 'a1', 'a2']) {
      const told = seen.flatMap((event) => (event.of === 'project' && event.subject === subject ? [event] : []));
      expect(told).toHaveLength(20);
      expect(told.map(({ at }) => at.getTime())).toEqual(told.map(({ at }) => at.getTime()).sort((a, b) => a - b));
      expect(told[0]).toMatchObject({ projectId: 'project_1', payload: { n: expect.any(Number) as number } });
    }
    expect(await told('other')).toEqual([]);
  });

  it('leaves no event of a change that failed', async () => {
    await register('sink');
    const run = await launched();
    const failing = runs.change(run, async (tx) => {
      await tx.appendEvents([{ type: 'never', payload: {} }]);
      throw new Error('not to be');
    });
    await expect(failing).rejects.toThrow('not to be');
    expect(await told()).toEqual([`${run} 1 run.created`]);
  });

  it('is handed on by one at a time, and by the next once that one is gone', async () => {
    const claim = await feed.claim('sink');
    expect(await feed.claim('sink')).toBeNull();
    const other = await feed.claim('other');
    expect(other).not.toBeNull();
    await claim!.release();
    const next = await feed.claim('sink');
    expect(next).not.toBeNull();
    await Promise.all([next!.release(), other!.release()]);
  });

  it('forgets a consumer that nobody asked about for a week, with what waited for it', async () => {
    await register('sink');
    await register('gone');
    await launched();
    await sql`update feed_consumers set seen_at = now() - interval '8 days'`.execute(database.db);
    // who is asked about is seen
    await feed.waiting('sink', 1);
    expect(await feed.forgetAbandoned()).toEqual([{ consumer: 'gone', events: 1 }]);
    expect(await told()).toHaveLength(1);
    expect(await told('gone')).toEqual([]);
    await launched();
    expect(await told('gone')).toEqual([]);
  });
});
