import { ended, engineOver, fakeExecutor, fakePlanner, fakePublications, launch } from '../../support/engine.ts';
import { startTestPostgres } from '../../support/postgres.ts';
import { taskOf } from '../../support/tasks.ts';
import { type BenchCase } from '../bench.ts';

const TASKS = 1000;
const SLOTS = 16;
const CASE = `a run of ${TASKS} tasks, control-plane time of a task`;

/** Attempts succeed at once: what is left of the time is the engine's and the database's, with the timers of production. */
export async function* taskCases(wanted: (name: string) => boolean): AsyncIterable<BenchCase> {
  if (!wanted(CASE)) return;
  const postgres = await startTestPostgres();
  const publications = fakePublications();
  const executor = fakeExecutor(publications, SLOTS);
  const planner = fakePlanner((stage) =>
    stage === 'encode'
      ? { kind: 'tasks', tasks: Array.from({ length: TASKS }, (_, index) => taskOf({ stage, index })) }
      : { kind: 'skip', reason: 'one stage is enough' },
  );
  const database = await postgres.database();
  const { engine } = await engineOver(database, { publications, executor }, { planner, tuning: {} });
  try {
    await engine.start();
    const cpu = process.cpuUsage();
    const begin = performance.now();
    const state = await ended(database.db, await launch(engine, database.db), 300_000);
    const ms = performance.now() - begin;
    const { user, system } = process.cpuUsage(cpu);
    yield {
      ...{ case: CASE, unit: 'ms', ours: ms / TASKS, peers: { limit: 10 }, target: 1 },
      ...{ state, slots: SLOTS, cpuMsOfTheService: (user + system) / 1000 / TASKS },
    };
  } finally {
    await engine.stop();
    await postgres.stop();
  }
}
