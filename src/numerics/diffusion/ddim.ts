import { throwIfAborted } from '../../base/abort.ts';
import { invalid } from '../../base/errors.ts';
import { addNoise, alphaCumprodAt, type NoiseSchedule, type ScheduleConfig } from './schedule.ts';
import { inferenceTimesteps, timestepsOfStrength } from './timesteps.ts';

/** The model's prediction for x (b, d), in the schedule's prediction type, guidance included. Must not change x. */
export type Denoiser = (x: Float32Array, t: number) => Promise<Float32Array>;

export interface DdimOptions {
  /** 0 is deterministic (DDIM), 1 is ancestral (DDPM); default 0 */
  readonly eta?: number;
  /** Standard normal noise for a step, of x's shape: needed when eta > 0. Steps count from 0. */
  readonly noise?: (step: number) => Float32Array;
  readonly signal?: AbortSignal;
  /** Awaited after each step. */
  readonly onStep?: (done: number, steps: number) => void | Promise<void>;
}

/**
 * Denoising diffusion implicit models: from x at the first of `timesteps` down to data.
 * Song, Meng and Ermon, 2021, equation 12, with sigma of equation 16.
 *
 * A step ends where the next one begins. For leading timesteps, and for trailing ones when steps divide the schedule, that is
 * what diffusers does; elsewhere diffusers subtracts floor(T / steps), which misses the next timestep by a little.
 *
 * @param x (b, d), noise at timesteps[0]; left unchanged
 * @param timesteps falling
 * @returns (b, d); a copy of x when there are no timesteps
 * @throws INVALID_INPUT, CANCELLED
 */
export async function sampleDdim(
  denoise: Denoiser,
  x: Float32Array,
  schedule: NoiseSchedule,
  timesteps: Int32Array,
  { eta = 0, noise, signal, onStep }: DdimOptions = {},
): Promise<Float32Array> {
  if (!(eta >= 0 && eta <= 1)) throw invalid(`expected eta from 0 to 1, got ${eta}: 0 is deterministic`, { eta });
  if (eta > 0 && !noise) throw invalid(`expected a source of noise for eta ${eta}, got none: hand in noise, or eta 0`);
  x = x.slice();
  for (let step = 0; step < timesteps.length; step++) {
    throwIfAborted(signal);
    const t = timesteps[step]!;
    const alpha = alphaCumprodAt(schedule, t);
    const alphaNext =
      step + 1 < timesteps.length ? alphaCumprodAt(schedule, timesteps[step + 1]!) : schedule.finalAlphaCumprod;
    const sigma = eta * Math.sqrt(((1 - alphaNext) / (1 - alpha)) * (1 - alpha / alphaNext));
    const direction = Math.sqrt(Math.max(0, 1 - alphaNext - sigma * sigma));
    const split = splitter(schedule.config, alpha);
    const z = sigma > 0 ? sameLength(noise!(step), x, 'noise') : undefined;
    const prediction = sameLength(await denoise(x, t), x, 'prediction');
    x = x.map((value, i) => {
      const { x0, epsilon } = split(value, prediction[i]!);
      return Math.sqrt(alphaNext) * x0 + direction * epsilon + (z ? sigma * z[i]! : 0);
    });
    await onStep?.(step + 1, timesteps.length);
  }
  return x;
}

export interface RegenerateOptions extends DdimOptions {
  /** of the whole schedule, of which strength runs a part */
  readonly steps: number;
  /** 0 to 1: how far a point is noised before it is denoised; 0 returns it as it is */
  readonly strength: number;
}

/**
 * A point pushed through the prior: noised to the timestep of `strength`, and denoised from there
 * (SDEdit, Meng et al., 2022; image-to-image in diffusers).
 *
 * @param x0 (b, d)
 * @param startNoise (b, d), standard normal
 * @returns (b, d)
 * @throws INVALID_INPUT, CANCELLED
 */
export async function regenerate(
  denoise: Denoiser,
  x0: Float32Array,
  startNoise: Float32Array,
  schedule: NoiseSchedule,
  { steps, strength, ...options }: RegenerateOptions,
): Promise<Float32Array> {
  const timesteps = timestepsOfStrength(inferenceTimesteps(schedule.config, steps), strength);
  if (timesteps.length === 0) return x0.slice();
  return sampleDdim(denoise, addNoise(schedule, x0, startNoise, timesteps[0]!), schedule, timesteps, options);
}

/** The data and the noise that a prediction says x is made of: x = sqrt(alpha) x0 + sqrt(1 - alpha) epsilon. */
function splitter(
  config: ScheduleConfig,
  alpha: number,
): (x: number, prediction: number) => { x0: number; epsilon: number } {
  const signal = Math.sqrt(alpha);
  const sigma = Math.sqrt(1 - alpha);
  const clip = config.clip_sample ? (x0: number) => Math.min(1, Math.max(-1, x0)) : (x0: number) => x0;
  switch (config.prediction_type) {
    case 'epsilon':
      return (x, epsilon) => ({ x0: clip((x - sigma * epsilon) / signal), epsilon });
    case 'v_prediction':
      return (x, v) => ({ x0: clip(signal * x - sigma * v), epsilon: signal * v + sigma * x });
    case 'sample':
      return (x, x0) => ({ x0: clip(x0), epsilon: (x - signal * x0) / sigma });
  }
}

function sameLength(values: Float32Array, x: Float32Array, what: string): Float32Array {
  if (values.length !== x.length)
    throw invalid(
      `expected ${what} of ${x.length} values, got ${values.length}: a model that also predicts variances must be cut first`,
    );
  return values;
}
