import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inferenceTimesteps, timestepsOfStrength } from '../../../src/numerics/diffusion/timesteps.ts';
import { config } from './config.ts';

const spacings = ['leading', 'trailing', 'linspace'] as const;

describe('inferenceTimesteps', () => {
  // The formulas of diffusers' DDIMScheduler.set_timesteps, evaluated in Python 3.11.
  it.each([
    ['leading', 1, 4, [751, 501, 251, 1]],
    ['leading', 1, 7, [853, 711, 569, 427, 285, 143, 1]],
    ['leading', 0, 7, [852, 710, 568, 426, 284, 142, 0]],
    ['trailing', 1, 4, [999, 749, 499, 249]],
    ['trailing', 0, 7, [999, 856, 713, 570, 428, 285, 142]],
    ['linspace', 0, 4, [999, 666, 333, 0]],
    ['linspace', 1, 7, [999, 832, 666, 500, 333, 166, 0]],
  ] as const)('%s, offset %i, %i steps', (timestep_spacing, steps_offset, steps, expected) => {
    expect(Array.from(inferenceTimesteps(config({ timestep_spacing, steps_offset }), steps))).toEqual(expected);
  });

  it('falls within the schedule for any number of steps', () => {
    fc.assert(
      fc.property(fc.constantFrom(...spacings), fc.integer({ min: 1, max: 1000 }), (timestep_spacing, steps) => {
        const timesteps = inferenceTimesteps(config({ timestep_spacing }), steps);
        expect(timesteps.length).toBe(steps);
        expect(timesteps[0]).toBeLessThan(1000);
        expect(timesteps.at(-1)).toBeGreaterThanOrEqual(0);
        for (let i = 1; i < steps; i++) expect(timesteps[i]).toBeLessThan(timesteps[i - 1]!);
      }),
    );
  });

  it('refuses more steps than timesteps, and an offset past the last', () => {
    expect(() => inferenceTimesteps(config(), 1001)).toThrow('expected 1 to 1000 steps, got 1001');
    expect(() => inferenceTimesteps(config(), 0)).toThrow('got 0');
    expect(() => inferenceTimesteps(config({ steps_offset: 1 }), 1000)).toThrow('timesteps below 1000, got 1000');
  });
});

describe('timestepsOfStrength', () => {
  it.each([
    [50, 0.7, 35],
    [50, 0.75, 37],
    [50, 1, 50],
    [50, 0, 0],
    [50, 0.01, 0],
  ])('of %i steps at %d runs the last %i', (steps, strength, run) => {
    const all = inferenceTimesteps(config(), steps);
    const part = timestepsOfStrength(all, strength);
    expect(Array.from(part)).toEqual(Array.from(all).slice(steps - run));
  });

  it('refuses what is no strength', () => {
    expect(() => timestepsOfStrength(Int32Array.of(1), 1.5)).toThrow('strength from 0 to 1, got 1.5');
    expect(() => timestepsOfStrength(Int32Array.of(1), NaN)).toThrow('got NaN');
  });
});
