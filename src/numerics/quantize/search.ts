import { type RandomStream } from '../math/random.ts';
import { type Partition } from './partition.ts';
import { startRunner, type RunnerStatistics, type Runner } from './runner.ts';
import { seedGreedily } from './seeding.ts';
import { type Space } from './space.ts';
import { improveBySwaps, type SwapStatistics } from './swaps.ts';

export interface SearchOptions {
  readonly k: number;
  /** one for each random start */
  readonly streams: readonly RandomStream[];
  /** (n,) each: further starts, which are not random */
  readonly given: readonly Int32Array[];
  readonly maxIterations: number;
  /** how many of the random starts go on after a few steps; all do where a step is cheap */
  readonly finalists: number;
  readonly patience: number;
  readonly swapStream: RandomStream;
  readonly signal?: AbortSignal;
  /** Awaited once per iteration. */
  readonly onIteration?: (restart: number, iteration: number, potential: number) => void | Promise<void>;
}

export interface SearchResult {
  /** (n,) */
  readonly assignment: Int32Array;
  /** random ones first */
  readonly starts: readonly RunnerStatistics[];
  readonly best: number;
  readonly swaps: SwapStatistics;
}

/**
 * The partition of least potential that several starts come to: Lloyd's steps as long as many samples move, then Hartigan's until none moves
 * any more, then swaps from the best.
 *
 * Starts race where steps are dear: after seeding, half go on, and after a few of Lloyd's steps the `finalists`. What a start has by then tells more
 * about its end than ten times as many starts would gain.
 */
export async function search(space: Space, options: SearchOptions): Promise<SearchResult> {
  const { k, streams, given, finalists, patience, swapStream, signal } = options;
  const runners: Runner[] = [];
  let best: Partition | undefined;
  let bestRestart = 0;
  let least = Infinity;

  for (let from = 0; from < streams.length; from += STARTS_AT_ONCE) {
    const seedings = await seedGreedily(space, k, streams.slice(from, from + STARTS_AT_ONCE), signal);
    const group = seedings.map((seeding, s) => startRunner(space, from + s, seeding, options));
    runners.push(...group);
    await finish(await race(group));
  }
  const others = given.map((assignment, g) =>
    startRunner(space, streams.length + g, { assignment, potential: Infinity }, options),
  );
  runners.push(...others);
  await finish(others);

  const swapped = await improveBySwaps(space, best!, {
    patience,
    random: swapStream,
    signal,
    converge: async (assignment, goal) => {
      const trial = startRunner(space, bestRestart, { assignment, potential: Infinity }, options);
      await trial.run({ goal });
      return trial.partition();
    },
  });
  return {
    assignment: swapped.partition.assignment,
    starts: runners.map((runner) => runner.statistics()),
    best: bestRestart,
    swaps: swapped.statistics,
  };

  async function race(group: readonly Runner[]): Promise<readonly Runner[]> {
    const share = Math.ceil((finalists * group.length) / streams.length);
    if (share >= group.length) return group;
    const half = leading(group, Math.max(share, Math.ceil(group.length / 2)));
    for (const runner of half) await runner.run({ steps: WARM_UP });
    return leading(half, share);
  }

  async function finish(group: readonly Runner[]): Promise<void> {
    for (const runner of group) {
      await runner.run({ goal: least });
      const { potential } = runner.statistics();
      if (potential < least) {
        least = potential;
        best = runner.partition();
        bestRestart = runner.restart;
      }
    }
    for (const runner of runners) runner.release();
  }
}

function leading(group: readonly Runner[], count: number): readonly Runner[] {
  return [...group]
    .sort((a, b) => a.statistics().potential - b.statistics().potential || a.restart - b.restart)
    .slice(0, count);
}

/** Bounds the memory of seeding and of the race. */
const STARTS_AT_ONCE = 16;

/** Lloyd's steps before finalists are chosen. */
const WARM_UP = 2;
