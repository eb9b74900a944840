import { engineOver, fakeExecutor, fakePlanner, fakePublications, launchRequest } from '../../support/engine.ts';
import { startTestPostgres } from '../../support/postgres.ts';
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
  const fakes = { publications, executor };
  const planner = fakePlanner((stage, _, { seed = 0 }) => ({
    kind: 'tasks',
    tasks: [taskOf({ stage, index: 0, options: { seed } })],
  }));
  const first = await engineOver(database, fakes, { planner });
  const next = await engineOver(database, fakes, { planner, ownerId: 'next' });
  const running = async (owner: 'next' | null) => {
    let query = database.db.selectFrom('attempts').select('run_id').distinct().where('state', '=', 'RUNNING');
    if (owner) query = query.where('owner', '=', owner);
    return (await query.execute()).length;
  };
  try {
    await first.engine.start();
    const request = await launchRequest(database.db);
    for (let seed = 0; seed < RUNS; seed++) await first.engine.launch({ ...request, recipe: { seed } });
    await until(async () => executor.running.size === RUNS, 'all slots to be taken', 300_000);
    const before = await running(null);
    first.kill();
    const begin = performance.now();
    await next.engine.start();
    await until(async () => (await running('next')) === before, 'every run to be under way again', 300_000);
    const ours = (performance.now() - begin) / 1000;
    yield { case: CASE, unit: 's', ours, peers: { limit: 10 }, target: 1, runs: before };
  } finally {
    for (const held of executor.running.values()) held.settle({ kind: 'cancelled', usage: NO_USAGE });
    await next.engine.stop();
    await postgres.stop();
  }
}

const NO_USAGE = { allocatedSeconds: 0, peakMemoryBytes: 0, bytesRead: 0, bytesWritten: 0 };
