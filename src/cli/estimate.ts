import { type ApiClient } from './client.ts';
import { count, dollars, seconds, table } from './table.ts';

interface Interval {
  expected: number;
  low: number;
  high: number;
}

interface Estimate {
  /** Null where nothing of the kind was ever run, here and below. */
  wallSeconds: Interval | null;
  costUsd: Interval | null;
  /** Stages that were never run here. */
  unknown: string[];
  stages: {
    stage: string;
    items: number;
    itemsCached: number;
    wallSeconds: Pick<Interval, 'expected'> | null;
    costUsd: Interval | null;
    basis: keyof typeof BASES;
    runs: number;
  }[];
}

const BASES = {
  NONE: () => 'never run here',
  OTHER_PRIORS: (runs: string) => `${runs} with other priors`,
  SAME_PRIOR: (runs: string) => `${runs} with this prior`,
};

/** What a run of a recipe would take; none is launched. */
export async function showEstimate(client: ApiClient, recipe: Record<string, unknown>): Promise<void> {
  const { estimateRun } = await client.send<{ estimateRun: Estimate }>('EstimateRun', { recipe });
  const { wallSeconds, costUsd, unknown, stages } = estimateRun;
  const rows = stages.map(({ stage, items, itemsCached, wallSeconds: wall, costUsd: cost, basis, runs }) => [
    stage,
    itemsCached > 0 ? `${count(items)}, ${count(itemsCached)} reused` : count(items),
    wall ? seconds(wall.expected) : '-',
    cost ? dollars(cost.expected) : '-',
    BASES[basis](`${count(runs)} run${runs === 1 ? '' : 's'}`),
  ]);
  console.log(table(['stage', 'items', 'seconds', 'cost', 'from'], rows));
  console.log(`\nTime: ${range(wallSeconds, seconds)}. Cost: ${range(costUsd, dollars)}. Nothing was launched.`);
  if (unknown.length > 0) console.log(`Not counted, since no run has shown it yet: ${unknown.join(', ')}.`);
}

function range(of: Interval | null, as: (value: number) => string): string {
  if (of === null) return 'unknown';
  const [low, high] = [as(of.low), as(of.high)];
  return low === high ? as(of.expected) : `${as(of.expected)} (${low} to ${high})`;
}
