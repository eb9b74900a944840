import { setTimeout as delay } from 'node:timers/promises';
import { CompiledQuery, sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRunStore } from '../../src/adapters/database/runs.ts';
import { systemClock } from '../../src/base/clock.ts';
import { type Engine } from '../../src/engine/index.ts';
import { type RunStore } from '../../src/engine/ports.ts';
import {
  ended,
  engineOver,
  eventsOf,
  fakeExecutor,
  fakePublications,
  launch,
  launchRequest,
  stateOf,
  USAGE,
  type KillPoint,
} from '../support/engine.ts';
import { replay } from '../support/faults/history.ts';
import { startTestPostgres, type TestDatabase, type TestPostgres } from '../support/postgres.ts';
import { until } from '../support/until.ts';

let postgres: TestPostgres;
let database: TestDatabase;
const engines: Engine[] = [];

beforeAll(async () => {
  postgres = await startTestPostgres();
}, 60_000);
afterAll(() => postgres.stop());
beforeEach(async () => {
  database = await postgres.database();
});
afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.stop()));
  await database.db.destroy();
});

async function over(...more: Parameters<typeof engineOver> extends [unknown, ...infer Rest] ? Rest : never) {
  const made = await engineOver(database, ...more);
  return { ...made, db: database.db, ...made.fakes };
}

/** It succeeded, all of it, and its history has no move that the table of states lacks. */
async function expectLegalSuccess(runId: string) {
  const { faults, run, stages, tasks } = replay(await eventsOf(database.db, runId));
  expect(faults).toEqual([]);
  expect([run, ...Object.values(stages)]).toEqual(Array(4).fill('SUCCEEDED'));
  expect(Object.values(tasks)).toEqual(Array(5).fill('SUCCEEDED'));
}

describe('an engine that is killed', () => {
  // Before the next change is nearly after this one, so every third will do.
  const points: KillPoint[] = Array.from({ length: 26 }, (_, i) => i + 1).flatMap((change): KillPoint[] => [
    ...(change % 3 === 1 ? [{ at: 'before' as const, change }] : []),
    { at: 'after', change },
  ]);

  it('at any change is continued by the next, and nothing published is made twice', async () => {
    let reached = 0;
    for (const [seed, kill] of points.entries()) {
      const request = { recipe: { seed }, idempotencyKey: `launch ${seed}` };
      const first = await over(undefined, { kill });
      const { db, executor, publications } = first;
      await first.engine.start();
      const launched = launch(first.engine, db, request);
      const runId = await Promise.race([launched, first.died.then(() => null)]);
      await Promise.race([first.died, until(async () => runId && /SUCC/.test(await stateOf(db, runId)))]);
      if (first.changes() >= kill.change) reached++;
      first.kill();

      const published = new Set([...publications.published.keys()].map((key) => key.split('/')[1]));
      const before = executor.starts.length;
      const second = await over(first.fakes);
      engines.push(second.engine);
      await second.engine.start();
      // Killed before the launch was acknowledged: the client asks again.
      const id = runId ?? (await launch(second.engine, db, request));
      expect(await ended(db, id), JSON.stringify(kill)).toBe('SUCCEEDED');
      await expectLegalSuccess(id);
      const again = executor.starts.slice(before).map((order) => order.task.artifactId);
      expect(again.filter((artifact) => published.has(artifact))).toEqual([]);
      expect(new Set(again).size).toBe(again.length);
      expect(executor.running.size).toBe(0);
      const left = await db.selectFrom('attempts').select('id').where('state', '=', 'RUNNING').execute();
      expect(left).toEqual([]);
      await second.engine.stop();
    }
    expect(reached).toBeGreaterThan(28);
  }, 180_000);

  it('leaves attempts that are released, lost and tried again with a new epoch', async () => {
    const first = await over();
    const { db, executor } = first;
    executor.hold = () => true;
    await first.engine.start();
    const runId = await launch(first.engine, db);
    await until(
      async () =>
        (await db.selectFrom('attempts').select('id').where('reference', 'is not', null).execute()).length === 2,
    );
    first.kill();

    executor.hold = () => false;
    const second = await over(first.fakes);
    engines.push(second.engine);
    await second.engine.start();
    expect(await ended(db, runId)).toBe('SUCCEEDED');
    const attempts = await db.selectFrom('attempts').selectAll().orderBy('started_at').execute();
    expect(attempts.slice(0, 2).map((of) => [of.state, of.failure?.class, of.epoch])).toEqual(
      Array(2).fill(['LOST', 'lost', 1]),
    );
    expect(attempts.slice(2, 4).map((of) => [of.state, of.epoch, of.number])).toEqual(
      Array(2).fill(['SUCCEEDED', 2, 2]),
    );
    expect(attempts[0]!.usage!.allocatedSeconds).toBeGreaterThan(0);
    await expectLegalSuccess(runId);
  });

  it('leaves a cancellation that is carried through', async () => {
    const first = await over();
    const { db, executor } = first;
    executor.hold = () => true;
    executor.obedient = false;
    await first.engine.start();
    const runId = await launch(first.engine, db);
    await until(() => executor.held.length === 2);
    await first.engine.cancel('project_1', runId);
    first.kill();
    const second = await over(first.fakes);
    engines.push(second.engine);
    await second.engine.start();
    expect(await ended(db, runId)).toBe('CANCELLED');
    expect(executor.running.size).toBe(0);
  });
});

