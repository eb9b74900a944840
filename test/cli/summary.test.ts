import { expect, it } from 'vitest';
import { type RunReport, runSummary } from '../../src/cli/summary.ts';

const compared = {
  w2Balanced: 2.0202,
  reductionBalanced: 0.01,
  w2D4mMean: 2.5,
  reductionD4m: 0.2,
  w2Decoded: 2.3,
  w2DecodedBias: 0.3,
  nearestRatio: 0.66,
};
const none = Object.fromEntries(Object.keys(compared).map((name) => [name, null])) as {
  [N in keyof typeof compared]: null;
};

function report(comparison: typeof compared | typeof none): RunReport {
  const figures = { w2Weighted: 2, w2Uniform: 2.1, reduction: 0.0476, ess: 9, heldoutW2: null, ...comparison };
  return {
    id: 'run_1',
    state: 'SUCCEEDED',
    costUsd: 0,
    failure: null,
    stages: [],
    classFigures: [{ className: 'a', n: 100, k: 10, ...figures }],
    overall: figures,
    outputs: [],
  };
}

it('says how far W2 is below the baselines, and what the decoder added', () => {
  const text = runSummary(report(compared));
  expect(text).toContain(
    'W2 2.0000: 4.76% below uniform weights, 1.00% below balanced, 20.00% below D4M (means over classes).',
  );
  expect(text).toContain(
    'Decoded images: W2 2.3000, 0.3000 above that of the points; nearest training images at 0.66 of the distance between these.',
  );
  expect(runSummary(report({ ...compared, reductionBalanced: -0.002 }))).toContain('0.20% above balanced');
});

it('has dashes where nothing was compared', () => {
  const text = runSummary(report(none));
  expect(text).toMatch(/^a +100 +10 +2\.0000 +2\.1000 +- +- +- +9\.00$/m);
  expect(text).toContain('W2 2.0000: 4.76% below uniform weights (means over classes).');
  expect(text).not.toContain('Decoded');
});
