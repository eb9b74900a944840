import { invalid } from '../base/errors.ts';
import { type RunLimits } from '../engine/ports.ts';

/** How urgent a run is and what it may use: never part of what it makes. */
export interface LaunchOptions {
  /** Runs with a greater one go first; default 0. */
  priority?: number | null;
  limits?: Partial<RunLimits> | null;
}

const MOST_URGENT = 1000;
const LONGEST_SECONDS = 30 * 24 * 3600;
const MOST_ATTEMPTS = 100;

/** @throws INVALID_INPUT naming the field of the launch input */
export function checkLaunchOptions({ priority, limits }: LaunchOptions): { priority: number; limits: RunLimits } {
  const within = (value: number | null | undefined, [low, high]: [number, number], path: string[], usual: string) => {
    if (value === null || value === undefined) return null;
    if (Number.isInteger(value) && value >= low && value <= high) return value;
    throw invalid(
      `expected ${path.join('.')} to be a whole number from ${low} to ${high}, got ${value}: change it, or leave it out for ${usual}`,
      { path },
    );
  };
  const seconds: [number, number] = [1, LONGEST_SECONDS];
  return {
    priority: within(priority, [-MOST_URGENT, MOST_URGENT], ['priority'], '0') ?? 0,
    limits: {
      taskSeconds: within(limits?.taskSeconds, seconds, ['limits', 'taskSeconds'], 'none'),
      runSeconds: within(limits?.runSeconds, seconds, ['limits', 'runSeconds'], 'none'),
      maxAttempts: within(
        limits?.maxAttempts,
        [1, MOST_ATTEMPTS],
        ['limits', 'maxAttempts'],
        'the default of the service',
      ),
    },
  };
}