describe('attempts that outlive their engine', () => {
  for (const how of ['killed', 'stopped'] as const) {
    it(`go on under the next where it was ${how}, and are not tried again`, async () => {
      const first = await over();
      first.executor.adopts = true;
      first.executor.hold = () => true;
      await first.engine.start();
      const runId = await launch(first.engine, first.db);
      await until(() => first.executor.held.length === 2);
      const [ended_, goesOn] = first.executor.held;
      await until(async () => {
        const rows = await first.db.selectFrom('attempts').select('reference').execute();
        return rows.every(({ reference }) => reference !== null);
      });
      if (how === 'killed') first.kill();
      else await first.engine.stop();
      expect(first.executor.held.map(({ cancelled }) => cancelled)).toEqual([false, false]);
      // One of them ends while no service is there to see it.
      await ended_!.succeed();

      first.executor.hold = () => false;
      const next = await over(first.fakes, { ownerId: 'next' });
      engines.push(next.engine);
      await next.engine.start();
      const owners = async () =>
        (await first.db.selectFrom('attempts').select(['owner', 'state']).execute()).filter(
          ({ owner, state }) => owner === 'next' && state === 'RUNNING',
        );
      await until(async () => (await owners()).length === 1, 'the one that goes on to be adopted');
      goesOn!.progress(1);
      await until(
        async () => (await eventsOf(first.db, runId)).some(({ payload }) => payload['itemsDone'] === 3),
        'its progress to be told',
      );
      await goesOn!.succeed();
      expect(await ended(first.db, runId)).toBe('SUCCEEDED');
      const events = await eventsOf(first.db, runId);
      expect(events.filter(({ type }) => type === 'attempt.adopted')).toHaveLength(2);
      expect(events.filter(({ type }) => type === 'attempt.lost' || type === 'attempt.cancelled')).toEqual([]);
      expect(first.executor.starts).toHaveLength(5);
      expect([ended_, goesOn].map((held) => held!.recorded)).toEqual([true, true]);
      const states = await first.db.selectFrom('attempts').select('state').distinct().execute();
      expect(states).toEqual([{ state: 'SUCCEEDED' }]);
    });
  }

  it('count among what is under way before the next begins anything', async () => {
    const publications = fakePublications();
    const fakes = { publications, executor: fakeExecutor(publications, 4) };
    const first = await over(fakes);
    first.executor.adopts = true;
    first.executor.hold = () => true;
    await first.engine.start();
    const request = await launchRequest(first.db);
    await first.db.updateTable('projects').set({ max_running_tasks: 1 }).where('id', '=', request.projectId).execute();
    const { run } = await first.engine.launch(request);
    await until(() => first.executor.held.length === 1);
    first.kill();
    // A cluster that answers late.
    const { adopt } = first.executor;
    first.executor.adopt = async (attempts) => {
      await delay(300);
      return adopt!(attempts);
    };
    const next = await over(fakes);
    engines.push(next.engine);
    await next.engine.start();
    first.executor.hold = () => false;
    await first.executor.held[0]!.succeed();
    expect(await ended(first.db, run.id)).toBe('SUCCEEDED');
    expect(first.executor.mostAtOnce).toBe(1);
    expect(first.executor.starts).toHaveLength(5);
  });

  it('go on under the same engine, which lost the right to move runs and got it back before another had it', async () => {
    const made = createRunStore(database);
    const claims: { lost: boolean; release(): Promise<void> }[] = [];
    const runs: RunStore = {
      ...made,
      async claim() {
        const got = await made.claim();
        if (!got) return null;
        const mine = { lost: false, release: () => got.release() };
        claims.push(mine);
        return { ...got, held: () => got.held() && !mine.lost };
      },
    };
    const { engine, db, executor } = await over(undefined, { runs, lease: { durationMs: 300, renewEveryMs: 50 } });
    engines.push(engine);
    executor.adopts = true;
    executor.hold = () => true;
    await engine.start();
    const runId = await launch(engine, db);
    await until(() => executor.held.length === 2);
    claims[0]!.lost = true;
    // Its connection is there yet, so it stands by, and leaves them.
    const expired = sql<boolean>`lease_expires_at < now()`;
    await until(async () => (await db.selectFrom('attempts').select('id').where(expired).execute()).length === 2);
    await claims[0]!.release();
    const adopted = async () => (await eventsOf(db, runId)).filter(({ type }) => type === 'attempt.adopted').length;
    await until(async () => (await adopted()) === 2, 'both to be adopted');
    executor.hold = () => false;
    for (const one of executor.held) await one.succeed();
    expect(await ended(db, runId)).toBe('SUCCEEDED');
    expect(executor.starts).toHaveLength(5);
    const events = await eventsOf(db, runId);
    expect(events.filter(({ type }) => type === 'attempt.lost' || type === 'attempt.cancelled')).toEqual([]);
  });

  it('are stopped by the next where their run was cancelled', async () => {
    const first = await over();
    first.executor.adopts = true;
    first.executor.hold = () => true;
    await first.engine.start();
    const runId = await launch(first.engine, first.db);
    await until(() => first.executor.held.length === 2);
    first.kill();
    const next = await over(first.fakes);
    engines.push(next.engine);
    await next.engine.cancel('project_1', runId);
    await next.engine.start();
    expect(await ended(first.db, runId)).toBe('CANCELLED');
    expect(first.executor.running.size).toBe(0);
    expect(first.executor.held.map(({ cancelled }) => cancelled)).toEqual([true, true]);
  });
});

