import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRunStore } from '../../src/adapters/database/runs.ts';
import { systemClock, type Clock } from '../../src/base/clock.ts';
import { PushforwardError } from '../../src/base/errors.ts';
import { type Engine } from '../../src/engine/index.ts';
import { USUAL_LAUNCH } from '../../src/engine/ports.ts';
import { failureOf } from '../../src/engine/retry.ts';
import {
  ended,
  engineOver,
  eventsOf,
  fakeExecutor,
  fakePlanner,
  fakePublications,
  launch,
  launchRequest,
  stateOf,
  USAGE,
} from '../support/engine.ts';
import { startTestPostgres, type TestDatabase, type TestPostgres } from '../support/postgres.ts';
import { taskOf } from '../support/tasks.ts';
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

async function started(...more: Parameters<typeof engineOver> extends [unknown, ...infer Rest] ? Rest : never) {
  const made = await engineOver(database, ...more);
  engines.push(made.engine);
  await made.engine.start();
  return { ...made, db: database.db, ...made.fakes };
}

function withSlots(slots: number) {
  const publications = fakePublications();
  return { publications, executor: fakeExecutor(publications, slots) };
}

const types = async (runId: string) => (await eventsOf(database.db, runId)).map((event) => event.type);

describe('a run', () => {
  it('goes through its stages, and everything it did is on record', async () => {
    const { engine, db, executor } = await started();
    const heard: [string, number][] = [];
    engine.events.subscribe((...of) => heard.push(of));
    const runId = await launch(engine, db);
    expect(await ended(db, runId)).toBe('SUCCEEDED');

    expect(executor.starts).toHaveLength(5);
    expect(executor.starts[0]!.execution).toEqual({ threads: 2 });
    const run = await db.selectFrom('runs').selectAll().where('id', '=', runId).executeTakeFirstOrThrow();
    expect(run.cost_usd).toBeCloseTo(0.5);
    expect(run.ended_at!.getTime()).toBeGreaterThanOrEqual(run.started_at!.getTime());
    const stages = await db.selectFrom('stages').selectAll().orderBy('position').execute();
    expect(stages.map((of) => [of.name, of.state, of.tasks_done, of.items_done, of.allocated_seconds])).toEqual([
      ['encode', 'SUCCEEDED', 2, 4, 20],
      ['quantize', 'SUCCEEDED', 2, 4, 20],
      ['report', 'SUCCEEDED', 1, 2, 10],
    ]);
    const tasks = await db.selectFrom('tasks').selectAll().execute();
    expect(tasks.every((task) => task.state === 'SUCCEEDED' && task.cache === 'MISS' && task.epoch === 1)).toBe(true);
    const attempts = await db.selectFrom('attempts').selectAll().execute();
    expect(attempts.map((of) => [of.state, of.cost_usd, of.reference])).toEqual(
      attempts.map((of) => ['SUCCEEDED', 0.1, { process: of.id }]),
    );

    const artifacts = await db.selectFrom('artifacts').selectAll().execute();
    expect(artifacts.map((of) => of.kind).sort()).toEqual([
      ...Array<string>(5).fill('latents'),
      ...Array<string>(3).fill('stage'),
    ]);
    expect(artifacts.find((of) => of.kind === 'latents')).toMatchObject({ bytes: 100, run_id: runId, cost_usd: 0.1 });
    const written = await db.selectFrom('run_artifacts').selectAll().execute();
    expect(
      written
        .filter((of) => of.direction === 'INPUT')
        .map((of) => of.artifact_id)
        .sort(),
    ).toEqual(['dataset-artifact', 'prior-artifact']);
    expect(written.filter((of) => of.direction === 'OUTPUT')).toHaveLength(8);
    const edges = await db.selectFrom('artifact_inputs').selectAll().execute();
    expect(edges).toHaveLength(2 * 2 + 2 + (2 + 2 + 1));

    const events = await eventsOf(db, runId);
    expect(events.map((event) => event.sequence)).toEqual(events.map((_, i) => i + 1));
    expect(events[0]!.type).toBe('run.created');
    expect(events.at(-1)).toMatchObject({ type: 'run.succeeded', payload: { costUsd: run.cost_usd } });
    expect(events.filter((event) => event.type === 'stage.succeeded').map((of) => of.payload)).toMatchObject([
      { stage: 'encode', tasksTotal: 2, tasksCached: 0, costUsd: 0.2 },
      { stage: 'quantize' },
      { stage: 'report' },
    ]);
    // Two changes that commit together may be told in either order; the newest is always told.
    await until(() => heard.some(([, sequence]) => sequence === events.length));
    expect(heard.every(([of, sequence]) => of === runId && sequence >= 1 && sequence <= events.length)).toBe(true);
  });

  it('takes what is published for nothing', async () => {
    const { engine, db, executor } = await started();
    await ended(db, await launch(engine, db));
    const second = await launch(engine, db);
    expect(await ended(db, second)).toBe('SUCCEEDED');
    expect(executor.starts).toHaveLength(5);
    const tasks = await db.selectFrom('tasks').selectAll().where('run_id', '=', second).execute();
    expect(tasks.every((task) => task.cache === 'HIT' && task.metrics?.['index'] === task.index)).toBe(true);
    const run = await db.selectFrom('runs').selectAll().where('id', '=', second).executeTakeFirstOrThrow();
    expect(run.cost_usd).toBe(0);
    expect(await types(second)).not.toContain('attempt.started');
    const otherRecipe = await launch(engine, db, { recipe: { seed: 2 } });
    await ended(db, otherRecipe);
    expect(executor.starts).toHaveLength(10);
  });

  it('is looked at by one at a time, though it was launched while the others were listed', async () => {
    const listed = Promise.withResolvers<void>();
    const planning = Promise.withResolvers<void>();
    const runs = createRunStore(database);
    const { activeRuns } = runs;
    let lists = 0;
    runs.activeRuns = async () => {
      const ids = await activeRuns();
      if (lists++ === 1) await listed.promise;
      return ids;
    };
    let plans = 0;
    const planner = fakePlanner();
    const { plan } = planner;
    planner.plan = async (request) => {
      plans++;
      await planning.promise;
      return plan(request);
    };
    const { engine, db } = await started(undefined, { runs, planner });
    await until(() => lists === 2);
    const runId = await launch(engine, db);
    await until(() => plans === 1);
    listed.resolve();
    await until(() => lists > 4);
    expect(plans).toBe(1);
    planning.resolve();
    expect(await ended(db, runId)).toBe('SUCCEEDED');
  });

  it('skips a stage that the planner has no need of', async () => {
    const planner = fakePlanner((stage) =>
      stage === 'quantize' ? { kind: 'skip', reason: 'not asked for' } : { kind: 'tasks', tasks: [taskOf({ stage })] },
    );
    const { engine, db } = await started(undefined, { planner });
    const runId = await launch(engine, db);
    expect(await ended(db, runId)).toBe('SUCCEEDED');
    const stage = await db.selectFrom('stages').selectAll().where('name', '=', 'quantize').executeTakeFirstOrThrow();
    expect(stage).toMatchObject({ state: 'SKIPPED', skip_reason: 'not asked for' });
  });

  it('tells what its attempts wait for, until they run', async () => {
    const { engine, db, executor } = await started();
    executor.hold = () => true;
    const runId = await launch(engine, db);
    await until(() => executor.held.length === 2);
    const waiting = () =>
      until(async () => {
        const last = (await eventsOf(db, runId)).filter((of) => of.type === 'stage.progress').at(-1);
        return last && [last.payload['waiting'] ?? 'none'];
      });
    executor.held.forEach((held) => held.waiting('its queue is full'));
    await until(async () => JSON.stringify(await waiting()) === '[{"its queue is full":2}]');
    executor.held[0]!.waiting(null);
    await until(async () => JSON.stringify(await waiting()) === '[{"its queue is full":1}]');
    await executor.held[1]!.succeed();
    await until(async () => JSON.stringify(await waiting()) === '["none"]');
  });

  it('tells its executor once an outcome is recorded, and not before', async () => {
    const { engine, db, executor } = await started();
    executor.hold = () => true;
    await launch(engine, db);
    await until(() => executor.held.length === 2);
    const [first, second] = executor.held;
    first!.fail('INTERNAL');
    await until(() => first!.recorded);
    const [attempt] = await db.selectFrom('attempts').selectAll().where('id', '=', first!.order.attemptId).execute();
    expect(attempt!.state).toBe('FAILED');
    expect(second!.recorded).toBe(false);
  });

  it('shows its progress', async () => {
    const { engine, db, executor } = await started();
    executor.hold = () => true;
    const runId = await launch(engine, db);
    await until(() => executor.held.length === 2);
    executor.held[0]!.progress(1);
    const progress = await until(async () => (await eventsOf(db, runId)).find((of) => of.type === 'stage.progress'));
    expect(progress.payload).toEqual({ stage: 'encode', itemsDone: 1, itemsTotal: 4, tasksDone: 0, tasksTotal: 2 });
  });

  it('shares the slots with others, oldest first, and does no work twice', async () => {
    const { engine, db, executor } = await started();
    executor.hold = () => true;
    const first = await launch(engine, db, { recipe: { seed: 1 } });
    await until(() => executor.held.length === 2);
    const second = await launch(engine, db, { recipe: { seed: 2 } });
    const same = await launch(engine, db, { recipe: { seed: 1 } });
    executor.hold = () => false;
    for (const held of executor.held) await held.succeed();
    expect(await Promise.all([first, second, same].map((id) => ended(db, id)))).toEqual(Array(3).fill('SUCCEEDED'));
    expect(executor.mostAtOnce).toBeLessThanOrEqual(2);
    expect(executor.starts).toHaveLength(10);
    expect(executor.starts.slice(0, 2).every((order) => order.task.options['seed'] === 1)).toBe(true);
  });
});

