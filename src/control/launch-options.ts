import { type RunLimits } from '../engine/ports.ts';
import { checkUsd } from './usd.ts';
import { wholeNumber } from './whole-number.ts';

/** How urgent a run is and what it may use: never part of what it makes. */
export interface LaunchOptions {
  /** Runs with a greater one go first; default 0. */
  priority?: number | null;
  limits?: Partial<RunLimits> | null;
}

const MOST_URGENT = 1000;
const LONGEST_SECONDS = 30 * 24 * 3600;
const MOST_ATTEMPTS = 100;

const checkBudget = (usd: number | null) => (usd === null ? null : checkUsd(usd, ['limits', 'costUsd']));

/** @throws INVALID_INPUT naming the field of the launch input */
export function checkLaunchOptions({ priority, limits }: LaunchOptions): { priority: number; limits: RunLimits } {
  const within = (value: number | null | undefined, path: string[], [from, to]: [number, number], usual: string) =>
    value === null || value === undefined
      ? null
      : wholeNumber(value, {
          ...{ name: path.join('.'), from, to, path },
          remedy: `change it, or leave it out for ${usual}`,
        });
  const limit = (name: keyof RunLimits, to: number, usual: string) =>
    within(limits?.[name], ['limits', name], [1, to], usual);
  return {
    priority: within(priority, ['priority'], [-MOST_URGENT, MOST_URGENT], '0') ?? 0,
    limits: {
      taskSeconds: limit('taskSeconds', LONGEST_SECONDS, 'none'),
      runSeconds: limit('runSeconds', LONGEST_SECONDS, 'none'),
      maxAttempts: limit('maxAttempts', MOST_ATTEMPTS, 'the default of the service'),
      costUsd: checkBudget(limits?.costUsd ?? null),
    },
  };
}
