import { describe, expect, it } from 'vitest';
import { type Denoiser, regenerate, sampleDdim } from '../../../src/numerics/diffusion/ddim.ts';
import { guide } from '../../../src/numerics/diffusion/guidance.ts';
import {
  addNoise,
  noiseSchedule,
  type NoiseSchedule,
  type ScheduleConfig,
} from '../../../src/numerics/diffusion/schedule.ts';
import { inferenceTimesteps } from '../../../src/numerics/diffusion/timesteps.ts';
import { randomStream } from '../../../src/numerics/math/random.ts';
import { config } from './config.ts';

const mu = 1.5;
const deviation = 0.4;
const normals = (count: number, purpose: string, item = 0) =>
  randomStream({ seed: 5, classIndex: 0, purpose, item }).normals(count);

/** The best prediction for data that are N(mu, deviation^2): at noise alpha, x is N(sqrt(alpha) mu, variance). */
function gaussianDenoiser({ alphasCumprod, config: { prediction_type } }: NoiseSchedule): Denoiser {
  return async (x, t) => {
    const alpha = alphasCumprod[t]!;
    const signal = Math.sqrt(alpha);
    const sigma = Math.sqrt(1 - alpha);
    const variance = alpha * deviation ** 2 + 1 - alpha;
    return x.map((value) => {
      const epsilon = (sigma * (value - signal * mu)) / variance;
      const x0 = (value - sigma * epsilon) / signal;
      if (prediction_type === 'epsilon') return epsilon;
      return prediction_type === 'sample' ? x0 : signal * epsilon - sigma * x0;
    });
  };
}

describe('sampleDdim on a Gaussian with known score', () => {
  const cases: [string, Partial<ScheduleConfig>][] = [
    ['leading', { timestep_spacing: 'leading' }],
    ['trailing', { timestep_spacing: 'trailing' }],
    ['linspace', { timestep_spacing: 'linspace' }],
    ['cosine', { beta_schedule: 'squaredcos_cap_v2', timestep_spacing: 'trailing' }],
    ['v prediction', { prediction_type: 'v_prediction' }],
    ['sample prediction', { prediction_type: 'sample' }],
  ];
  it.each(cases)('carries noise to data by the exact map: %s', async (_, part) => {
    const schedule = noiseSchedule(config(part));
    const timesteps = inferenceTimesteps(schedule.config, 500);
    const x = Float32Array.of(-2, -0.5, 0, 1, 2.5);
    const result = await sampleDdim(gaussianDenoiser(schedule), x, schedule, timesteps);
    const alpha = schedule.alphasCumprod[timesteps[0]!]!;
    const spread = Math.sqrt(alpha * deviation ** 2 + 1 - alpha);
    x.forEach((value, i) => {
      expect(Math.abs(result[i]! - (mu + (deviation * (value - Math.sqrt(alpha) * mu)) / spread))).toBeLessThan(0.01);
    });
  });

  it('comes closer with more steps', async () => {
    const schedule = noiseSchedule(config({ timestep_spacing: 'trailing' }));
    const error = async (steps: number) => {
      const timesteps = inferenceTimesteps(schedule.config, steps);
      const [x] = await sampleDdim(gaussianDenoiser(schedule), Float32Array.of(2), schedule, timesteps);
      return Math.abs(x! - (mu + deviation * 2));
    };
    const errors = [await error(10), await error(40), await error(160)];
    expect(errors[1]).toBeLessThan(errors[0]! / 2);
    expect(errors[2]).toBeLessThan(errors[1]! / 2);
  });

  it('has mean and deviation of the data with fresh noise in each step (eta = 1)', async () => {
    const n = 4000;
    const schedule = noiseSchedule(config());
    const timesteps = inferenceTimesteps(schedule.config, 200);
    const noise = (step: number) => normals(n, 'step', step);
    const x = await sampleDdim(gaussianDenoiser(schedule), normals(n, 'start'), schedule, timesteps, { eta: 1, noise });
    const mean = x.reduce((a, b) => a + b) / n;
    const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / n;
    expect(Math.abs(mean - mu)).toBeLessThan(0.03);
    expect(Math.abs(Math.sqrt(variance) - deviation)).toBeLessThan(0.02);
  });
});

