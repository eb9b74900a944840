import { type Command, Option } from 'commander';
import { notFound } from '../base/errors.ts';
import { type ApiClient, type Refusal, refuse } from './client.ts';
import { between, onService, someOf, withUrl } from './options.ts';
import { count, dollars, percent, seconds, table } from './table.ts';

/** `costs`, `budget` and `runs compare`: what runs cost, may cost, and came to. */
export function addCosts(program: Command, runs: Command, host: Parameters<typeof onService>[0]): void {
  withUrl(
    program
      .command('costs')
      .description(
        'What the runs of the project cost: allocated seconds of every attempt, failed ones too, times its price.',
      )
      .option('--by <dimensions>', `${DIMENSIONS.join(', ')}; some of them, comma-separated`, someOf(DIMENSIONS), [
        'month',
        'stage',
      ])
      .option('--from <date>', 'attempts that ended from then on, such as 2026-12-01')
      .option('--to <date>', 'and before then'),
  ).action(({ url, ...asked }: CostOptions & { url?: string }) =>
    onService(host, url, (client) => showCosts(client, asked)),
  );
  withUrl(
    program
      .command('budget')
      .description('What the runs of the project may cost in a month (UTC); without an option, what they have cost.')
      .addOption(
        new Option('--monthly <dollars>', 'no more than so many US dollars')
          .argParser(between(0, 1e9))
          .conflicts('any'),
      )
      .option('--any', 'any amount'),
  ).action(({ url, ...asked }: BudgetOptions & { url?: string }) =>
    onService(host, url, (client) => budget(client, asked)),
  );
  withUrl(
    runs
      .command('compare')
      .description('Runs side by side: where their recipes differ, and what they came to.')
      .argument('<id...>'),
  ).action((ids: string[], options: { url?: string }) =>
    onService(host, options.url, (client) => compareRuns(client, ids)),
  );
  withUrl(
    runs
      .command('front')
      .description('The runs of a dataset that no other beats in all objectives at once.')
      .argument('<dataset>', 'its name')
      .option('--by <objectives>', `${OBJECTIVES.join(', ')}; some of them, comma-separated`, someOf(OBJECTIVES), [
        'w2',
        'cost',
      ]),
  ).action((name: string, options: { url?: string; by: string[] }) =>
    onService(host, options.url, (client) => showFront(client, name, options.by)),
  );
}

const DIMENSIONS = ['dataset', 'stage', 'month', 'day'];
const OBJECTIVES = ['w2', 'heldout_w2', 'cost', 'images'];

interface CostOptions {
  by: string[];
  from?: string;
  to?: string;
}

interface CostRow {
  dataset: { name: string } | null;
  stage: string | null;
  period: string | null;
  runs: number;
  attempts: number;
  allocatedSeconds: number;
  costUsd: number;
  lostUsd: number;
}

export async function showCosts(client: ApiClient, { by, from, to }: CostOptions): Promise<void> {
  const { costReport } = await client.send<{ costReport: { total: CostRow; rows: CostRow[]; hasMore: boolean } }>(
    'CostReport',
    { by: by.map((one) => one.toUpperCase()), from: from && moment(from), to: to && moment(to) },
  );
  const { total, rows, hasMore } = costReport;
  if (total.attempts === 0) return console.log('Nothing has cost anything yet in this period.');
  const cells = (name: string, row: CostRow) => [
    ...[name, count(row.runs), count(row.attempts), seconds(row.allocatedSeconds)],
    ...[dollars(row.costUsd), row.lostUsd > 0 ? dollars(row.lostUsd) : ''],
  ];
  const named = rows.map((row) =>
    cells(
      [row.period, row.dataset?.name, row.stage].filter((part) => part !== null && part !== undefined).join('  '),
      row,
    ),
  );
  console.log(table([by.join(', '), 'runs', 'attempts', 'allocated', 'cost', 'lost'], [...named, cells('all', total)]));
  if (hasMore) console.log('There are more rows than these, the dearest; `all` counts them too.');
}

/** A day is its beginning in UTC. What is no date is left to the service to refuse. */
function moment(text: string): string {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? text : date.toISOString();
}

