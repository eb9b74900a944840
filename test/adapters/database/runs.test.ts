import { CompiledQuery } from 'kysely';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { migrate, openDatabase, ping } from '../../../src/adapters/database/connection.ts';
import { createRunStore } from '../../../src/adapters/database/runs.ts';
import { type NewRun, type RunChange, type RunStore, USUAL_LAUNCH } from '../../../src/engine/ports.ts';
import { seedProject, startTestPostgres, type TestDatabase, type TestPostgres } from '../../support/postgres.ts';
import { manifestOf, taskOf } from '../../support/tasks.ts';

let postgres: TestPostgres;
let database: TestDatabase;
let runs: RunStore;

beforeAll(async () => {
  postgres = await startTestPostgres();
}, 60_000);
afterAll(() => postgres.stop());
beforeEach(async () => {
  database = await postgres.database();
  runs = createRunStore(database);
  await seedProject(database.db);
});

const newRun = (more: Partial<NewRun> = {}): NewRun => ({
  id: 'run_1',
  projectId: 'project_1',
  recipe: {},
  recipeDigest: 'r',
  inputs: { prior: 'p' },
  datasetVersionId: 'project_1_version',
  priorId: 'project_1_prior',
  idempotencyKey: null,
  fingerprint: 'f',
  traceparent: null,
  stages: ['encode'],
  ...USUAL_LAUNCH,
  ...more,
});

async function withTask(change: RunChange) {
  await change.updateRun('QUEUED', { state: 'RUNNING', started: true });
  await change.updateStage('encode', 'PENDING', { state: 'RUNNING', started: true });
  const spec = taskOf({ stage: 'encode' });
  await change.insertTasks([{ id: 'task_1', spec, state: 'PENDING', cache: 'MISS', cacheReason: null, metrics: null }]);
}

const attempt = {
  id: 'attempt_1',
  taskId: 'task_1',
  number: 1,
  epoch: 1,
  executor: 'local',
  price: { usdPerHour: 1, list: 'test' },
  owner: 'me',
  leaseMs: 60_000,
};