describe('a failure', () => {
  it('is tried again, and paid for', async () => {
    const { engine, db, executor } = await started();
    executor.hold = (order) => order.task.stage === 'report';
    const runId = await launch(engine, db);
    (await until(() => executor.held[0])).fail('INTERNAL');
    (await until(() => executor.held[1])).fail('OUT_OF_MEMORY');
    await (await until(() => executor.held[2])).succeed();
    expect(await ended(db, runId)).toBe('SUCCEEDED');
    const run = await db.selectFrom('runs').selectAll().where('id', '=', runId).executeTakeFirstOrThrow();
    expect(run.cost_usd).toBeCloseTo(0.7);
    const failed = (await eventsOf(db, runId)).filter((event) => event.type === 'attempt.failed');
    expect(failed.map((of) => of.payload)).toMatchObject([
      { willRetry: true, number: 1, failure: { class: 'internal', lastLogLines: ['last words'] } },
      { willRetry: true, number: 2, failure: { class: 'outOfMemory' } },
    ]);
  });

  it('for want of the store is no failure of the task, and waited out', async () => {
    const { engine, db, executor } = await started();
    executor.hold = (order) => order.task.stage === 'report';
    const runId = await launch(engine, db);
    for (let i = 0; i < 5; i++) (await until(() => executor.held[i])).fail('STORE_UNAVAILABLE');
    await (await until(() => executor.held[5])).succeed();
    expect(await ended(db, runId)).toBe('SUCCEEDED');
  });

  it('ends the run when it comes too often', async () => {
    const { engine, db, executor } = await started();
    executor.hold = (order) => order.task.stage === 'report';
    const runId = await launch(engine, db);
    for (let i = 0; i < 3; i++) (await until(() => executor.held[i])).fail('INTERNAL');
    expect(await ended(db, runId)).toBe('FAILED');
    const run = await db.selectFrom('runs').selectAll().where('id', '=', runId).executeTakeFirstOrThrow();
    expect(run.failure).toMatchObject({ class: 'internal', error: { message: 'INTERNAL happened' } });
    expect((await types(runId)).slice(-4)).toEqual(['task.failed', 'run.stopping', 'stage.failed', 'run.failed']);
  });

  it('of the user ends the run at once, after the other attempts are gone', async () => {
    const { engine, db, executor } = await started();
    executor.hold = () => true;
    executor.obedient = false;
    const runId = await launch(engine, db);
    await until(() => executor.held.length === 2);
    executor.held[0]!.fail('EMPTY_CLASS');
    await until(() => executor.held[1]!.cancelled);
    expect(await stateOf(db, runId)).toBe('STOPPING');
    executor.held[1]!.settle({
      kind: 'cancelled',
      usage: { allocatedSeconds: 1, peakMemoryBytes: 0, bytesRead: 0, bytesWritten: 0 },
    });
    expect(await ended(db, runId)).toBe('FAILED');
    const tasks = await db.selectFrom('tasks').select('state').orderBy('index').execute();
    expect(tasks.map((task) => task.state).sort()).toEqual(['CANCELLED', 'FAILED']);
    const stages = await db.selectFrom('stages').select('state').orderBy('position').execute();
    expect(stages.map((stage) => stage.state)).toEqual(['FAILED', 'CANCELLED', 'CANCELLED']);
    expect(executor.starts).toHaveLength(2);
  });

  it('to have published what the worker said it had is a failure of the attempt', async () => {
    const { engine, db, executor, publications } = await started();
    executor.hold = (order) => order.task.stage === 'report';
    const runId = await launch(engine, db);
    const held = await until(() => executor.held[0]);
    const find = publications.find;
    publications.find = async () => null;
    executor.hold = () => false;
    await held.succeed();
    await until(async () => (await types(runId)).includes('attempt.failed'));
    publications.find = find;
    expect(await ended(db, runId)).toBe('SUCCEEDED');
  });

  it('that is told in characters which the database refuses is recorded all the same', async () => {
    const { engine, db, executor } = await started();
    executor.hold = (order) => order.task.stage === 'report';
    const runId = await launch(engine, db);
    const failure = failureOf(new PushforwardError('EMPTY_CLASS', 'class \0', { 'a\0': 'half \ud83d' }));
    const held = await until(() => executor.held[0]);
    held.settle({ kind: 'failed', failure: { ...failure, lastLogLines: ['\0'] }, usage: USAGE });
    expect(await ended(db, runId)).toBe('FAILED');
    const run = await db.selectFrom('runs').selectAll().executeTakeFirstOrThrow();
    expect(run.failure).toMatchObject({ error: { message: 'class \ufffd' }, lastLogLines: ['\ufffd'] });
  });

  it('that cannot be recorded as it is still ends the attempt', async () => {
    const { engine, db, executor } = await started();
    executor.hold = (order) => order.task.stage === 'report';
    const runId = await launch(engine, db);
    for (let i = 0; i < 3; i++) {
      const failure = failureOf(new PushforwardError('INTERNAL', 'x', { bytes: 10n }));
      (await until(() => executor.held[i])).settle({ kind: 'failed', failure, usage: USAGE });
    }
    expect(await ended(db, runId)).toBe('FAILED');
    const run = await db.selectFrom('runs').selectAll().executeTakeFirstOrThrow();
    expect(run.failure!.error.message).toMatch(/^expected attempt attempt_\w+ to be recorded, got: .*BigInt/);
    expect(run.cost_usd).toBeCloseTo(0.7);
  });

  it.each(['before its attempts', 'once an attempt has ended'])(
    'to read the manifest of a task, found %s, ends the run',
    async (when) => {
      const { engine, db, executor, publications } = await started();
      executor.hold = (order) => order.task.stage === 'report';
      const corrupt = async (): Promise<never> => {
        throw new PushforwardError('CORRUPT_ARTIFACT', 'expected a manifest, got another');
      };
      const { verify } = publications;
      if (when === 'before its attempts') {
        // Planning finds nothing, whoever begins the task then finds it corrupt.
        const seen = new Set<string>();
        publications.verify = async (projectId, id) =>
          seen.has(id) ? corrupt() : (seen.add(id), verify(projectId, id));
      }
      const runId = await launch(engine, db);
      if (when === 'once an attempt has ended') {
        const held = await until(() => executor.held[0]);
        publications.find = publications.verify = corrupt;
        await held.succeed();
      }
      expect(await ended(db, runId)).toBe('FAILED');
      const run = await db.selectFrom('runs').selectAll().executeTakeFirstOrThrow();
      expect(run.failure).toMatchObject({ class: 'internal', error: { code: 'CORRUPT_ARTIFACT' } });
      expect(await db.selectFrom('attempts').select('id').where('state', '=', 'RUNNING').execute()).toEqual([]);
    },
  );

  it("of planning ends the run if it is the user's, and is waited out if the store is away", async () => {
    let tries = 0;
    const planner = fakePlanner((stage) => {
      if (stage === 'encode' && tries++ < 5) throw new PushforwardError('STORE_UNAVAILABLE', 'away');
      if (stage === 'quantize') throw new PushforwardError('EMPTY_CLASS', 'expected images, got none');
      return { kind: 'tasks', tasks: [taskOf({ stage })] };
    });
    const { engine, db } = await started(undefined, { planner });
    const runId = await launch(engine, db);
    expect(await ended(db, runId)).toBe('FAILED');
    expect(tries).toBe(6);
    const run = await db.selectFrom('runs').selectAll().executeTakeFirstOrThrow();
    expect(run.failure).toMatchObject({ class: 'userError', error: { code: 'EMPTY_CLASS' } });
  });
});

