import { expect, it } from 'vitest';
import { showEstimate } from '../../src/cli/estimate.ts';
import { answering, printed } from './support.ts';

const out = printed();

it('tells what a run would take, from what, and what is not known', async () => {
  const stage = (more: object) => ({ items: 100, itemsCached: 0, wallSeconds: null, costUsd: null, runs: 0, ...more });
  const estimateRun = {
    wallSeconds: { expected: 75, low: 60, high: 90 },
    costUsd: { expected: 0, low: 0, high: 0 },
    unknown: ['decode'],
    stages: [
      stage({ ...{ stage: 'encode', itemsCached: 90, runs: 2, basis: 'SAME_PRIOR' }, wallSeconds: { expected: 75 } }),
      stage({ stage: 'decode', basis: 'NONE' }),
    ],
  };
  const client = answering({ EstimateRun: { estimateRun } });
  await showEstimate(client, { priorId: 'p' });
  expect(client.sent).toEqual([['EstimateRun', { recipe: { priorId: 'p' } }]]);
  expect(out.lines.slice(2).map((line) => line.replace(/ +/g, ' '))).toEqual([
    'encode 100, 90 reused 1 min 15 s - 2 runs with this prior',
    'decode 100 - - never run here',
    '',
    'Time: 1 min 15 s (1 min 00 s to 1 min 30 s). Cost: $0.0000. Nothing was launched.',
    'Not counted, since no run has shown it yet: decode.',
  ]);
});
