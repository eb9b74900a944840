import { describe, expect, it } from 'vitest';
import { normalQuantile } from '../../../src/numerics/math/normal.ts';
import { philox4x32 } from '../../../src/numerics/math/philox.ts';
import { randomStream } from '../../../src/numerics/math/random.ts';

const key = { seed: 7, classIndex: 3, purpose: 'test', item: 2 };

describe('philox4x32', () => {
  // Known answers of Random123 1.09, kat_vectors, philox4x32 10.
  it.each([
    [[0, 0, 0, 0], [0, 0], '6627e8d5 e169c58d bc57ac4c 9b00dbd8'],
    [Array<number>(4).fill(0xffffffff), [0xffffffff, 0xffffffff], '408f276d 41c83b0e a20bc7c6 6d5451fd'],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], 'd16cfe09 94fdcceb 5001e420 24126ea1'],
  ])('counter %j, key %j', (counter, [k0, k1], expected) => {
    const out = new Uint32Array(4);
    philox4x32(counter[0]!, counter[1]!, counter[2]!, counter[3]!, k0!, k1!, out);
    expect(Array.from(out, (word) => word.toString(16).padStart(8, '0')).join(' ')).toBe(expected);
  });
});

describe('normalQuantile', () => {
  // CPython 3.11, statistics.NormalDist().inv_cdf.
  it.each([
    [0.5, 0],
    [0.075, -1.4395314709384557],
    [0.2, -0.8416212335729142],
    [0.975, 1.9599639845400536],
    [1e-3, -3.090232306167813],
    [1e-12, -7.034483825301132],
    [1e-300, -37.0470962993612],
    [2 ** -54, -8.292361075813595],
  ])('%d', (p, expected) => {
    expect(Math.abs(normalQuantile(p) - expected)).toBeLessThan(1e-14 * Math.max(1, Math.abs(expected)));
  });
});

describe('randomStream', () => {
  it('does not depend on the order of the draws', () => {
    const stream = randomStream(key);
    const forwards = Array.from({ length: 9 }, (_, i) => stream.uniform(i));
    const backwards = Array.from({ length: 9 }, (_, i) => stream.uniform(8 - i)).reverse();
    expect(backwards).toEqual(forwards);
    expect(Array.from(stream.normals(4, 3))).toEqual(Array.from(stream.normals(7)).slice(3));
  });

  it('keeps its numbers for ever', () => {
    const stream = randomStream({ seed: 2 ** 40 + 5, classIndex: 1, purpose: 'seeding' });
    expect([stream.uniform(0), stream.uniform(1), stream.uniform(1000), stream.normal(0)]).toEqual(PINNED);
  });

  it('differs in every part of its key', () => {
    const keys = [
      key,
      { ...key, seed: 8 },
      { ...key, seed: key.seed + 2 ** 32 },
      { ...key, classIndex: 4 },
      { ...key, purpose: 'other' },
      { ...key, item: 3 },
    ];
    const first = keys.map((k) => randomStream(k).uniform(0));
    expect(new Set(first).size).toBe(keys.length);
  });

  it('is uniform, and normal, to sampling error', () => {
    const stream = randomStream(key);
    const n = 20_000;
    const uniforms = Array.from({ length: n }, (_, i) => stream.uniform(i));
    expect(Math.abs(uniforms.reduce((a, b) => a + b) / n - 0.5)).toBeLessThan(0.008);
    const cells = new Array<number>(16).fill(0);
    for (const u of uniforms) cells[Math.floor(u * 16)]!++;
    const chiSquare = cells.reduce((total, count) => total + (count - n / 16) ** 2 / (n / 16), 0);
    expect(chiSquare).toBeLessThan(37.7); // 99.9% at 15 degrees of freedom
    const normals = stream.normals(n);
    const moment = (p: number) => normals.reduce((total, z) => total + z ** p, 0) / n;
    expect(Math.abs(moment(1))).toBeLessThan(0.03);
    expect(Math.abs(moment(2) - 1)).toBeLessThan(0.04);
    expect(Math.abs(moment(4) - 3)).toBeLessThan(0.3);
  });

  it.each([{ seed: -1 }, { seed: 0.5 }, { seed: 2 ** 53 }, { classIndex: -1 }, { item: 2 ** 32 }])(
    'refuses %j',
    (part) => {
      expect(() => randomStream({ ...key, ...part })).toThrow(/expected a .* integer/);
    },
  );
});

/** From an independent Philox in Python integers; the last by statistics.NormalDist().inv_cdf. */
const PINNED = [0.4405222844761207, 0.6556860232825144, 0.37721025377285217, -0.14964516994106664];