describe('a cancellation', () => {
  it('ends the run once its attempts are gone', async () => {
    const { engine, db, executor } = await started();
    executor.hold = () => true;
    const runId = await launch(engine, db);
    await until(() => executor.held.length === 2);
    expect((await engine.cancel('project_1', runId)).state).toBe('STOPPING');
    expect(await ended(db, runId)).toBe('CANCELLED');
    expect(executor.running.size).toBe(0);
    expect((await engine.cancel('project_1', runId)).state).toBe('CANCELLED');
    const attempts = await db.selectFrom('attempts').select(['state', 'cost_usd']).execute();
    expect(attempts).toEqual(Array(2).fill({ state: 'CANCELLED', cost_usd: 0.1 }));
    await expect(engine.cancel('project_2', runId)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('of a queued run needs no engine that runs', async () => {
    const { engine } = await engineOver(database);
    const runId = await launch(engine, database.db);
    expect((await engine.cancel('project_1', runId)).state).toBe('STOPPING');
    const { engine: other } = await started();
    expect(await ended(database.db, runId)).toBe('CANCELLED');
    expect(other).toBeDefined();
  });

  it('without evidence ends after the deadline, says so, and tries on', async () => {
    let now = Date.now();
    const clock: Clock = { ...systemClock, now: () => new Date(now) };
    const { engine, db, executor } = await started(undefined, { clock });
    executor.hold = () => true;
    executor.obedient = false;
    const runId = await launch(engine, db);
    await until(() => executor.held.length === 2);
    await engine.cancel('project_1', runId);
    await until(() => executor.held.every((held) => held.cancelled));
    expect(await stateOf(db, runId)).toBe('STOPPING');
    now += 10_001;
    expect(await ended(db, runId)).toBe('CANCELLED');
    const unconfirmed = async () =>
      (await db.selectFrom('runs').select('resources_unconfirmed').executeTakeFirstOrThrow()).resources_unconfirmed;
    expect(await unconfirmed()).toBe(true);
    expect(await types(runId)).toContain('run.resourcesUnconfirmed');

    executor.held[0]!.cancelled = false;
    await until(() => executor.held[0]!.cancelled, 'another request to stop');
    for (const held of executor.held)
      held.settle({
        kind: 'cancelled',
        usage: { allocatedSeconds: 1, peakMemoryBytes: 0, bytesRead: 0, bytesWritten: 0 },
      });
    await until(async () => !(await unconfirmed()));
    expect((await types(runId)).at(-1)).toBe('run.resourcesReleased');
  });
});

it('a start that fails leaves the claim to others', async () => {
  const runs = createRunStore(database);
  runs.activeRuns = async () => {
    throw new PushforwardError('DATABASE_UNAVAILABLE', 'away');
  };
  const { engine } = await engineOver(database, undefined, { runs });
  await expect(engine.start()).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
  const claim = await until(() => createRunStore(database).claim(), 'the claim');
  await claim.release();
});

describe('a launch', () => {
  it('with one key gives one run, however often it is asked for at once', async () => {
    const { engine, db } = await started();
    const request = await launchRequest(db, { idempotencyKey: 'key' });
    const answers = await Promise.all(Array.from({ length: 50 }, () => engine.launch(request)));
    expect(new Set(answers.map(({ run }) => run.id)).size).toBe(1);
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
    await expect(engine.launch({ ...request, fingerprint: 'other' })).rejects.toMatchObject({
      code: 'IDEMPOTENCY_CONFLICT',
    });
    expect(await db.selectFrom('runs').select('id').execute()).toHaveLength(1);
    const elsewhere = await launchRequest(db, { projectId: 'project_2', idempotencyKey: 'key' });
    expect((await engine.launch(elsewhere)).created).toBe(true);
    await ended(db, answers[0]!.run.id);
  });
});

describe('limits', () => {
  it('tasks of an urgent run go first, then of the oldest', async () => {
    const { engine, db, executor } = await started(withSlots(1));
    executor.hold = () => true;
    await launch(engine, db, { recipe: { seed: 1 } });
    await until(() => executor.held.length === 1);
    await launch(engine, db, { recipe: { seed: 2 }, priority: -1 });
    await launch(engine, db, { recipe: { seed: 3 } });
    await launch(engine, db, { recipe: { seed: 4 }, priority: 7 });
    await until(async () => (await db.selectFrom('tasks').select('id').execute()).length === 8);
    executor.hold = () => false;
    await executor.held[0]!.succeed();
    await until(() => executor.starts.length > 18);
    const seeds = executor.starts.slice(1).map(({ task }) => task.options['seed']);
    // Between two stages of a run its place is free for the next one.
    const place = (seed: number) => seeds.indexOf(seed);
    // One that was looked up before it came may go before it.
    expect([place(4) <= 1, place(1) < place(3), place(3) < place(2)]).toEqual([true, true, true]);
  });

  it('a slot is taken until its attempt was seen to end, whether or not that is recorded', async () => {
    const fakes = withSlots(1);
    const recorded = Promise.withResolvers<void>();
    const { find } = fakes.publications;
    fakes.publications.find = async (...of) => {
      await recorded.promise;
      return find(...of);
    };
    fakes.executor.hold = () => true;
    const { engine, db, executor } = await started(fakes);
    const runId = await launch(engine, db);
    await until(() => executor.held.length === 1);
    await executor.held[0]!.succeed();
    await until(() => executor.held.length === 2, 'the slot to be used again');
    executor.hold = () => false;
    await executor.held[1]!.succeed();
    recorded.resolve();
    expect(await ended(db, runId)).toBe('SUCCEEDED');
    expect(executor.mostAtOnce).toBe(1);
  });

  it('a project has no more tasks under way than it may, and others go on', async () => {
    const { engine, db, executor } = await started(withSlots(4));
    executor.hold = () => true;
    const first = await launchRequest(db, { recipe: { seed: 1 } });
    await db.updateTable('projects').set({ max_running_tasks: 1 }).where('id', '=', first.projectId).execute();
    await engine.launch(first);
    await launch(engine, db, { recipe: { seed: 2 } });
    await launch(engine, db, { recipe: { seed: 3 }, projectId: 'project_2' });
    await until(() => executor.held.length === 3);
    const projects = executor.starts.map(({ projectId }) => projectId).sort();
    expect(projects).toEqual(['project_1', 'project_2', 'project_2']);
    executor.hold = () => false;
    for (const one of executor.held) await one.succeed();
    await until(async () =>
      (await db.selectFrom('runs').select('state').execute()).every(({ state }) => state === 'SUCCEEDED'),
    );
  });

  it('a slot that becomes free goes to the most urgent run again, also where its project has no room for another', async () => {
    const { engine, db, executor } = await started(withSlots(2));
    executor.hold = () => true;
    const urgent = await launchRequest(db, { recipe: { seed: 1 }, priority: 5 });
    await db.updateTable('projects').set({ max_running_tasks: 1 }).where('id', '=', urgent.projectId).execute();
    await engine.launch(urgent);
    await until(() => executor.held.length === 1);
    await launch(engine, db, { recipe: { seed: 2 }, projectId: 'project_2' });
    await until(() => executor.held.length === 2);
    await executor.held[0]!.succeed();
    await until(() => executor.held.length === 3);
    expect(executor.starts.map(({ projectId }) => projectId)).toEqual(['project_1', 'project_2', 'project_1']);
    executor.hold = () => false;
    for (const one of executor.held) await one.succeed();
  });

  it('the same work of two projects waits for neither', async () => {
    const { engine, db, executor } = await started(withSlots(4));
    executor.hold = () => true;
    for (const projectId of ['project_1', 'project_2']) await launch(engine, db, { recipe: { seed: 1 }, projectId });
    await until(() => executor.held.length === 4);
    const ids = executor.starts.map(({ task }) => task.artifactId);
    expect(new Set(ids).size).toBe(2);
    executor.hold = () => false;
    for (const one of executor.held) await one.succeed();
  });

  it('a task that takes longer than its run allows ends with TIMEOUT, and is tried again', async () => {
    const { engine, db, executor } = await started();
    executor.hold = ({ task }) => task.stage === 'encode' && task.index === 0 && executor.held.length === 0;
    const limits = { ...USUAL_LAUNCH.limits, taskSeconds: 1 };
    const runId = await launch(engine, db, { limits });
    expect(await ended(db, runId)).toBe('SUCCEEDED');
    const attempts = await db.selectFrom('attempts').selectAll().where('state', '=', 'FAILED').execute();
    expect(attempts.map(({ failure }) => [failure!.class, failure!.error.code])).toEqual([['timeout', 'TIMEOUT']]);
    expect(attempts[0]!.failure!.error.message).toMatch(/raise limits\.taskSeconds/);
  });

  it('an attempt that waits in its cluster takes no time and costs nothing until it runs', async () => {
    const { engine, db, executor } = await started();
    Object.assign(executor, { hold: () => true, waits: true });
    const limits = { ...USUAL_LAUNCH.limits, taskSeconds: 1000, costUsd: 5 };
    const runId = await launch(engine, db, { limits });
    await until(() => executor.held.length === 2);
    const [first, second] = executor.held;
    const runs = createRunStore(database);
    const runningAt = async () => {
      const query = db.selectFrom('attempts').select('running_at').where('id', '=', first!.order.attemptId);
      return (await query.executeTakeFirstOrThrow()).running_at;
    };
    const hourAgo = sql<Date>`now() - interval '1 hour'`;
    first!.waiting('its queue is full');
    second!.waiting(null);
    const cost = async () => (await runs.overspent()).length;
    await db.updateTable('attempts').set({ started_at: hourAgo }).execute();
    expect([await runs.overdue(), await cost()]).toEqual([{ runs: [], attempts: [] }, 0]);
    expect((await runs.snapshot(runId))!.runningAttempts.every(({ leasedSeconds }) => leasedSeconds < 60)).toBe(true);

    first!.waiting(null);
    await until(runningAt, 'it to run');
    // Its queue takes its node away.
    first!.waiting('its queue is full');
    await until(async () => (await runningAt()) === null);
    expect(
      (await runs.snapshot(runId))!.runningAttempts.filter(({ leasedSeconds }) => leasedSeconds === 0),
    ).toHaveLength(1);
    first!.waiting(null);
    await until(runningAt, 'it to run again');
    await db.updateTable('attempts').set({ running_at: hourAgo }).where('id', '=', first!.order.attemptId).execute();
    expect(await ended(db, runId)).toBe('FAILED');
    const run = await db.selectFrom('runs').selectAll().where('id', '=', runId).executeTakeFirstOrThrow();
    expect(run.failure).toMatchObject({ error: { code: 'BUDGET_EXCEEDED' } });
  });

  it('an attempt is known to run though the store was away when that was told', async () => {
    const runs = createRunStore(database);
    const change = runs.change.bind(runs);
    let away = false;
    let failed = 0;
    runs.change = (...of) => {
      if (!away) return change(...of);
      failed++;
      throw new PushforwardError('DATABASE_UNAVAILABLE', 'it is away');
    };
    const { engine, db, executor } = await started(undefined, { runs });
    Object.assign(executor, { hold: () => true, waits: true });
    await launch(engine, db);
    await until(() => executor.held.length === 2);
    const [first] = executor.held;
    away = true;
    first!.waiting(null);
    await until(() => failed > 2);
    away = false;
    await until(async () => (await db.selectFrom('attempts').selectAll().execute()).some((one) => one.running_at));
  });

  it('a run may say how often its tasks may fail', async () => {
    const { engine, db, executor } = await started();
    executor.hold = () => true;
    const runId = await launch(engine, db, { limits: { ...USUAL_LAUNCH.limits, maxAttempts: 1 } });
    (await until(() => executor.held[0])).fail('INTERNAL');
    expect(await ended(db, runId)).toBe('FAILED');
    expect(executor.starts.filter(({ task }) => task.index === 0)).toHaveLength(1);
  });

  it('a run that takes longer than it may ends with TIMEOUT and lets go of what it holds', async () => {
    const { engine, db, executor } = await started();
    executor.hold = () => true;
    const runId = await launch(engine, db, { limits: { ...USUAL_LAUNCH.limits, runSeconds: 1 } });
    expect(await ended(db, runId)).toBe('FAILED');
    const run = await db.selectFrom('runs').selectAll().where('id', '=', runId).executeTakeFirstOrThrow();
    expect(run.failure).toMatchObject({ class: 'timeout', error: { code: 'TIMEOUT' } });
    expect(executor.running.size).toBe(0);
  });

  it('a run that costs more than it may ends with BUDGET_EXCEEDED while its attempts still run', async () => {
    const { engine, db, executor } = await started();
    executor.hold = () => true;
    // at 36 dollars an hour, a second costs a cent
    const runId = await launch(engine, db, { limits: { ...USUAL_LAUNCH.limits, costUsd: 0.005 } });
    expect(await ended(db, runId)).toBe('FAILED');
    const run = await db.selectFrom('runs').selectAll().where('id', '=', runId).executeTakeFirstOrThrow();
    expect(run.failure).toMatchObject({ class: 'userError', error: { code: 'BUDGET_EXCEEDED' } });
    expect(run.failure!.error.message).toMatch(/at most 0\.005 US dollars, got 0\.\d+ so far: retry it with a larger/);
    expect(executor.running.size).toBe(0);
    const attempts = await db.selectFrom('attempts').selectAll().where('run_id', '=', runId).execute();
    for (const one of attempts) expect(one).toMatchObject({ price_usd_per_hour: 36, price_list: 'test' });
  });

  it("a project's budget of a month counts what ended in it and what runs, and stops its runs alone", async () => {
    const { engine, db, executor } = await started(withSlots(8));
    executor.hold = () => true;
    const rich = await launch(engine, db, { projectId: 'rich', recipe: { seed: 2 } });
    const poor = await launch(engine, db);
    await until(() => executor.held.length > 2);
    await db.updateTable('projects').set({ monthly_budget_usd: 0 }).where('id', '<>', 'rich').execute();
    expect(await ended(db, poor)).toBe('FAILED');
    const run = await db.selectFrom('runs').selectAll().where('id', '=', poor).executeTakeFirstOrThrow();
    expect(run.failure!.error).toMatchObject({ code: 'BUDGET_EXCEEDED', details: { of: 'PROJECT' } });
    const other = await db.selectFrom('runs').select('state').where('id', '=', rich).executeTakeFirstOrThrow();
    expect(other.state).toBe('RUNNING');
    await db.updateTable('projects').set({ monthly_budget_usd: 1e9 }).where('id', '=', 'rich').execute();
    for (const one of executor.held) await one.succeed();
  });

  it('a task that ran out of memory is tried with half the batch, and half of that', async () => {
    const { engine, db, executor } = await started();
    executor.hold = ({ task, halvings }) => task.stage === 'encode' && task.index === 0 && halvings < 2;
    const runId = await launch(engine, db);
    for (const count of [1, 2]) (await until(() => executor.held[count - 1])).fail('OUT_OF_MEMORY');
    expect(await ended(db, runId)).toBe('SUCCEEDED');
    const tried = executor.starts.filter(({ task }) => task.stage === 'encode' && task.index === 0);
    expect(tried.map(({ halvings }) => halvings)).toEqual([0, 1, 2]);
  });
});

describe('the cache explains itself', () => {
  const cacheOf = async (runId: string) =>
    database.db
      .selectFrom('tasks')
      .select(['stage', 'index', 'cache', 'cache_reason', 'artifact_id'])
      .where('run_id', '=', runId)
      .where('stage', '=', 'encode')
      .orderBy('index')
      .execute();

  it('MISS where nobody made it, HIT where it is whole, STALE with the reason where it is not', async () => {
    const { engine, db, executor, publications } = await started();
    const first = await launch(engine, db);
    await ended(db, first);
    expect(await cacheOf(first)).toMatchObject([
      { cache: 'MISS', cache_reason: null },
      { cache: 'MISS', cache_reason: null },
    ]);
    const [damaged, lost] = (await cacheOf(first)).map(({ artifact_id }) => `project_1/${artifact_id}`);
    publications.damaged.set(damaged!, 'its data has other bytes in the store than were published');
    publications.published.delete(lost!);
    const before = executor.starts.length;
    const second = await launch(engine, db);
    expect(await ended(db, second)).toBe('SUCCEEDED');
    expect(await cacheOf(second)).toMatchObject([
      { cache: 'STALE', cache_reason: 'its data has other bytes in the store than were published' },
      { cache: 'STALE', cache_reason: 'its manifest is not in the store any more' },
    ]);
    expect(executor.starts.slice(before).map(({ task }) => task.stage)).toEqual(['encode', 'encode']);
    const third = await launch(engine, db);
    await ended(db, third);
    expect(await cacheOf(third)).toMatchObject([{ cache: 'HIT' }, { cache: 'HIT' }]);
    const events = (await eventsOf(db, second)).filter(({ type }) => type === 'task.succeeded');
    expect(events.map(({ payload }) => payload['cache'])).toEqual(
      ['HIT', 'HIT', 'HIT', 'STALE', 'STALE'].sort().reverse(),
    );
  });

  it('STALE with who deleted it and why', async () => {
    const { engine, db, publications } = await started();
    const first = await launch(engine, db);
    await ended(db, first);
    for (const { artifact_id, index } of await cacheOf(first)) {
      publications.published.delete(`project_1/${artifact_id}`);
      await db
        .updateTable('artifacts')
        .set({
          state: 'DELETED',
          deleted_at: new Date('2026-01-02T03:04:05Z'),
          deleted_because: index === 0 ? 'bad encoder (ann)' : null,
        })
        .where('id', '=', artifact_id)
        .execute();
    }
    const second = await launch(engine, db);
    expect(await ended(db, second)).toBe('SUCCEEDED');
    expect((await cacheOf(second)).map(({ cache_reason }) => cache_reason)).toEqual([
      'it was deleted at 2026-01-02T03:04:05.000Z by hand: bad encoder (ann)',
      'it was deleted at 2026-01-02T03:04:05.000Z by the retention policy',
    ]);
  });
});
