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
  energyDecoded: 1.45,
  energyRefit: 1.3,
};
const none = Object.fromEntries(Object.keys(compared).map((name) => [name, null])) as {
  [N in keyof typeof compared]: null;
};

function report(comparison: typeof compared | typeof none): RunReport {
  const figures = { k: 10, w2Weighted: 2, w2Uniform: 2.1, reduction: 0.0476, ess: 9, heldoutW2: null, ...comparison };
  return {
    id: 'run_1',
    kind: 'DISTILLATION',
    drift: null,
    state: 'SUCCEEDED',
    costUsd: 0,
    failure: null,
    stages: [],
    classFigures: [{ className: 'a', n: 100, quantizationRate: null, ...figures }],
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
  expect(text).toContain(
    'Energy distance of the images: 1.4500 with the weights of the points, 1.3000 with weights refitted',
  );
  expect(runSummary(report({ ...compared, reductionBalanced: -0.002 }))).toContain('0.20% above balanced');
});

it('has dashes where nothing was compared', () => {
  const text = runSummary(report(none));
  expect(text).toMatch(/^a +100 +10 +2\.0000 +2\.1000 +- +- +- +9\.00$/m);
  expect(text).toContain('W2 2.0000: 4.76% below uniform weights (means over classes).');
  expect(text).not.toMatch(/Decoded|Energy/);
});

it('has the slope where a survey found one', () => {
  const run = report(none);
  expect(runSummary(run)).not.toContain('slope');
  const surveyed = [
    { ...run.classFigures[0]!, quantizationRate: -0.162 },
    { ...run.classFigures[0]!, className: 'b', k: 7 },
  ];
  const text = runSummary({ ...run, classFigures: surveyed, overall: { ...run.overall!, k: 8.5 } });
  expect(text).toMatch(/^class .* ESS +slope$/m);
  expect(text).toMatch(/^a +100 +10 .* 9\.00 +-0\.16$/m);
  expect(text).toMatch(/^b +100 +7 .* 9\.00 +-$/m);
  expect(text).toMatch(/^mean +8\.5 /m);
});

it('has dashes while classes are surveyed and not quantized', () => {
  const run = report(none);
  const nothing = { k: null, w2Weighted: null, w2Uniform: null, reduction: null, ess: null };
  const text = runSummary({
    ...run,
    classFigures: [{ ...run.classFigures[0]!, ...nothing }],
    overall: { ...run.overall!, ...nothing },
  });
  expect(text).toMatch(/^a +100 +- +- /m);
  expect(text).not.toContain('means over classes');
});

it('tells a drift run by its classes, and what it comes to', () => {
  const row = { drifted: false, fresh: 0, kept: 10, removed: 0, sampled: 0, referenceN: 50 };
  const nothing = { distanceRatio: null, distancePValueCorrected: null, massChange: null, massPValueCorrected: null };
  const compared = {
    distanceRatio: 1.0421,
    distancePValueCorrected: 1e-9,
    massChange: 0.031,
    massPValueCorrected: 0.254,
  };
  const overall = { alarm: true, fresh: 1200, sampled: 500, classesTested: 1, classesDrifted: 1 };
  const text = runSummary({
    ...report(none),
    ...{ kind: 'DRIFT', classFigures: [], overall: null },
    drift: {
      overall,
      classes: [
        { className: 'cat', state: 'TESTED', ...row, ...compared, drifted: true, fresh: 1200, sampled: 500 },
        { className: 'dog', state: 'UNCHANGED', ...row, ...nothing },
        { className: 'emu', state: 'NEW', ...row, ...nothing, drifted: true },
      ],
    },
  });
  expect(text).toMatch(/cat +DRIFT +1,200 +10 +0 +500 +50 +1.042 +<1e-6 +3.10% +0.25/);
  expect(text).toMatch(/dog +no new image/);
  expect(text).toContain(
    'Drift: 1 of 1 classes that were compared have drifted, by 500 of 1,200 new images; classes: 1 new.',
  );
  expect(text).not.toContain('W2');
  const unfinished = runSummary({ ...report(none), kind: 'DRIFT', overall: null, classFigures: [] });
  expect(unfinished).toMatch(/^stage/);
});