interface BudgetOptions {
  monthly?: number;
  any?: boolean;
}

export async function budget(client: ApiClient, { monthly, any }: BudgetOptions): Promise<void> {
  if (monthly !== undefined || any) {
    const { setProjectBudget } = await client.send<{ setProjectBudget: Refusal }>('SetProjectBudget', {
      monthlyUsd: any ? undefined : monthly,
    });
    refuse(setProjectBudget);
  }
  const { project } = await client.send<{
    project: { monthlyBudgetUsd: number | null; spentThisMonthUsd: number };
  }>('Project', {});
  const of = project.monthlyBudgetUsd === null ? 'no budget is set' : `of ${dollars(project.monthlyBudgetUsd)}`;
  console.log(`${dollars(project.spentThisMonthUsd)} in this month (UTC), ${of}.`);
}

interface Compared {
  run: { id: string; state: string };
  overall: Record<string, number | null> | null;
  images: number | null;
  costToMakeUsd: number;
}

export async function compareRuns(client: ApiClient, ids: readonly string[]): Promise<void> {
  const { compareRuns: found } = await client.send<{
    compareRuns: { runs: Compared[]; differences: { path: string; values: unknown[] }[] };
  }>('CompareRuns', { ids });
  const { runs, differences } = found;
  const figure = (name: string, shown: (value: number) => string) =>
    runs.map(({ overall }) => shownOrNot(overall?.[name], shown));
  const rows = [
    ['state', ...runs.map(({ run }) => run.state)],
    ...differences.map(({ path, values }) => [
      path,
      ...values.map((value) => (value === null ? '' : JSON.stringify(value))),
    ]),
    ['images', ...runs.map(({ images }) => (images === null ? '' : count(images)))],
    ['W2 weighted', ...figure('w2Weighted', w2)],
    ['W2 uniform', ...figure('w2Uniform', w2)],
    ['W2 held out', ...figure('heldoutW2', w2)],
    ['below balanced', ...figure('reductionBalanced', percent)],
    ['below D4M', ...figure('reductionD4m', percent)],
    ['cost to make', ...runs.map(({ costToMakeUsd }) => dollars(costToMakeUsd))],
  ];
  console.log(table(['', ...runs.map(({ run }) => run.id)], rows));
}

function shownOrNot(value: number | null | undefined, shown: (value: number) => string): string {
  return value === null || value === undefined ? '' : shown(value);
}

interface Front {
  front: (Pick<Compared, 'overall' | 'images' | 'costToMakeUsd'> & { run: { id: string; createdAt: string } })[];
  considered: number;
  leftOut: number;
  complete: boolean;
}

export async function showFront(client: ApiClient, name: string, by: readonly string[]): Promise<void> {
  const { dataset } = await client.send<{ dataset: { id: string } | null }>('Dataset', { name, first: 1 });
  if (!dataset) throw notFound('dataset', name);
  const { paretoFront } = await client.send<{ paretoFront: Front }>('ParetoFront', {
    datasetId: dataset.id,
    objectives: by.map((objective) => objective.toUpperCase()),
  });
  const { front, considered, leftOut, complete } = paretoFront;
  if (front.length === 0) return console.log(`No run of ${name} has ended with ${by.join(' and ')} measured.`);
  const rows = front.map(({ run, overall, images, costToMakeUsd }) => [
    ...[run.id, shownOrNot(overall?.['w2Weighted'], w2), shownOrNot(overall?.['heldoutW2'], w2)],
    ...[shownOrNot(images, count), dollars(costToMakeUsd), run.createdAt],
  ]);
  console.log(table(['run', 'W2 weighted', 'held out', 'images', 'cost to make', 'launched'], rows));
  console.log(
    `Of ${complete ? '' : 'the newest '}${count(considered)} run${considered === 1 ? '' : 's'} no other is better by ${by.join(' and ')} at once` +
      `${leftOut > 0 ? `; ${count(leftOut)} more were not measured by all of them` : ''}.`,
  );
}

const w2 = (value: number): string => value.toFixed(4);
