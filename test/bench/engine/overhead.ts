import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createRunStore } from '../../../src/adapters/database/runs.ts';
import { createLocalExecutor } from '../../../src/adapters/processes/local-executor.ts';
import { createDirectoryStore } from '../../../src/adapters/storage/directory.ts';
import { bundleFolder } from '../../../src/adapters/storage/bundle-folder.ts';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLog } from '../../../src/base/log.ts';
import { createEngine } from '../../../src/engine/index.ts';
import { createPublications } from '../../../src/pipeline/artifacts.ts';
import { createPlanner } from '../../../src/pipeline/planner.ts';
import { asJson, parseRecipe } from '../../../src/pipeline/recipe.ts';
import { createChain } from '../../support/chain.ts';
import { ended, launchRequest } from '../../support/engine.ts';
import { startTestPostgres } from '../../support/postgres.ts';
import { type BenchCase } from '../bench.ts';
import { medianInterval, timeMs } from '../measure.ts';
import type { DirectRun } from './direct.ts';

const PAIRS = 10;
const CASE = 'a run of the letters through the engine, one slot, against its stages called directly';
const root = new URL('../../..', import.meta.url).pathname;

/**
 * Both sides have an empty store of their own on the same disk and the same order of work, and begin with a process that has loaded its modules
 * and nothing else, as one waits in a service that is up. The engine's side has Postgres, leases, events and worker processes; the
 * other calls plan and run of every stage.
 */
export async function* overheadCases(wanted: (name: string) => boolean): AsyncIterable<BenchCase> {
  if (!wanted(CASE)) return;
  const folder = await mkdtemp(join(tmpdir(), 'pushforward-overhead-'));
  const postgres = await startTestPostgres();
  try {
    const direct: number[] = [];
    const engine: number[] = [];
    // The first pair only warms up.
    for (let pair = -1; pair < PAIRS; pair++) {
      const prepared = await prepare(folder, `pair-${pair}`);
      // In turns, so that neither always comes first.
      const works = [
        async () => direct.push(await prepared.direct()),
        async () => engine.push(await prepared.engine(postgres)),
      ];
      for (const work of pair % 2 === 0 ? works : works.reverse()) await work();
      if (pair < 0) direct.length = engine.length = 0;
      await prepared.done();
    }
    const ratios = engine.map((ms, pair) => ms / direct[pair]!);
    const { median, low, high } = medianInterval(ratios);
    yield {
      ...{ case: CASE, unit: 'ratio', ours: median, peers: { limit: 1.05 }, target: 1, interval: [low, high] },
      ...{ engineMs: medianInterval(engine).median, directMs: medianInterval(direct).median, pairs: PAIRS },
    };
  } finally {
    await postgres.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

async function prepare(folder: string, name: string) {
  const recipe = { imagesPerClass: 10 };
  const stateDir = join(folder, name);
  const storeOf = (side: string) => join(stateDir, side, 'store');
  const open = (side: string) =>
    createDirectoryStore({ root: storeOf(side), signingSecret: 'secret', publicUrl: () => 'http://127.0.0.1:1' });
  const sources = async (side: string) => {
    const chain = createChain(open(side));
    const version = await chain.importPath(join(root, 'priors/glyphs/dataset/train.parquet'));
    const prior = await chain.publish(bundleFolder(join(root, 'priors/glyphs')));
    return { version, prior };
  };
  const [plain, managed] = [await sources('direct'), await sources('engine')];
  return {
    async direct() {
      const child = fork(join(import.meta.dirname, 'direct.ts'));
      const ended = once(child, 'exit');
      await once(child, 'message');
      const ms = await timeMs(async () => {
        child.send({ root: storeOf('direct'), ...plain, recipe } satisfies DirectRun);
        const answer = await Promise.race([once(child, 'message'), ended.then(() => null)]);
        if (!answer) throw new Error('expected the stages to be carried out, got the end of their process');
      });
      await ended;
      return ms;
    },

    async engine(postgres: Awaited<ReturnType<typeof startTestPostgres>>) {
      const { db, url, objects } = await postgres.database();
      const store = open('engine');
      const executor = createLocalExecutor({
        ...{ slots: 1, priceUsdPerHour: 1, log: silentLog, goneElsewhereAfterMs: 0 },
        workerPath: join(root, 'dist/worker.js'),
        env: { ...process.env, PUSHFORWARD_STATE_DIR: join(stateDir, 'engine') },
      });
      const engine = createEngine({
        ...{
          runs: createRunStore({ db, url, objects }),
          publications: createPublications(store),
          planner: createPlanner(store),
        },
        ...{ executors: [executor], clock: systemClock, log: silentLog, ownerId: 'bench', maxAttempts: 1 },
        ...{ lease: { durationMs: 30_000, renewEveryMs: 5_000 }, releaseDeadlineMs: 10_000 },
      });
      const request = await launchRequest(db, {
        projectId: 'p',
        recipe: asJson(parseRecipe({ datasetVersionId: 'v', priorId: 'p', ...recipe })),
        inputs: { datasetVersion: managed.version.id, prior: managed.prior.id },
      });
      await engine.start();
      // The process that always waits in a service that is up.
      await delay(3_000);
      const ms = await timeMs(async () => {
        const { run } = await engine.launch(request);
        const state = await ended(db, run.id, 300_000);
        if (state !== 'SUCCEEDED') throw new Error(`expected the run to succeed, got ${state}`);
      });
      await engine.stop();
      await executor.close();
      return ms;
    },

    done: () => rm(stateDir, { recursive: true, force: true }),
  };
}
