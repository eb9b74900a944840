import { expect } from 'vitest';
import { sum } from '../../../src/numerics/math/sum.ts';
import { type Transport } from '../../../src/numerics/transport/transport.ts';

/** Checks, from the costs alone, that the plan has its marginals and the dual is feasible and worth as much. */
export function expectCertificate(
  transport: Transport,
  cost: Float64Array,
  supplies: Float64Array,
  demands: Float64Array,
  scale = 1,
): void {
  const { plan, u, v, value, dual, gap } = transport;
  const k = demands.length;
  const rows = new Float64Array(supplies.length);
  const columns = new Float64Array(k);
  let planCost = 0;
  let slack = 0;
  plan.mass.forEach((mass, e) => {
    const [i, c] = [plan.samples[e]!, plan.sinks[e]!];
    if (!(mass > 0)) throw new Error(`expected mass > 0, got ${mass} at entry ${e}`);
    if (e > 0 && !(plan.samples[e - 1]! * k + plan.sinks[e - 1]! < i * k + c))
      throw new Error(`entry ${e} is not sorted`);
    rows[i]! += mass;
    columns[c]! += mass;
    planCost += mass * cost[i * k + c]!;
    slack = Math.max(slack, Math.abs(cost[i * k + c]! - u[i]! - v[c]!));
  });
  rows.forEach((mass, i) => expect(mass).toBeCloseTo(supplies[i]!, 12));
  columns.forEach((mass, c) => expect(mass).toBeCloseTo(demands[c]!, 12));
  let violation = 0;
  for (let p = 0; p < cost.length; p++) violation = Math.max(violation, u[Math.floor(p / k)]! + v[p % k]! - cost[p]!);
  expect(violation).toBeLessThanOrEqual(1e-12 * scale);
  // Complementary slackness: mass lies where the dual is tight.
  expect(slack).toBeLessThanOrEqual(1e-12 * scale);
  expect(value / scale).toBeCloseTo(planCost / scale, 12);
  const dualValue = sum(u.map((x, i) => x * supplies[i]!)) + sum(v.map((x, c) => x * demands[c]!));
  expect(dual / scale).toBeCloseTo(dualValue / scale, 12);
  expect(gap).toBe(value - dual);
  expect(Math.abs(gap)).toBeLessThan(1e-12 * scale);
}

export const uniform = (n: number): Float64Array => new Float64Array(n).fill(1 / n);
