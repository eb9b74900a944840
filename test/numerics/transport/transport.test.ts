import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { randomStream } from '../../../src/numerics/math/random.ts';
import { sum } from '../../../src/numerics/math/sum.ts';
import { exactTransport, type Transport } from '../../../src/numerics/transport/transport.ts';
import { transportByBellmanFord } from './reference.ts';

/** Instances whose demands are fractions parts / sum of parts: whole samples or not, zeros and ties among them. */
const instances = fc.tuple(fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 4 })).chain(([n, k]) =>
  fc.record({
    cost: fc.array(fc.array(fc.integer({ min: -5, max: 9 }), { minLength: k, maxLength: k }), {
      minLength: n,
      maxLength: n,
    }),
    parts: fc.array(fc.integer({ min: 0, max: 6 }), { minLength: k, maxLength: k }).filter((parts) => sum(parts) > 0),
  }),
);

describe('exactTransport', () => {
  it('is the optimum that an independent solver finds, with marginals and a dual that prove it', () => {
    fc.assert(
      fc.property(instances, ({ cost, parts }) => {
        const n = cost.length;
        const total = sum(parts);
        const demands = Float64Array.from(parts, (part) => part / total);
        const flat = Float64Array.from(cost.flat());
        const transport = exactTransport(flat, { n, k: parts.length }, demands);
        const supplies = new Array<number>(n).fill(total);
        const reference =
          transportByBellmanFord(
            cost,
            supplies,
            parts.map((part) => part * n),
          ) /
          (n * total);
        expect(transport.value).toBeCloseTo(reference, 9);
        expectCertificate(transport, flat, n, demands);
      }),
      { numRuns: 300 },
    );
  });

  it.each([1e-30, 1, 1e30])('proves its optimum at scale %d for demands that split samples', (scale) => {
    const { cost, demands } = randomInstance(500, 13, scale);
    const transport = exactTransport(cost, { n: 500, k: 13 }, demands);
    expectCertificate(transport, cost, 500, demands, scale);
    expect(transport.plan.mass.length).toBeLessThan(500 + 13);
  });

  it('moves whole samples where demands are whole samples', () => {
    const { cost } = randomInstance(120, 6, 1);
    const { plan } = exactTransport(cost, { n: 120, k: 6 }, new Float64Array(6).fill(1 / 6));
    expect(plan.mass.length).toBe(120);
    expect(plan.mass.every((mass) => mass === 1 / 120)).toBe(true);
  });

  it('sends everything to the one sink that wants it', () => {
    const { cost } = randomInstance(50, 3, 1);
    const { plan, value } = exactTransport(cost, { n: 50, k: 3 }, Float64Array.of(0, 1, 0));
    expect(plan.sinks.every((sink) => sink === 1)).toBe(true);
    expect(value).toBeCloseTo(sum(cost.filter((_, p) => p % 3 === 1)) / 50, 12);
  });

  it.each([
    [Float64Array.of(0.5, 0.6), 'demands that sum to 1, got 1.1'],
    [Float64Array.of(-0.5, 1.5), 'demands >= 0, got -0.5 at index 0'],
    [Float64Array.of(NaN, 1), 'demands >= 0, got NaN at index 0'],
    [Float64Array.of(1), 'expected 2 demands, got 1'],
  ])('refuses demands %o', (demands, message) => {
    expect(() => exactTransport(new Float64Array(4), { n: 2, k: 2 }, demands)).toThrow(message);
  });

  it('refuses a cost that is not finite, with its place, and stops when asked', () => {
    const demands = Float64Array.of(1, 0);
    expect(() => exactTransport(Float64Array.of(0, 1, NaN, 1), { n: 2, k: 2 }, demands)).toThrow('row 1, column 0');
    const call = () => exactTransport(Float64Array.of(1, 0), { n: 1, k: 2 }, demands, { signal: AbortSignal.abort() });
    expect(call).toThrow('cancelled');
  });
});

function randomInstance(n: number, k: number, scale: number) {
  const stream = randomStream({ seed: 3, classIndex: 0, purpose: 'transport' });
  const cost = Float64Array.from({ length: n * k }, (_, p) => scale * stream.uniform(p));
  const parts = Array.from({ length: k }, (_, c) => stream.uniform(n * k + c));
  return { cost, demands: Float64Array.from(parts, (part) => part / sum(parts)) };
}

function expectCertificate(
  transport: Transport,
  cost: Float64Array,
  n: number,
  demands: Float64Array,
  scale = 1,
): void {
  const { plan, u, v, value, dual, gap } = transport;
  const k = demands.length;
  const rows = new Float64Array(n);
  const columns = new Float64Array(k);
  let planCost = 0;
  plan.mass.forEach((mass, e) => {
    expect(mass).toBeGreaterThan(0);
    rows[plan.samples[e]!]! += mass;
    columns[plan.sinks[e]!]! += mass;
    planCost += mass * cost[plan.samples[e]! * k + plan.sinks[e]!]!;
  });
  rows.forEach((mass) => expect(mass).toBeCloseTo(1 / n, 12));
  columns.forEach((mass, c) => expect(mass).toBeCloseTo(demands[c]!, 12));
  for (let p = 0; p < cost.length; p++)
    expect(u[Math.floor(p / k)]! + v[p % k]!).toBeLessThanOrEqual(cost[p]! + 1e-12 * scale);
  expect(value / scale).toBeCloseTo(planCost / scale, 12);
  expect(dual / scale).toBeCloseTo((sum(u) / n + sum(v.map((price, c) => price * demands[c]!))) / scale, 12);
  expect(gap).toBe(value - dual);
  expect(Math.abs(gap)).toBeLessThan(1e-12 * scale);
}
