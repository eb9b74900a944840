import { expect, it } from 'vitest';
import { budget, compareRuns, showCosts, showFront } from '../../src/cli/costs.ts';
import { someOf } from '../../src/cli/options.ts';
import { answering, printed } from './support.ts';

const out = printed();

const row = (more: object) => ({
  ...{ dataset: null, stage: null, period: null, runs: 1, attempts: 2, allocatedSeconds: 75, costUsd: 0.5, lostUsd: 0 },
  ...more,
});

it('tells costs apart, with their sum, and what was lost', async () => {
  const rows = [
    row({ period: '2026-12', stage: 'decode', lostUsd: 0.25 }),
    row({ period: '2026-12', stage: 'encode' }),
  ];
  const total = row({ attempts: 4, costUsd: 1, lostUsd: 0.25 });
  const client = answering({ CostReport: { costReport: { total, rows, hasMore: false } } });
  await showCosts(client, { by: ['month', 'stage'], from: '2026-12-01' });
  expect(client.sent.at(-1)).toEqual([
    'CostReport',
    { by: ['MONTH', 'STAGE'], from: '2026-12-01T00:00:00.000Z', to: undefined },
  ]);
  expect(out.lines.map((line) => line.replace(/ +/g, ' '))).toEqual([
    'month, stage runs attempts allocated cost lost',
    expect.stringMatching(/^─/),
    '2026-12 decode 1 2 1 min 15 s $0.5000 $0.2500',
    '2026-12 encode 1 2 1 min 15 s $0.5000',
    'all 1 4 1 min 15 s $1.0000 $0.2500',
  ]);
});

it('says so where nothing was spent', async () => {
  const client = answering({ CostReport: { costReport: { total: row({ attempts: 0 }), rows: [], hasMore: false } } });
  await showCosts(client, { by: ['day'] });
  expect(out.lines).toEqual(['Nothing has cost anything yet in this period.']);
});

it('sets a budget and says what is left of it', async () => {
  const project = { monthlyBudgetUsd: 12, spentThisMonthUsd: 1.5 };
  const client = answering({ SetProjectBudget: { setProjectBudget: { project } }, Project: { project } });
  await budget(client, { monthly: 12 });
  expect(client.sent.at(-2)).toEqual(['SetProjectBudget', { monthlyUsd: 12 }]);
  expect(out.lines).toEqual(['$1.5000 in this month (UTC), of $12.0000.']);
  const refusing = answering({
    SetProjectBudget: { setProjectBudget: { code: 'INVALID_INPUT', message: 'no amount' } },
  });
  await expect(budget(refusing, { monthly: NaN })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
});

it('shows runs side by side', async () => {
  const run = (id: string, w2Weighted: number | null) => ({
    ...{ run: { id, state: 'SUCCEEDED' }, images: 20, costToMakeUsd: 0.001 },
    overall: w2Weighted === null ? null : { w2Weighted, reductionD4m: 0.1 },
  });
  const differences = [{ path: 'quantizer.restarts', values: [10, null] }];
  await compareRuns(
    answering({ CompareRuns: { compareRuns: { runs: [run('a', 5), run('b', null)], differences } } }),
    [],
  );
  const shown = out.lines.map((line) => line.replace(/ +/g, ' '));
  expect(shown).toContain('quantizer.restarts 10');
  expect(shown).toContain('W2 weighted 5.0000');
  expect(shown).toContain('below D4M 10.00%');
  expect(shown).toContain('cost to make $0.001000 $0.001000');
});

it('shows the runs that no other beats, and what by', async () => {
  const front = [{ run: { id: 'a', createdAt: 'then' }, overall: { w2Weighted: 5 }, images: 20, costToMakeUsd: 0.5 }];
  const client = answering({
    Dataset: { dataset: { id: 'd' } },
    ParetoFront: { paretoFront: { front, considered: 3, leftOut: 1, complete: true } },
  });
  await showFront(client, 'glyphs', ['w2', 'cost']);
  expect(client.sent.at(-1)).toEqual(['ParetoFront', { datasetId: 'd', objectives: ['W2', 'COST'] }]);
  expect(out.lines.slice(2).map((line) => line.replace(/ +/g, ' '))).toEqual([
    'a 5.0000 20 $0.5000 then',
    'Of 3 runs no other is better by w2 and cost at once; 1 more were not measured by all of them.',
  ]);
  await expect(showFront(answering({ Dataset: { dataset: null } }), 'x', [])).rejects.toMatchObject({
    code: 'NOT_FOUND',
  });
});

it('takes dimensions that there are', () => {
  expect(someOf(['day', 'month'])('month,day')).toEqual(['month', 'day']);
  expect(() => someOf(['day', 'month'])('month,bogus')).toThrow('expected some of day, month, got bogus');
});