describe('the run store', () => {
  it('refuses a move from a state or an epoch that is no more, and keeps nothing of the change', async () => {
    await runs.insertRun(newRun());
    await runs.change('run_1', withTask);
    const stale = (work: (change: RunChange) => Promise<void>) =>
      runs.change('run_1', async (change) => {
        await change.appendEvents([{ type: 'never', payload: {} }]);
        await work(change);
      });
    await expect(stale((change) => change.updateRun('QUEUED', { state: 'RUNNING' }))).rejects.toThrow(
      'expected run run_1 in QUEUED',
    );
    await expect(stale((change) => change.updateStage('encode', 'PENDING', { state: 'RUNNING' }))).rejects.toThrow(
      'expected stage',
    );
    await expect(stale((change) => change.updateTask('task_1', 'PENDING', 7, { state: 'RUNNING' }))).rejects.toThrow(
      'PENDING, epoch 7',
    );
    await expect(stale((change) => change.updateAttempt('none', 'RUNNING', { state: 'LOST' }))).rejects.toThrow(
      'expected attempt none',
    );
    const events = await database.db.selectFrom('run_events').select(['sequence', 'type']).execute();
    expect(events).toEqual([{ sequence: 1, type: 'run.created' }]);
  });

  it('numbers the events of concurrent changes without gaps', async () => {
    await runs.insertRun(newRun());
    const changes = Array.from({ length: 20 }, (_, i) =>
      runs.change('run_1', async (change) => {
        await change.appendEvents([
          { type: `a${i}`, payload: {} },
          { type: `b${i}`, payload: {} },
        ]);
        if (i % 5 === 0) throw new Error('rolled back');
      }),
    );
    const settled = await Promise.allSettled(changes);
    expect(settled.filter((one) => one.status === 'rejected')).toHaveLength(4);
    const events = await database.db.selectFrom('run_events').select('sequence').orderBy('sequence').execute();
    expect(events.map((event) => event.sequence)).toEqual(Array.from({ length: 33 }, (_, i) => i + 1));
    expect((await runs.findRun('project_1', 'run_1'))!.eventSequence).toBe(33);
  });

  it('shares transactions between changes that come together, and spares the others one that fails', async () => {
    const ids = Array.from({ length: 50 }, (_, i) => `run_${i}`);
    for (const id of ids) await runs.insertRun(newRun({ id }));
    const transactions = async () => {
      const { rows } = await database.db.executeQuery<{ id: string }>(
        CompiledQuery.raw('select pg_current_xact_id() as id'),
      );
      return Number(rows[0]!.id);
    };
    const before = await transactions();
    const states = ids.flatMap((id) => [
      runs.change(id, (change) => change.updateRun('QUEUED', { state: 'RUNNING', started: true })),
      runs.change(id, async (change) => {
        expect(change.run).toMatchObject({ state: 'RUNNING', startedAt: expect.any(Date) as Date });
        return change.run.state;
      }),
    ]);
    await Promise.all(states);
    expect((await transactions()) - before).toBeLessThan(10);
    const settled = await Promise.allSettled(
      ids.map((id, i) =>
        runs.change(id, async (change) => {
          await change.addCost('encode', 1, 2);
          if (i === 7) throw new Error('not this one');
        }),
      ),
    );
    expect(settled.filter(({ status }) => status === 'rejected')).toHaveLength(1);
    const costs = await Promise.all(ids.map(async (id) => (await runs.findRun('project_1', id))!.costUsd));
    expect(costs).toEqual(ids.map((_, i) => (i === 7 ? 0 : 2)));
  });

  it('reads what a change of the same transaction did before', async () => {
    await runs.insertRun(newRun());
    const usage = { allocatedSeconds: 2, peakMemoryBytes: 0, bytesRead: 0, bytesWritten: 0 };
    const begin = runs.change('run_1', async (change) => {
      await withTask(change);
      await change.updateTask('task_1', 'PENDING', 0, { state: 'RUNNING', epoch: 1, started: true });
      await change.insertAttempt({ ...attempt, traceparent: '00-1-2-01' });
    });
    const end = runs.change(
      'run_1',
      async (change) => {
        expect(await change.task('task_1')).toMatchObject({ state: 'RUNNING', epoch: 1 });
        expect(await change.runningAttempts()).toMatchObject([{ id: 'attempt_1', state: 'RUNNING' }]);
        await change.updateAttempt('attempt_1', 'RUNNING', { state: 'SUCCEEDED', usage, costUsd: 3, ended: true });
        await change.updateTask('task_1', 'RUNNING', 1, { state: 'SUCCEEDED', itemsDone: 2, ended: true });
        expect(await change.pastAttempts('task_1')).toEqual([
          { state: 'SUCCEEDED', failure: null, traceparent: '00-1-2-01' },
        ]);
      },
      'task_1',
    );
    const look = runs.change('run_1', async (change) => {
      expect(await change.lastAttempt('task_1')).toEqual({ usage, costUsd: 3 });
      expect(await change.runningAttempts()).toEqual([]);
      expect(await change.stages()).toMatchObject([{ tasksTotal: 1, tasksDone: 1, itemsDone: 2 }]);
    });
    await Promise.all([begin, end, look]);
    const row = await database.db.selectFrom('attempts').selectAll().executeTakeFirstOrThrow();
    expect(row).toMatchObject({ state: 'SUCCEEDED', usage, cost_usd: 3 });
    expect(row.lease_expires_at.getTime() - row.started_at.getTime()).toBe(60_000);
  });

  it('tells of many runs at once what it tells of each', async () => {
    const ids = ['run_1', 'run_2', 'run_3'];
    for (const id of ids) await runs.insertRun(newRun({ id, stages: ['encode', 'quantize'] }));
    await runs.change('run_1', async (change) => {
      await withTask(change);
      await change.updateTask('task_1', 'PENDING', 0, { state: 'RUNNING', epoch: 1 });
      await change.insertAttempt(attempt);
    });
    const together = await Promise.all([...ids, 'none'].map((id) => runs.snapshot(id)));
    const alone = [];
    for (const id of [...ids, 'none']) alone.push(await runs.snapshot(id));
    const withoutTime = (all: typeof together) =>
      all.map((one) => one && { ...one, runningAttempts: one.runningAttempts.map(({ id }) => id) });
    expect(withoutTime(together)).toEqual(withoutTime(alone));
    expect(together.map((one) => one?.tasks.RUNNING)).toEqual([1, 0, 0, undefined]);
    expect(together[0]).toMatchObject({ runningAttempts: [{ id: 'attempt_1' }], stages: [{ name: 'encode' }, {}] });
  });

  it('shows a run to its project alone', async () => {
    await runs.insertRun(newRun());
    expect(await runs.findRun('project_2', 'run_1')).toBeNull();
    await expect(runs.change('none', async () => {})).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('renews the leases of their owner only, and names those that ran out', async () => {
    await runs.insertRun(newRun());
    await runs.change('run_1', async (change) => {
      await withTask(change);
      await change.updateTask('task_1', 'PENDING', 0, { state: 'RUNNING', epoch: 1 });
      await change.insertAttempt(attempt);
    });
    expect(await runs.renewLeases('other', ['attempt_1'], 1000)).toEqual([]);
    expect(await runs.abandonedAttempts('me')).toEqual([]);
    expect(await runs.abandonedAttempts('other')).toMatchObject([{ id: 'attempt_1', owner: 'me' }]);
    expect(await runs.renewLeases('me', ['attempt_1', 'none'], -1)).toEqual(['attempt_1']);
    expect(await runs.abandonedAttempts('me')).toMatchObject([{ projectId: 'project_1' }]);
  });

  it('gives out tasks when their time has come, and except those being made', async () => {
    await runs.insertRun(newRun());
    await runs.change('run_1', withTask);
    const { artifactId } = taskOf({ stage: 'encode' });
    expect(
      await runs.readyTasks({
        limit: 5,
        exceptArtifacts: [{ projectId: 'project_1', artifactId }],
        exceptProjects: [],
      }),
    ).toEqual([]);
    const other = { projectId: 'another', artifactId };
    expect(await runs.readyTasks({ limit: 5, exceptArtifacts: [other], exceptProjects: [] })).toHaveLength(1);
    expect(await runs.readyTasks({ limit: 5, exceptArtifacts: [], exceptProjects: [] })).toMatchObject([
      { taskId: 'task_1', epoch: 0 },
    ]);
    expect(await runs.nextReadyInMs()).toBeNull();
    await runs.change('run_1', async (change) => {
      await change.updateTask('task_1', 'PENDING', 0, { state: 'RUNNING', epoch: 1 });
      await change.updateTask('task_1', 'RUNNING', 1, { state: 'PENDING', retryAfterMs: 60_000 });
    });
    expect(await runs.readyTasks({ limit: 5, exceptArtifacts: [], exceptProjects: [] })).toEqual([]);
    expect(await runs.nextReadyInMs()).toBeGreaterThan(50_000);
  });

  it('records an artifact once, and every run that wrote or found it', async () => {
    const manifest = manifestOf(taskOf({ stage: 'encode', inputs: ['a', 'b', 'a'] }));
    const artifact = { manifest, title: 'one', taskId: null, made: { usage: null, costUsd: 3 } };
    for (const id of ['run_1', 'run_2']) {
      await runs.insertRun(newRun({ id }));
      await runs.change(id, (change) =>
        change.recordArtifacts(id === 'run_1' ? [artifact] : [{ ...artifact, made: null }]),
      );
    }
    const rows = await database.db.selectFrom('artifacts').select(['run_id', 'cost_usd', 'bytes']).execute();
    expect(rows).toEqual([{ run_id: 'run_1', cost_usd: 3, bytes: 100 }]);
    expect(await database.db.selectFrom('artifact_inputs').select('input_id').execute()).toHaveLength(2);
    const outputs = await database.db
      .selectFrom('run_artifacts')
      .select('run_id')
      .where('direction', '=', 'OUTPUT')
      .execute();
    expect(outputs.map((row) => row.run_id).sort()).toEqual(['run_1', 'run_2']);
  });

  it('tells who made an artifact and at what cost, also where another run found it before', async () => {
    const spec = taskOf({ stage: 'encode' });
    const found = { manifest: manifestOf(spec), title: 'one', taskId: null, made: null };
    const usage = { allocatedSeconds: 2, peakMemoryBytes: 0, bytesRead: 0, bytesWritten: 0 };
    for (const id of ['run_1', 'run_2', 'run_3']) await runs.insertRun(newRun({ id }));
    await runs.change('run_2', (change) => change.recordArtifacts([found, found]));
    await runs.change('run_1', async (change) => {
      await withTask(change);
      await change.recordArtifacts([{ ...found, taskId: 'task_1', made: { usage, costUsd: 3 } }]);
    });
    await runs.change('run_3', (change) => change.recordArtifacts([{ ...found, made: { usage: null, costUsd: 9 } }]));
    const rows = await database.db.selectFrom('artifacts').select(['run_id', 'task_id', 'usage', 'cost_usd']).execute();
    expect(rows).toEqual([{ run_id: 'run_1', task_id: 'task_1', usage, cost_usd: 3 }]);
  });

  it('takes what Postgres refuses, NUL and lone surrogates, with U+FFFD in its place', async () => {
    await runs.insertRun(newRun());
    const title = 'nul \0, half \ud83d, whole \u{1f600}, escaped \\u0000';
    const clean = 'nul \ufffd, half \ufffd, whole \u{1f600}, escaped \\u0000';
    await runs.change('run_1', async (change) => {
      const spec = { ...taskOf({ stage: 'encode' }), title, labels: { [title]: title } };
      await change.insertTasks([
        { id: 'task_1', spec, state: 'PENDING', cache: 'MISS', cacheReason: null, metrics: null },
      ]);
      await change.recordArtifacts([{ manifest: manifestOf(spec), title, taskId: null, made: null }]);
      await change.updateStage('encode', 'PENDING', { state: 'SKIPPED', skipReason: title });
      await change.appendEvents([{ type: 'x', payload: { lines: [title] } }]);
    });
    const { db } = database;
    expect(await db.selectFrom('tasks').select(['title', 'labels']).executeTakeFirst()).toEqual({
      title: clean,
      labels: { [clean]: clean },
    });
    expect(await db.selectFrom('artifacts').select('title').executeTakeFirst()).toEqual({ title: clean });
    expect(await db.selectFrom('stages').select('skip_reason').executeTakeFirst()).toEqual({ skip_reason: clean });
    const event = await db.selectFrom('run_events').select('payload').where('type', '=', 'x').executeTakeFirst();
    expect(event!.payload).toEqual({ lines: [clean] });
  });

  it('refuses other text with NUL by name', async () => {
    await expect(runs.insertRun(newRun({ idempotencyKey: 'a\0b' }))).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('takes thousands of tasks in one change', async () => {
    await runs.insertRun(newRun());
    const count = 5000;
    await runs.change('run_1', async (change) => {
      await change.insertTasks(
        Array.from({ length: count }, (_, index) => ({
          id: `task_${index}`,
          spec: taskOf({ stage: 'encode', index }),
          state: 'PENDING' as const,
          cache: 'MISS' as const,
          cacheReason: null,
          metrics: null,
        })),
      );
      expect(await change.recountStage('encode')).toMatchObject({ tasksTotal: count, itemsTotal: 2 * count });
    });
  });
});

describe('the claim', () => {
  it('is held by one at a time and ends with its connection', async () => {
    const first = await runs.claim();
    expect(first!.held()).toBe(true);
    expect(await runs.claim()).toBeNull();
    await database.db.executeQuery(
      CompiledQuery.raw(
        `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pushforward claim' and datname = current_database()`,
      ),
    );
    await expect.poll(() => first!.held()).toBe(false);
    const second = await runs.claim();
    expect(second!.held()).toBe(true);
    await second!.release();
    expect(second!.held()).toBe(false);
  });
});

describe('the connection', () => {
  it('migrates once, however many ask at a time', async () => {
    await Promise.all([migrate(database.db), migrate(database.db), migrate(database.db)]);
    await ping(database.db);
  });

  it('says that there is no database', async () => {
    const db = openDatabase({ url: 'postgres://x:y@127.0.0.1:1/none' });
    await expect(ping(db)).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    await db.destroy();
  });
});
