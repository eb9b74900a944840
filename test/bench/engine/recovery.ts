import { createRunStore } from '../../../src/adapters/database/runs.ts';
import { newId } from '../../../src/base/ids.ts';
import { type JsonObject } from '../../../src/base/json.ts';
import { engineOver, fakeExecutor, fakePlanner, fakePublications, launchRequest } from '../../support/engine.ts';
import { startTestPostgres, type TestDatabase } from '../../support/postgres.ts';
import { taskOf } from '../../support/tasks.ts';
import { until } from '../../support/until.ts';
import { type BenchCase } from '../bench.ts';

const RUNS = 1000;
const CASE = `${RUNS} runs in flight after a kill, until every one is under way again`;

/** Every run has an attempt under way when the service dies; the next one sees each gone and starts another for it. */
export async function* recoveryCases(wanted: (name: string) => boolean): AsyncIterable<BenchCase> {
  if (!wanted(CASE)) return;
  const postgres = await startTestPostgres();
  const database = await postgres.database();
  const publications = fakePublications();
  const executor = fakeExecutor(publications, RUNS);
  executor.hold = () => true;
  const { engine } = await engineOver(
    database,
    { publications, executor },
    // As in production: a poll is no help here.
    { ownerId: 'next', planner: fakePlanner(planOf), tuning: {} },
  );
  const running = async (owner: string) =>
    (
      await database.db
        .selectFrom('attempts')
        .select('run_id')
        .distinct()
        .where('state', '=', 'RUNNING')
        .where('owner', '=', owner)
        .where('reference', 'is not', null)
        .execute()
    ).length;
  try {
    await leaveBehind(database);
    const before = await running('first');
    const begin = performance.now();
    await engine.start();
    await until(async () => (await running('next')) === before, 'every run to be under way again', 300_000);
    const ours = (performance.now() - begin) / 1000;
    yield { case: CASE, unit: 's', ours, peers: { limit: 10 }, target: 1, runs: before };
  } finally {
    for (const held of executor.running.values()) held.settle({ kind: 'cancelled', usage: NO_USAGE });
    await engine.stop();
    await postgres.stop();
  }
}

const NO_USAGE = { allocatedSeconds: 0, peakMemoryBytes: 0, bytesRead: 0, bytesWritten: 0 };

const planOf = (stage: string, _: unknown, { seed = 0 }: JsonObject) => ({
  kind: 'tasks' as const,
  tasks: [taskOf({ stage, index: 0, options: { seed } })],
});

/** What a service leaves that had an attempt of every run under way, through the store that it writes with. */
async function leaveBehind(database: TestDatabase): Promise<void> {
  const runs = createRunStore(database);
  const request = await launchRequest(database.db);
  const begin = async (seed: number) => {
    const id = newId('run');
    const [spec] = planOf('encode', [], { seed }).tasks;
    await runs.insertRun({
      ...request,
      id,
      recipe: { seed },
      traceparent: null,
      stages: ['encode', 'quantize', 'report'],
    });
    await runs.change(id, async (change) => {
      const attempt = { id: newId('attempt'), taskId: newId('task'), number: 1, epoch: 1 };
      await change.updateRun('QUEUED', { state: 'RUNNING', started: true });
      await change.updateStage('encode', 'PENDING', { state: 'RUNNING', started: true });
      const task = { id: attempt.taskId, spec: spec!, state: 'PENDING' as const, metrics: null };
      await change.insertTasks([{ ...task, cache: 'MISS', cacheReason: null }]);
      await change.recountStage('encode');
      await change.updateTask(task.id, 'PENDING', 0, { state: 'RUNNING', epoch: 1, started: true });
      await change.insertAttempt({
        ...attempt,
        executor: 'fake',
        price: { usdPerHour: 1, list: 'bench' },
        owner: 'first',
        leaseMs: 30_000,
      });
      await change.updateAttempt(attempt.id, 'RUNNING', { state: 'RUNNING', reference: { process: attempt.id } });
      await change.appendEvents([{ type: 'run.started', payload: {} }]);
    });
  };
  await Promise.all(Array.from({ length: RUNS }, (_, seed) => begin(seed)));
}
