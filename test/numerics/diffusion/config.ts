import { type ScheduleConfig } from '../../../src/numerics/diffusion/schedule.ts';

/** DiT's scheduler, with parts replaced. */
export function config(part: Partial<ScheduleConfig> = {}): ScheduleConfig {
  return {
    num_train_timesteps: 1000,
    beta_start: 0.0001,
    beta_end: 0.02,
    beta_schedule: 'linear',
    prediction_type: 'epsilon',
    timestep_spacing: 'leading',
    steps_offset: 0,
    set_alpha_to_one: true,
    clip_sample: false,
    ...part,
  };
}
