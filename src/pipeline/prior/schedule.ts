import { PushforwardError } from '../../base/errors.ts';
import { noiseSchedule, type NoiseSchedule } from '../../numerics/diffusion/schedule.ts';
import { type SchedulerConfig } from './description.ts';

/** The schedule that the denoiser was trained with. @throws PRIOR_INVALID for what the sampler does not do yet */
export function scheduleOf(config: SchedulerConfig): NoiseSchedule {
  if (config.trainedBetas) throw unsupported('no trained_betas', 'a list of them');
  if (config.rescaleBetasZeroSnr) throw unsupported('rescale_betas_zero_snr false', 'true');
  if (config.clipSample && config.clipSampleRange !== 1) {
    throw unsupported('clip_sample_range 1', String(config.clipSampleRange));
  }
  return noiseSchedule({
    num_train_timesteps: config.trainTimesteps,
    beta_start: config.betaStart,
    beta_end: config.betaEnd,
    beta_schedule: config.betaSchedule,
    prediction_type: config.predictionType,
    timestep_spacing: config.timestepSpacing,
    steps_offset: config.stepsOffset,
    set_alpha_to_one: config.setAlphaToOne,
    clip_sample: config.clipSample,
  });
}

function unsupported(expected: string, received: string): PushforwardError {
  return new PushforwardError(
    'PRIOR_INVALID',
    `expected ${expected} in scheduler_config.json, got ${received}: the sampler does not support it`,
  );
}
