import { invalid } from '../../base/errors.ts';
import { type ScheduleConfig } from './schedule.ts';

/**
 * The timesteps that sampling visits, falling, as diffusers' DDIMScheduler spaces them
 * (Lin et al., "Common diffusion noise schedules and sample steps are flawed", 2024, table 2).
 *
 * @returns (steps,)
 * @throws INVALID_INPUT if there are more steps than timesteps, or steps_offset leads past the last one
 */
export function inferenceTimesteps(config: ScheduleConfig, steps: number): Int32Array {
  const { num_train_timesteps: count, timestep_spacing: spacing, steps_offset: offset } = config;
  if (!Number.isInteger(steps) || steps < 1 || steps > count)
    throw invalid(`expected 1 to ${count} steps, got ${steps}: the prior was trained with ${count} timesteps`, {
      steps,
    });
  const timesteps = Int32Array.from({ length: steps }, (_, i) => {
    const left = steps - 1 - i;
    switch (spacing) {
      case 'leading':
        return left * Math.floor(count / steps) + offset;
      case 'trailing':
        return roundHalfEven(count - i * (count / steps)) - 1;
      case 'linspace':
        return steps === 1 ? 0 : roundHalfEven(left * ((count - 1) / (steps - 1)));
    }
  });
  if (timesteps[0]! >= count)
    throw invalid(
      `expected timesteps below ${count}, got ${timesteps[0]}: with steps_offset ${offset} take fewer than ${steps} steps`,
    );
  return timesteps;
}

/**
 * What image-to-image runs of the timesteps: the last `floor(steps * strength)` of them, as diffusers cuts them.
 * Strength 0 runs none and leaves the data as they are; strength 1 runs all.
 *
 * @throws INVALID_INPUT if strength is outside [0, 1]
 */
export function timestepsOfStrength(timesteps: Int32Array, strength: number): Int32Array {
  if (!(strength >= 0 && strength <= 1))
    throw invalid(`expected a strength from 0 to 1, got ${strength}: 0 keeps the point, 1 starts from noise`, {
      strength,
    });
  const run = Math.floor(timesteps.length * strength);
  return timesteps.slice(timesteps.length - run);
}

/** numpy's rounding, which diffusers uses. */
function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  if (x - below !== 0.5) return Math.round(x);
  return below % 2 === 0 ? below : below + 1;
}
