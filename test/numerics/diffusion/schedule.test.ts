import { describe, expect, it } from 'vitest';
import { addNoise, noiseSchedule } from '../../../src/numerics/diffusion/schedule.ts';
import { config } from './config.ts';

const linear = config({ beta_schedule: 'linear', beta_start: 0.0001, beta_end: 0.02 });
const scaled = config({ beta_schedule: 'scaled_linear', beta_start: 0.00085, beta_end: 0.012 });
const cosine = config({ beta_schedule: 'squaredcos_cap_v2' });

describe('noiseSchedule', () => {
  // Python 3.11: the definitions of diffusers in 50-digit decimals (cosine: in float64).
  it.each([
    [
      'linear, as DiT',
      linear,
      [0.9999, 0.9997800920720721, 0.0777966583650239, 5.903751370853389e-5, 4.0358297653756835e-5],
    ],
    [
      'scaled linear, as Stable Diffusion',
      scaled,
      [0.99915, 0.9982960278384514, 0.27633268382297477, 0.005843783318683296, 0.00466009851307724],
    ],
    [
      'cosine',
      cosine,
      [0.999958715775178, 0.9999125759273678, 0.49228517244880304, 8.765293819602857e-4, 2.4287669070348567e-9],
    ],
  ])('%s', (_, schedule, expected) => {
    const { alphasCumprod } = noiseSchedule(schedule);
    [0, 1, 500, 980, 999].forEach((t, e) => expect(Math.abs(alphasCumprod[t]! / expected[e]! - 1)).toBeLessThan(1e-10));
  });

  it('falls from below 1 to above 0', () => {
    for (const schedule of [linear, scaled, cosine]) {
      const { alphasCumprod } = noiseSchedule(schedule);
      for (let t = 1; t < 1000; t++) expect(alphasCumprod[t]).toBeLessThan(alphasCumprod[t - 1]!);
      expect(alphasCumprod[0]).toBeLessThan(1);
      expect(alphasCumprod[999]).toBeGreaterThan(0);
    }
  });

  it('ends at clean data, or at timestep 0', () => {
    expect(noiseSchedule(linear).finalAlphaCumprod).toBe(1);
    expect(noiseSchedule({ ...linear, set_alpha_to_one: false }).finalAlphaCumprod).toBe(0.9999);
  });

  it.each([
    [{ num_train_timesteps: 0 }, 'num_train_timesteps >= 1, got 0'],
    [{ beta_start: 0 }, '0 < beta_start <= beta_end < 1, got 0'],
    [{ steps_offset: -1 }, 'steps_offset >= 0, got -1'],
    [
      { beta_schedule: 'sigmoid' as never },
      'beta_schedule to be one of linear, scaled_linear, squaredcos_cap_v2, got sigmoid',
    ],
  ])('refuses %j', (part, message) => {
    expect(() => noiseSchedule({ ...linear, ...part })).toThrow(message);
  });
});

describe('addNoise', () => {
  it('keeps unit variance and the share of the data that the schedule says', () => {
    const schedule = noiseSchedule(scaled);
    const alpha = schedule.alphasCumprod[500]!;
    const noised = addNoise(schedule, Float32Array.of(2, 0), Float32Array.of(0, 3), 500);
    expect(noised[0]).toBeCloseTo(2 * Math.sqrt(alpha), 6);
    expect(noised[1]).toBeCloseTo(3 * Math.sqrt(1 - alpha), 6);
  });

  it('refuses another shape and a timestep outside the schedule', () => {
    const schedule = noiseSchedule(scaled);
    expect(() => addNoise(schedule, new Float32Array(2), new Float32Array(3), 0)).toThrow(
      'expected 2 values of noise, got 3',
    );
    expect(() => addNoise(schedule, new Float32Array(2), new Float32Array(2), 1000)).toThrow('from 0 to 999, got 1000');
  });
});
