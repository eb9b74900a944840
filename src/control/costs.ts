import { invalid, PushforwardError } from '../base/errors.ts';
import { type EstimatedLaunch, type EstimateNeeds, estimateOf } from './estimate.ts';
import { type Principal } from './identity.ts';
import { type Catalog, type CostDimension, type CostRow, type ProjectCatalog, type ProjectView } from './ports.ts';
import { checkUsd } from './usd.ts';
import { wholeNumber } from './whole-number.ts';

export const CURRENCY = 'USD';

export interface CostReportRequest {
  by: readonly CostDimension[];
  /** Attempts that ended from then on; null: from the first. */
  from: Date | null;
  /** And before then; null: up to now. */
  to: Date | null;
  first: number;
}

export interface CostReport {
  currency: string;
  total: CostRow;
  rows: CostRow[];
  /** Whether there are more rows than were asked for; the total counts all. */
  hasMore: boolean;
}

const MOST_ROWS = 1000;

/** @throws INVALID_INPUT for a period that ends before it begins, or days beside months */
export async function costReport(
  rows: Pick<ProjectCatalog, 'costs' | 'totalCosts'>,
  { by, from, to, first }: CostReportRequest,
): Promise<CostReport> {
  const count = wholeNumber(first, {
    ...{ name: 'first', from: 1, to: MOST_ROWS, path: ['first'] },
    remedy: 'ask for a shorter period, or by fewer dimensions',
  });
  if (from && to && from >= to) {
    throw invalid(
      `expected from before to, got ${from.toISOString()} and ${to.toISOString()}: exchange them, or leave one out`,
      { path: ['from'] },
    );
  }
  const dimensions = [...new Set(by)];
  if (dimensions.includes('DAY') && dimensions.includes('MONTH')) {
    throw invalid('expected at most one of DAY and MONTH in by, got both: leave one out', { path: ['by'] });
  }
  const [total, found] = await Promise.all([
    rows.totalCosts(from, to),
    rows.costs({ by: dimensions, from, to, first: count + 1 }),
  ]);
  return { currency: CURRENCY, total, rows: found.slice(0, count), hasMore: found.length > count };
}

/**
 * What all runs of a month, in UTC, may cost together. Launches that would cost more are refused, and what runs is stopped once more is spent.
 * @param monthlyUsd null: any
 */
export async function budgetProject(
  { catalog }: { catalog: Catalog },
  { projectId }: Principal,
  monthlyUsd: number | null,
): Promise<ProjectView> {
  const rows = catalog.project(projectId);
  await rows.budgetProject(monthlyUsd === null ? null : checkUsd(monthlyUsd, ['monthlyUsd']));
  return await rows.about();
}

/**
 * Refuses a launch that the project's budget of this month, or the run's own, has no room for. What a run is expected to cost is known once
 * there were others like it; until then what was spent decides.
 * @throws BUDGET_EXCEEDED
 */
export async function checkBudgets(
  of: EstimateNeeds,
  projectId: string,
  launch: () => Promise<EstimatedLaunch>,
  runBudgetUsd: number | null,
): Promise<void> {
  const rows = of.catalog.project(projectId);
  const monthlyBudgetUsd = await rows.monthlyBudgetUsd();
  if (monthlyBudgetUsd === null && runBudgetUsd === null) return;
  const { costUsd } = await estimateOf(of, projectId, await launch());
  const likely = costUsd?.expected ?? 0;
  const forIt = `a run that is expected to cost ${usd(likely)}`;
  if (runBudgetUsd !== null && likely > runBudgetUsd) {
    throw tooDear(`expected limits.costUsd to hold what the run will cost, got ${usd(runBudgetUsd)} and ${forIt}`, {
      ...{ remedy: 'raise it, or ask for less', path: ['limits', 'costUsd'] },
      ...{ budgetUsd: runBudgetUsd, expectedUsd: likely },
    });
  }
  if (monthlyBudgetUsd === null) return;
  const spentUsd = await rows.spentThisMonth();
  if (spentUsd < monthlyBudgetUsd && spentUsd + likely <= monthlyBudgetUsd) return;
  throw tooDear(
    `expected room in the project's budget of ${usd(monthlyBudgetUsd)} a month, got ${usd(spentUsd)} spent in this one and ${forIt}`,
    {
      ...{ remedy: 'raise the budget, ask for less, or wait for the next month (UTC)', path: [] },
      ...{ budgetUsd: monthlyBudgetUsd, spentUsd, expectedUsd: likely },
    },
  );
}

function tooDear(what: string, details: { remedy: string; [key: string]: unknown }): PushforwardError {
  return new PushforwardError('BUDGET_EXCEEDED', `${what}: ${details.remedy}`, details);
}

function usd(amount: number): string {
  return `${amount >= 0.01 ? amount.toFixed(2) : amount.toPrecision(2)} US dollars`;
}
