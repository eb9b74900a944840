import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/numerics/math/random.ts';
import { sum } from '../../../src/numerics/math/sum.ts';
import { exactTransport, type Transport } from '../../../src/numerics/transport/transport.ts';
import { bytes } from '../support.ts';
import { expectCertificate, uniform } from './certificate.ts';
import { transportByBellmanFord } from './reference.ts';

/** Masses that are fractions part / sum of parts, zeros among them. */
const parts = (count: number, most = 6) =>
  fc.array(fc.integer({ min: 0, max: most }), { minLength: count, maxLength: count }).filter((all) => sum(all) > 0);

/** Instances with ties; demands are whole samples or not. */
const instances = fc.tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 5 })).chain(([n, k]) =>
  fc.record({
    cost: fc.array(fc.array(fc.integer({ min: -5, max: 9 }), { minLength: k, maxLength: k }), {
      minLength: n,
      maxLength: n,
    }),
    supplies: parts(n),
    demands: parts(k),
    prices: fc.array(fc.integer({ min: -9, max: 9 }), { minLength: k, maxLength: k }),
  }),
);

const shares = (all: readonly number[]) => Float64Array.from(all, (part) => part / sum(all));

describe('exactTransport', () => {
  it('is the optimum that an independent solver finds, with a proof, from any prices', () => {
    fc.assert(
      fc.property(instances, ({ cost, demands, prices }) => {
        const n = cost.length;
        const total = sum(demands);
        const supplies = new Array<number>(n).fill(total);
        const reference = transportByBellmanFord(cost, supplies, demands.map((part) => part * n)) / (n * total); // prettier-ignore
        const flat = Float64Array.from(cost.flat());
        for (const start of [undefined, Float64Array.from(prices)]) {
          const transport = exactTransport(flat, { n, k: demands.length }, shares(demands), { prices: start });
          expect(transport.value).toBeCloseTo(reference, 9);
          expectCertificate(transport, flat, uniform(n), shares(demands));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('is that with samples of different mass, or none, too', () => {
    fc.assert(
      fc.property(instances, ({ cost, supplies, demands }) => {
        const [mass, wanted] = [sum(supplies), sum(demands)];
        const reference =
          transportByBellmanFord(
            cost,
            supplies.map((part) => part * wanted),
            demands.map((part) => part * mass),
          ) /
          (mass * wanted);
        const flat = Float64Array.from(cost.flat());
        const transport = exactTransport(flat, { n: cost.length, k: demands.length }, shares(demands), {
          supplies: shares(supplies),
        });
        expect(transport.value).toBeCloseTo(reference, 9);
        expectCertificate(transport, flat, shares(supplies), shares(demands));
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ['starts from a subsample', 4000, 9],
    ['starts from a subsample of a subsample', 3000, 3],
    ['starts from nothing', 300, 40],
  ])('proves its optimum on clouds and mixtures where it %s', (_, n, k) => {
    for (const [seed, unevenness] of [1, 4].entries()) {
      const { cost } = randomInstance(n, k, 1, seed);
      const demands = shares(Array.from({ length: k }, (_, c) => (c + 0.7) ** unevenness));
      expectCertificate(exactTransport(cost, { n, k }, demands), cost, uniform(n), demands);
      expectCertificate(exactTransport(cost, { n, k }, uniform(k)), cost, uniform(n), uniform(k));
    }
  });

  it.each([1e-30, 1, 1e30])('proves its optimum at scale %d for demands that split samples', (scale) => {
    const { cost, demands } = randomInstance(500, 13, scale);
    const transport = exactTransport(cost, { n: 500, k: 13 }, demands);
    expectCertificate(transport, cost, uniform(500), demands, scale);
    expect(transport.plan.mass.length).toBeLessThan(500 + 13);
  });

  it('moves whole samples where demands are whole samples', () => {
    const { cost } = randomInstance(120, 6, 1);
    const { plan } = exactTransport(cost, { n: 120, k: 6 }, uniform(6));
    expect(plan.mass.length).toBe(120);
    expect(plan.mass.every((mass) => mass === 1 / 120)).toBe(true);
  });

  it('sends everything to the one sink that wants it, and prices the others', () => {
    const { cost } = randomInstance(50, 3, 1);
    const demands = Float64Array.of(0, 1, 0);
    const transport = exactTransport(cost, { n: 50, k: 3 }, demands);
    expect(transport.plan.sinks.every((sink) => sink === 1)).toBe(true);
    expect(transport.value).toBeCloseTo(sum(cost.filter((_, p) => p % 3 === 1)) / 50, 12);
    expectCertificate(transport, cost, uniform(50), demands);
  });

  it.each([
    ['all costs are equal', () => 2],
    ['all samples are equal', (_: number, c: number) => c * c],
    ['all sinks are equal', (i: number) => i % 7],
    ['samples repeat', (i: number, c: number) => ((i % 3) - c) ** 2],
  ])('holds where %s', (_, of) => {
    const [n, k] = [60, 7];
    const cost = Float64Array.from({ length: n * k }, (_, p) => of(Math.floor(p / k), p % k));
    for (const demands of [uniform(k), shares([1, 0, 5, 2, 2, 0, 9])])
      expectCertificate(exactTransport(cost, { n, k }, demands), cost, uniform(n), demands);
  });

  it('holds for one sink, one sample, and a sink for each sample', () => {
    for (const [n, k] of [
      [30, 1],
      [1, 30],
      [30, 30],
      [1, 1],
    ] as const) {
      const { cost } = randomInstance(n, k, 1);
      expectCertificate(exactTransport(cost, { n, k }, uniform(k)), cost, uniform(n), uniform(k));
    }
  });

  it('needs few paths from the prices of the same and of a similar problem', () => {
    const [n, k] = [2000, 20];
    const { cost } = randomInstance(n, k, 1);
    const cold = exactTransport(cost, { n, k }, uniform(k));
    const same = exactTransport(cost, { n, k }, uniform(k), { prices: cold.v });
    expect(same.value).toBeCloseTo(cold.value, 12);
    expect(same.augmentations).toBeLessThan(k);
    const nearby = cost.map((x, p) => x + 1e-3 * Math.sin(p));
    const warm = exactTransport(nearby, { n, k }, uniform(k), { prices: cold.v });
    expectCertificate(warm, nearby, uniform(n), uniform(k));
    expect(warm.augmentations).toBeLessThan(exactTransport(nearby, { n, k }, uniform(k)).augmentations / 4);
  });

  it('gives the same bytes for the same input, and leaves the input alone', () => {
    const { cost, demands } = randomInstance(700, 11, 1);
    const prices = new Float64Array(11).fill(0.5);
    const before = bytes(cost) + bytes(demands) + bytes(prices);
    const all = ({ plan, u, v }: Transport) =>
      [plan.samples, plan.sinks, plan.mass, u, v].map((values) => bytes(values)).join();
    const first = all(exactTransport(cost, { n: 700, k: 11 }, demands, { prices }));
    expect(all(exactTransport(cost, { n: 700, k: 11 }, demands, { prices }))).toBe(first);
    expect(bytes(cost) + bytes(demands) + bytes(prices)).toBe(before);
  });

  it.each([
    [Float64Array.of(0.5, 0.6), 'demands that sum to 1, got 1.1'],
    [Float64Array.of(-0.5, 1.5), 'demands >= 0, got -0.5 at index 0'],
    [Float64Array.of(NaN, 1), 'demands >= 0, got NaN at index 0'],
    [Float64Array.of(1), 'expected 2 demands, got 1'],
  ])('refuses demands %o', (demands, message) => {
    expect(() => exactTransport(new Float64Array(4), { n: 2, k: 2 }, demands)).toThrow(message);
  });

  it('refuses other input that does not fit, with its place, and stops when asked', () => {
    const demands = Float64Array.of(1, 0);
    const shape = { n: 2, k: 2 };
    const cost = new Float64Array(4);
    expect(() => exactTransport(Float64Array.of(0, 1, NaN, 1), shape, demands)).toThrow('row 1, column 0');
    expect(() => exactTransport(Float64Array.of(0, 1, 1, -Infinity), shape, demands)).toThrow('row 1, column 1');
    expect(() => exactTransport(Float64Array.of(0, 1e308, 1, 1), shape, demands)).toThrow('1e+308 at index 1');
    expect(() => exactTransport(cost, { n: 3, k: 2 }, demands)).toThrow('(3, 2), 6 values, got 4');
    expect(() => exactTransport(cost, shape, demands, { supplies: Float64Array.of(1) })).toThrow('2 supplies, got 1');
    expect(() => exactTransport(cost, shape, demands, { prices: Float64Array.of(1) })).toThrow('2 prices, got 1');
    expect(() => exactTransport(cost, shape, demands, { prices: Float64Array.of(1, NaN) })).toThrow('NaN at index 1');
    const call = () => exactTransport(Float64Array.of(1, 0), { n: 1, k: 2 }, demands, { signal: AbortSignal.abort() });
    expect(call).toThrow('cancelled');
  });
});

interface Problem {
  name: string;
  cost: number[][];
  supplies: number[];
  demands: number[];
  linprog: number;
  pot: number;
}

const { tools, problems } = JSON.parse(readFileSync(new URL('reference.json', import.meta.url), 'utf8')) as {
  tools: Record<string, string>;
  problems: Problem[];
};

describe(`exactTransport beside scipy ${tools['scipy']} and POT ${tools['POT']} (reference.py)`, () => {
  it.each(problems.map((problem) => [problem.name, problem] as const))('has their value: %s', (_, problem) => {
    const supplies = Float64Array.from(problem.supplies);
    const demands = Float64Array.from(problem.demands);
    const cost = Float64Array.from(problem.cost.flat());
    const shape = { n: supplies.length, k: demands.length };
    const given = exactTransport(cost, shape, demands, { supplies });
    expect(Math.abs(given.value - problem.linprog)).toBeLessThan(1e-9);
    expect(Math.abs(given.value - problem.pot)).toBeLessThan(1e-9);
    expectCertificate(given, cost, supplies, demands);
    if (supplies.every((mass) => mass === supplies[0]))
      expect(exactTransport(cost, shape, demands).value).toBeCloseTo(given.value, 12);
  });
});

function randomInstance(n: number, k: number, scale: number, seed = 3) {
  const stream = randomStream({ seed, classIndex: 0, purpose: 'transport' });
  const cost = Float64Array.from({ length: n * k }, (_, p) => scale * stream.uniform(p));
  return { cost, demands: shares(Array.from({ length: k }, (_, c) => stream.uniform(n * k + c))) };
}