describe('sampleDdim', () => {
  const schedule = noiseSchedule(config());

  it('recovers data in one step from a perfect prediction of the noise', async () => {
    const x0 = Float32Array.of(0.3, -1, 2);
    const noise = normals(3, 'noise');
    const x = addNoise(schedule, x0, noise, 400);
    const result = await sampleDdim(async () => noise, x, schedule, Int32Array.of(400));
    result.forEach((value, i) => expect(value).toBeCloseTo(x0[i]!, 5));
  });

  it('clips the predicted data where the schedule says so', async () => {
    const clipping = noiseSchedule(config({ clip_sample: true, prediction_type: 'sample' }));
    const x0 = await sampleDdim(
      async () => Float32Array.of(3, -3, 0.5),
      new Float32Array(3),
      clipping,
      Int32Array.of(400),
    );
    expect(Array.from(x0)).toEqual([1, -1, 0.5]);
  });

  it('leaves its input as it was, and tells of each step', async () => {
    const x = Float32Array.of(1, 2);
    const seen: [number, number][] = [];
    const onStep = (done: number, steps: number) => void seen.push([done, steps]);
    await sampleDdim(gaussianDenoiser(schedule), x, schedule, Int32Array.of(600, 300), { onStep });
    expect(Array.from(x)).toEqual([1, 2]);
    expect(seen).toEqual([
      [1, 2],
      [2, 2],
    ]);
  });

  it('stops when cancelled, before the next prediction', async () => {
    const controller = new AbortController();
    let calls = 0;
    const denoise: Denoiser = async (x) => {
      calls++;
      controller.abort();
      return x;
    };
    const running = sampleDdim(denoise, new Float32Array(1), schedule, Int32Array.of(2, 1), {
      signal: controller.signal,
    });
    await expect(running).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(calls).toBe(1);
  });

  it('refuses a prediction of another shape, and eta without noise', async () => {
    const x = new Float32Array(4);
    const t = Int32Array.of(5);
    await expect(sampleDdim(async () => new Float32Array(8), x, schedule, t)).rejects.toThrow(
      'prediction of 4 values, got 8',
    );
    await expect(sampleDdim(async () => x, x, schedule, t, { eta: 1 })).rejects.toThrow('source of noise for eta 1');
    await expect(sampleDdim(async () => x, x, schedule, t, { eta: -1 })).rejects.toThrow('eta from 0 to 1');
  });
});

describe('regenerate', () => {
  const schedule = noiseSchedule(config());
  const x0 = Float32Array.of(mu + deviation, mu - 2 * deviation);

  it('returns the points as they are at strength 0, without asking the model', async () => {
    const denoise: Denoiser = () => Promise.reject(new Error('must not be asked'));
    const result = await regenerate(denoise, x0, normals(2, 'noise'), schedule, { steps: 50, strength: 0 });
    expect(result).toEqual(x0);
    expect(result).not.toBe(x0);
  });

  it('runs the last steps from the noised points', async () => {
    const visited: number[] = [];
    const denoise: Denoiser = (x, t) => {
      visited.push(t);
      return gaussianDenoiser(schedule)(x, t);
    };
    const noise = normals(2, 'noise');
    const result = await regenerate(denoise, x0, noise, schedule, { steps: 50, strength: 0.7 });
    expect([visited.length, visited[0], visited.at(-1)]).toEqual([35, 680, 0]);
    const started = addNoise(schedule, x0, noise, 680);
    expect(result).toEqual(await sampleDdim(gaussianDenoiser(schedule), started, schedule, Int32Array.from(visited)));
  });

  it('forgets the point as strength grows', async () => {
    const noise = Float32Array.of(0, 0);
    const spread = async (strength: number) => {
      const [a, b] = await regenerate(gaussianDenoiser(schedule), x0, noise, schedule, { steps: 100, strength });
      return a! - b!;
    };
    const spreads = [await spread(0.1), await spread(0.5), await spread(1)];
    expect(spreads[0]).toBeGreaterThan(spreads[1]!);
    expect(spreads[1]).toBeGreaterThan(spreads[2]!);
    expect(spreads[2]).toBeLessThan(0.01);
  });
});

describe('guide', () => {
  it('is the conditional prediction at 1, the unconditional one at 0, and beyond at more', () => {
    const unconditional = Float32Array.of(1, -2);
    const conditional = Float32Array.of(3, -1);
    expect(guide(unconditional, conditional, 1)).toEqual(conditional);
    expect(guide(unconditional, conditional, 0)).toEqual(unconditional);
    expect(Array.from(guide(unconditional, conditional, 4))).toEqual([9, 2]);
    expect(() => guide(unconditional, new Float32Array(3), 1)).toThrow('got 2 and 3 values');
  });
});
