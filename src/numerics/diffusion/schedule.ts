import { invalid } from '../../base/errors.ts';

/** The scheduler's configuration, in the names of diffusers' `scheduler_config.json`, whose values it takes as they are. */
export interface ScheduleConfig {
  readonly num_train_timesteps: number;
  readonly beta_start: number;
  readonly beta_end: number;
  readonly beta_schedule: 'linear' | 'scaled_linear' | 'squaredcos_cap_v2';
  readonly prediction_type: 'epsilon' | 'v_prediction' | 'sample';
  readonly timestep_spacing: 'leading' | 'trailing' | 'linspace';
  readonly steps_offset: number;
  /** the last step ends at clean data; otherwise at the noise of timestep 0 */
  readonly set_alpha_to_one: boolean;
  /** clip the predicted data to [-1, 1] */
  readonly clip_sample: boolean;
}

/** How much of the data is left at each timestep. */
export interface NoiseSchedule {
  readonly config: ScheduleConfig;
  /** (num_train_timesteps,): the product of 1 - beta up to t, falling */
  readonly alphasCumprod: Float64Array;
  /** what stands for it before timestep 0 */
  readonly finalAlphaCumprod: number;
}

/**
 * The discrete variance schedule of DDPM (Ho, Jain and Abbeel, 2020, section 2), with the betas of diffusers.
 * Computed in float64, where diffusers computes in float32: they agree to about 1e-6.
 *
 * @throws INVALID_INPUT if a value is out of its range
 */
export function noiseSchedule(config: ScheduleConfig): NoiseSchedule {
  assertConfig(config);
  const alphasCumprod = new Float64Array(config.num_train_timesteps);
  let product = 1;
  betas(config).forEach((beta, t) => {
    product *= 1 - beta;
    alphasCumprod[t] = product;
  });
  return { config, alphasCumprod, finalAlphaCumprod: config.set_alpha_to_one ? 1 : alphasCumprod[0]! };
}

/**
 * Data noised to timestep t: sqrt(alphasCumprod) x0 + sqrt(1 - alphasCumprod) noise (DDPM, equation 4).
 *
 * @param x0 any shape
 * @param noise standard normal, of the same shape
 * @throws INVALID_INPUT if the lengths differ or t is no timestep of the schedule
 */
export function addNoise(schedule: NoiseSchedule, x0: Float32Array, noise: Float32Array, t: number): Float32Array {
  if (noise.length !== x0.length)
    throw invalid(`expected ${x0.length} values of noise, got ${noise.length}: draw one for each value of the data`);
  const alpha = alphaCumprodAt(schedule, t);
  const signal = Math.sqrt(alpha);
  const sigma = Math.sqrt(1 - alpha);
  return x0.map((x, i) => signal * x + sigma * noise[i]!);
}

/** @throws INVALID_INPUT if t is no timestep of the schedule */
export function alphaCumprodAt(schedule: NoiseSchedule, t: number): number {
  const alpha = schedule.alphasCumprod[t];
  if (alpha === undefined)
    throw invalid(`expected a timestep from 0 to ${schedule.alphasCumprod.length - 1}, got ${t}: see steps_offset`, {
      t,
    });
  return alpha;
}

function betas(config: ScheduleConfig): Float64Array {
  const { num_train_timesteps: count, beta_start: start, beta_end: end } = config;
  switch (config.beta_schedule) {
    case 'linear':
      return linspace(start, end, count);
    case 'scaled_linear':
      return linspace(Math.sqrt(start), Math.sqrt(end), count).map((root) => root * root);
    case 'squaredcos_cap_v2':
      return cosineBetas(count);
  }
}

/** Nichol and Dhariwal, "Improved denoising diffusion probabilistic models", 2021, equation 17; betas capped at 0.999. */
function cosineBetas(count: number): Float64Array {
  const alphaBar = (time: number): number => Math.cos((((time + 0.008) / 1.008) * Math.PI) / 2) ** 2;
  return Float64Array.from({ length: count }, (_, t) =>
    Math.min(1 - alphaBar((t + 1) / count) / alphaBar(t / count), 0.999),
  );
}

function linspace(start: number, end: number, count: number): Float64Array {
  const step = count > 1 ? (end - start) / (count - 1) : 0;
  return Float64Array.from({ length: count }, (_, i) => start + i * step);
}

function assertConfig(config: ScheduleConfig): void {
  const { num_train_timesteps: count, beta_start: start, beta_end: end, steps_offset: offset } = config;
  if (!Number.isInteger(count) || count < 1)
    throw invalid(`expected num_train_timesteps >= 1, got ${count}: see the prior's scheduler_config.json`);
  if (!Number.isInteger(offset) || offset < 0)
    throw invalid(`expected an integer steps_offset >= 0, got ${offset}: see the prior's scheduler_config.json`);
  if (config.beta_schedule !== 'squaredcos_cap_v2' && !(start > 0 && start <= end && end < 1))
    throw invalid(
      `expected 0 < beta_start <= beta_end < 1, got ${start} and ${end}: see the prior's scheduler_config.json`,
    );
  for (const [name, values] of Object.entries(CHOICES)) {
    const value = config[name as keyof typeof CHOICES];
    if (!(values as readonly string[]).includes(value))
      throw invalid(`expected ${name} to be one of ${values.join(', ')}, got ${value}: the others are not supported`);
  }
}

const CHOICES = {
  beta_schedule: ['linear', 'scaled_linear', 'squaredcos_cap_v2'],
  prediction_type: ['epsilon', 'v_prediction', 'sample'],
  timestep_spacing: ['leading', 'trailing', 'linspace'],
} as const satisfies { [name in keyof ScheduleConfig]?: readonly ScheduleConfig[name][] };
