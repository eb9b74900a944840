import { throwIfAborted } from '../../base/abort.ts';
import { partitionOf, type Partition } from './partition.ts';
import { type Seeding } from './seeding.ts';
import { type Space } from './space.ts';

/** How far a start came. */
export interface RunnerStatistics {
  readonly potential: number;
  readonly iterations: number;
  /** of samples from one cell to another */
  readonly moves: number;
  /** no sample moves any more; else the limit was reached, or the start was given up because it was behind */
  readonly converged: boolean;
}

/** One start on its way to a local minimum. */
export interface Runner {
  readonly restart: number;
  /**
   * Goes on until no sample moves.
   *
   * @param steps or so many iterations
   * @param goal or until it is clear that the potential will not fall below it
   * @param leastGain or until a step gains less than this share of the potential
   */
  run(until: { steps?: number; goal?: number; leastGain?: number }): Promise<void>;
  partition(): Partition;
  statistics(): RunnerStatistics;
}

export interface RunnerOptions {
  readonly k: number;
  readonly maxIterations: number;
  readonly signal?: AbortSignal;
  /** Awaited once per iteration. */
  readonly onIteration?: (restart: number, iteration: number, potential: number) => void | Promise<void>;
}

export function startRunner(
  space: Space,
  restart: number,
  { assignment, potential: seeded }: Seeding,
  { k, maxIterations, signal, onIteration }: RunnerOptions,
): Runner {
  let cells: Partition | undefined;
  let potential = seeded;
  let iterations = 0;
  let moves = 0;
  let converged = false;
  return {
    restart,
    run,
    partition,
    statistics: () => ({ potential, iterations, moves, converged }),
  };

  function partition(): Partition {
    return (cells ??= partitionOf(space, assignment, k));
  }

  async function run({ steps = Infinity, goal = Infinity, leastGain = 0 }): Promise<void> {
    const { step, potential: now } = partition();
    for (let done = 0; done < steps && iterations < maxIterations && !converged; done++) {
      throwIfAborted(signal);
      const before = now();
      const moved = await step(signal);
      converged = moved === 0;
      potential = now();
      iterations++;
      moves += moved;
      await onIteration?.(restart, iterations, potential);
      const gain = before - potential;
      if (gain < leastGain * potential || potential - goal > CATCH_UP * gain) return;
    }
  }
}

/** A start is given up if so many steps like the last would not do. Fewer miss swaps that would help: gains rise again after a plateau. */
const CATCH_UP = 5;