describe('an engine that is stopped', () => {
  it('leaves its tasks to the next start, and no failure behind', async () => {
    const first = await over();
    const { db, executor } = first;
    executor.hold = () => true;
    await first.engine.start();
    const runId = await launch(first.engine, db);
    await until(() => executor.held.length === 2);
    await first.engine.stop();
    expect(executor.running.size).toBe(0);
    expect(await stateOf(db, runId)).toBe('RUNNING');
    const tasks = await db.selectFrom('tasks').select('state').execute();
    expect(tasks.map((task) => task.state)).toEqual(['PENDING', 'PENDING']);
    const attempts = await db.selectFrom('attempts').select(['state', 'failure']).execute();
    expect(attempts).toEqual(Array(2).fill({ state: 'CANCELLED', failure: null }));

    executor.hold = () => false;
    const second = await over(first.fakes);
    engines.push(second.engine);
    await second.engine.start();
    expect(await ended(db, runId)).toBe('SUCCEEDED');
    await expectLegalSuccess(runId);
  });
});

describe('two engines over one database', () => {
  it('take turns: the second stands by until the first is gone', async () => {
    const first = await over();
    const { db, executor } = first;
    await first.engine.start();
    const second = await over(first.fakes);
    engines.push(second.engine);
    await second.engine.start();
    executor.hold = () => true;
    // Launched at the one that stands by, carried out by the other.
    const runId = await launch(second.engine, db);
    await until(() => executor.held.length === 2);
    const owners = async () =>
      new Set((await db.selectFrom('attempts').select('owner').execute()).map((of) => of.owner));
    expect((await owners()).size).toBe(1);
    executor.hold = () => false;
    await first.engine.stop();
    expect(await ended(db, runId)).toBe('SUCCEEDED');
    expect((await owners()).size).toBe(2);
  });
});

