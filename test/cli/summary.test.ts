import { expect, it } from 'vitest';
import { type RunReport, runSummary } from '../../src/cli/summary.ts';

const none = { n: null, k: null, w2Weighted: null, w2Uniform: null, reduction: null, ess: null, heldoutW2: null };
const report = (changes: Partial<RunReport>): RunReport => ({
  id: 'run_1',
  state: 'RUNNING',
  costUsd: 0,
  failure: null,
  stages: [],
  classFigures: [],
  overall: null,
  outputs: [],
  ...changes,
});
const rows = (summary: string) => summary.split('\n').map((line) => line.split(/ {2,}/));

it('shows how many points each class has, and their mean', () => {
  const figures = {
    n: 100,
    w2Weighted: 2,
    w2Uniform: 2.5,
    reduction: 0.2,
    ess: 3,
    heldoutW2: 2.1,
    quantizationRate: -0.2,
  };
  const classFigures = [
    { ...figures, className: 'cat', k: 4 },
    { ...figures, className: 'dog', k: 7 },
  ];
  const overall = { k: 5.5, w2Weighted: 2, w2Uniform: 2.5, reduction: 0.2, ess: 3 };
  const [head, , cat, dog, mean] = rows(runSummary(report({ classFigures, overall })));
  expect(head).toEqual(['class', 'n', 'K', 'W2 weighted', 'W2 uniform', 'reduction', 'ESS', 'W2 held-out', 'slope']);
  expect(cat).toEqual(['cat', '100', '4', '2.0000', '2.5000', '20.00%', '3.00', '2.1000', '-0.20']);
  expect([dog![2], mean![1]]).toEqual(['7', '5.5']);
});

it('shows a dash for what no stage has reported yet', () => {
  const classFigures = [{ ...none, className: 'cat', n: 100, quantizationRate: -0.2 }];
  const overall = { k: null, w2Weighted: null, w2Uniform: null, reduction: null, ess: null };
  const [, , cat, mean] = rows(runSummary(report({ classFigures, overall })));
  expect(cat).toEqual(['cat', '100', '-', '-', '-', '-', '-', '-', '-0.20']);
  expect(mean).toEqual(['mean', '-', '-', '-', '-', '-']);
});