describe('an engine that loses its claim', () => {
  const endClaim = CompiledQuery.raw(
    "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pushforward claim' and datname = current_database()",
  );

  it('begins nothing more, and stops what the next has given up', async () => {
    // It does not look by itself, so that the other one takes over.
    const first = await over(undefined, { tuning: { pollMs: 3_600_000, backoffMs: 1, progressMs: 20 } });
    const second = await over();
    engines.push(first.engine, second.engine);
    first.executor.hold = () => true;
    await first.engine.start();
    await second.engine.start();
    const runIds = [];
    for (const seed of [1, 2]) runIds.push(await launch(first.engine, first.db, { recipe: { seed } }));
    await until(() => first.executor.held.length === 2);
    second.executor.hold = () => true;
    await first.db.executeQuery(endClaim);
    await until(() => second.executor.held.length === 2);
    await until(() => first.executor.held.every((held) => held.cancelled));
    await until(() => first.executor.running.size === 0);
    second.executor.hold = () => false;
    for (const held of second.executor.held) await held.succeed();
    for (const runId of runIds) expect(await ended(first.db, runId)).toBe('SUCCEEDED');
    expect(first.executor.starts).toHaveLength(2);
  });

  it('stops what it runs as soon as it finds another in its place', async () => {
    const looks = Promise.withResolvers<void>();
    const { engine, db, executor } = await over(undefined, {
      tuning: { pollMs: 77, backoffMs: 1, progressMs: 20 },
      lease: { durationMs: 3_600_000, renewEveryMs: 3_600_000 },
      clock: {
        ...systemClock,
        sleep: async (ms, signal) => {
          if (ms === 77 && !signal?.aborted) {
            await Promise.race([looks.promise, new Promise((stop) => signal?.addEventListener('abort', stop))]);
          }
          await systemClock.sleep(ms, signal);
        },
      },
    });
    engines.push(engine);
    executor.hold = () => true;
    await engine.start();
    await launch(engine, db);
    await until(() => executor.held.length === 2);
    await db.executeQuery(endClaim);
    const claim = await until(() => createRunStore(database).claim(), 'the claim');
    looks.resolve();
    await until(() => executor.running.size === 0);
    const pending = async () => (await db.selectFrom('tasks').select('state').execute()).map((task) => task.state);
    await until(async () => (await pending()).every((state) => state === 'PENDING'));
    expect(executor.starts).toHaveLength(2);
    await claim.release();
  });
});

describe('a lease', () => {
  it('that runs out for want of evidence asks the attempt to go, which is lost when it is gone', async () => {
    const { engine, db, executor } = await over(undefined, { lease: { durationMs: 200, renewEveryMs: 40 } });
    engines.push(engine);
    executor.hold = () => true;
    executor.obedient = false;
    await engine.start();
    const runId = await launch(engine, db);
    await until(() => executor.held.length === 2);
    const [silent, other] = executor.held as [(typeof executor.held)[0], (typeof executor.held)[0]];
    silent.silent = true;
    await until(() => silent.cancelled);
    const lost = async () => (await eventsOf(db, runId)).some((event) => event.type === 'attempt.lost');
    expect(await lost()).toBe(false);
    executor.hold = () => false;
    silent.settle({ kind: 'cancelled', usage: USAGE });
    await until(lost);
    await other.succeed();
    expect(await ended(db, runId)).toBe('SUCCEEDED');
    const attempts = await db
      .selectFrom('attempts')
      .select(['state', 'epoch'])
      .where('id', '=', silent.order.attemptId)
      .execute();
    expect(attempts).toEqual([{ state: 'LOST', epoch: 1 }]);
    await expectLegalSuccess(runId);
  });
});

describe('an attempt that cannot be seen gone', () => {
  const attemptsOf = async (runId: string) =>
    database.db.selectFrom('attempts').selectAll().where('run_id', '=', runId).orderBy('started_at').execute();
  const unconfirmed = async (runId: string) => {
    const run = database.db.selectFrom('runs').select('resources_unconfirmed').where('id', '=', runId);
    return (await run.executeTakeFirstOrThrow()).resources_unconfirmed;
  };
  const types = async (runId: string) => (await eventsOf(database.db, runId)).map((event) => event.type);

  /** Two attempts of a service that was killed, and the next, which is told in vain to make them go. */
  async function left(cancel: boolean) {
    let now = Date.now();
    const first = await over();
    const { db, executor } = first;
    Object.assign(executor, { hold: () => true, obedient: false, releases: false });
    await first.engine.start();
    const runId = await launch(first.engine, db);
    await until(async () => (await attemptsOf(runId)).filter((of) => of.reference).length === 2);
    if (cancel) await first.engine.cancel('project_1', runId);
    first.kill();
    let asked = 0;
    const { release } = executor;
    executor.release = async (reference) => (asked++, release(reference));
    const second = await over(first.fakes, { clock: { ...systemClock, now: () => new Date(now) } });
    engines.push(second.engine);
    await second.engine.start();
    await until(() => asked > 4);
    return { ...second, runId, wait: (ms: number) => void (now += ms) };
  }

  it('is handed on after the deadline where its run is running, and lost once it is gone', async () => {
    const { executor, runId, db, wait } = await left(false);
    expect(executor.starts).toHaveLength(2);
    expect((await attemptsOf(runId)).map((of) => of.state)).toEqual(['RUNNING', 'RUNNING']);
    expect(await unconfirmed(runId)).toBe(false);
    executor.hold = () => false;
    wait(10_001);
    expect(await ended(db, runId)).toBe('SUCCEEDED');
    await expectLegalSuccess(runId);
    const before = await attemptsOf(runId);
    expect(before.map((of) => [of.state, of.epoch]).slice(0, 4)).toEqual([
      ['RUNNING', 1],
      ['RUNNING', 1],
      ['SUCCEEDED', 2],
      ['SUCCEEDED', 2],
    ]);
    expect(await unconfirmed(runId)).toBe(true);
    expect(await types(runId)).toContain('run.resourcesUnconfirmed');
    expect(await types(runId)).not.toContain('attempt.lost');

    executor.releases = true;
    await until(async () => !(await unconfirmed(runId)));
    expect((await attemptsOf(runId)).map((of) => of.state).slice(0, 2)).toEqual(['LOST', 'LOST']);
    expect((await types(runId)).slice(-3)).toEqual(['attempt.lost', 'attempt.lost', 'run.resourcesReleased']);
    expect(executor.running.size).toBe(0);
    const encode = db.selectFrom('stages').selectAll().where('name', '=', 'encode');
    const { tasks_done, cost_usd } = await encode.executeTakeFirstOrThrow();
    expect(tasks_done).toBe(2);
    expect(cost_usd).toBeGreaterThan(0.2);
  });

  it('stays running where its run is stopping, which ends without it after the deadline', async () => {
    const { executor, runId, db, wait } = await left(true);
    expect(await stateOf(db, runId)).toBe('STOPPING');
    wait(10_001);
    expect(await ended(db, runId)).toBe('CANCELLED');
    expect((await attemptsOf(runId)).map((of) => of.state)).toEqual(['RUNNING', 'RUNNING']);
    expect(await unconfirmed(runId)).toBe(true);
    executor.releases = true;
    await until(async () => !(await unconfirmed(runId)));
    expect((await attemptsOf(runId)).map((of) => of.state)).toEqual(['LOST', 'LOST']);
    expect((await types(runId)).at(-1)).toBe('run.resourcesReleased');
    expect(executor.starts).toHaveLength(2);
  });

  it('is handed on by its own service too', async () => {
    let now = Date.now();
    const clock = { ...systemClock, now: () => new Date(now) };
    const { engine, db, executor } = await over(undefined, { clock, lease: { durationMs: 100, renewEveryMs: 30 } });
    engines.push(engine);
    Object.assign(executor, { hold: () => true, obedient: false });
    await engine.start();
    const runId = await launch(engine, db);
    await until(() => executor.held.length === 2);
    for (const held of executor.held) held.silent = true;
    await until(() => executor.held.every((held) => held.cancelled));
    expect(executor.starts).toHaveLength(2);
    executor.hold = () => false;
    now += 10_001;
    expect(await ended(db, runId)).toBe('SUCCEEDED');
    expect(await unconfirmed(runId)).toBe(true);
    for (const held of executor.held) held.settle({ kind: 'cancelled', usage: USAGE });
    await until(async () => !(await unconfirmed(runId)));
    expect((await attemptsOf(runId)).map((of) => of.state).slice(0, 2)).toEqual(['LOST', 'LOST']);
  });
});

describe('a database that loses every connection', () => {
  it('is found again, and the outcomes seen meanwhile are recorded', async () => {
    const { engine, db, executor } = await over();
    engines.push(engine);
    executor.hold = () => true;
    await engine.start();
    const runId = await launch(engine, db);
    await until(() => executor.held.length === 2);
    const terminateAll = CompiledQuery.raw(
      'select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()',
    );
    executor.hold = () => false;
    await Promise.all([db.executeQuery(terminateAll), ...executor.held.map((held) => held.succeed())]);
    expect(await ended(db, runId)).toBe('SUCCEEDED');
    expect(executor.starts).toHaveLength(5);
    await expectLegalSuccess(runId);
  });
});
