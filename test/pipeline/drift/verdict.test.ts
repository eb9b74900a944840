import { describe, expect, it } from 'vitest';
import { type SampledClass, type TestedClass } from '../../../src/pipeline/drift/classes.ts';
import { parseAnyRecipe, type DriftRecipe } from '../../../src/pipeline/drift/recipe.ts';
import { driftMetrics, verdictOf } from '../../../src/pipeline/drift/verdict.ts';

const rules = (of: object = {}) =>
  parseAnyRecipe({ kind: 'DRIFT', datasetVersionId: 'v', against: 'x', ...of }) as DriftRecipe;
const NONE = { newClasses: [], vanishedClasses: [] };

function sampledClass(className: string, of: Partial<SampledClass> = {}): SampledClass {
  const counts = { images: 100, fresh: 60, kept: 40, removed: 5, heldoutN: 50, sampled: 60 };
  return { className, label: 0, ...counts, sample: 'digest', ...of };
}

function tested(className: string, distance: number | null, mass: number | null, of: Partial<TestedClass> = {}) {
  const test: TestedClass = {
    ...{ className, label: 0, k: 5, referenceN: 50, n: 60 },
    distances: distance === null ? null : { pValue: distance, z: 2 },
    masses: mass === null ? null : { pValue: mass, statistic: 9, degrees: 4 },
    ...{ referenceDistance: 2, distance: 2.2, distanceRatio: 1.1 },
    ...{ totalVariation: 0.3, expectedVariation: 0.1, massChange: 0.2 },
    quantiles: { shares: [], reference: [], sample: [] },
    ...of,
  };
  return { sampled: sampledClass(className), tested: test };
}

describe('verdictOf', () => {
  it('corrects over classes and statistics together', () => {
    // four tests: 0.012 * 4 = 0.048, the next 0.02 * 3 = 0.06
    const { overall, classes } = verdictOf([tested('a', 0.012, 0.5), tested('b', 0.7, 0.02)], NONE, rules());
    expect(classes[0]).toMatchObject({ drifted: true, distancePValueCorrected: 0.048, massPValueCorrected: 1 });
    expect(classes[1]!.massPValueCorrected).toBeCloseTo(0.06, 12);
    expect(classes[1]).toMatchObject({ drifted: false, distancePValueCorrected: 1 });
    expect(overall).toMatchObject({ alarm: true, classesTested: 2, classesDrifted: 1, minPValue: 0.048 });
    expect(overall).toMatchObject({ maxDistanceRatio: 1.1, minDistanceRatio: 1.1, maxMassChange: 0.2, sampled: 120 });
    const each = verdictOf([tested('a', 0.012, 0.5), tested('b', 0.7, 0.02)], NONE, rules({ correction: 'NONE' }));
    expect(each.overall.classesDrifted).toBe(2);
    expect(verdictOf([tested('a', 0.012, 0.5)], NONE, rules({ alpha: 0.02 })).overall.alarm).toBe(false);
  });

  it('counts only tests that could be made', () => {
    const { classes, overall } = verdictOf([tested('a', 0.03, null), tested('b', null, null)], NONE, rules());
    expect(classes[0]).toMatchObject({ drifted: true, distancePValueCorrected: 0.03, massPValue: null });
    expect(classes[1]).toMatchObject({ state: 'TESTED', drifted: false, distancePValue: null });
    expect(overall.classesTested).toBe(2);
  });

  it('asks for the effect of the statistic that is certain, be the distances longer or shorter', () => {
    const shorter = tested('a', 1e-9, 1e-9, { distanceRatio: 0.9, massChange: 0.02 });
    const drifted = (distance: number, mass: number) =>
      verdictOf([shorter], NONE, rules({ minEffect: { distance, mass } })).overall.alarm;
    expect(drifted(0.09, 0.5)).toBe(true);
    expect(drifted(0.11, 0.5)).toBe(false);
    expect(drifted(0.11, 0.01)).toBe(true);
  });

  it('names what was not tested', () => {
    const untested = [
      { sampled: sampledClass('same', { fresh: 0, sampled: 0 }), tested: null },
      { sampled: sampledClass('few', { fresh: 3, sampled: 3 }), tested: null },
    ];
    const changed = {
      newClasses: [{ className: 'new', images: 7 }],
      vanishedClasses: [{ className: 'gone', images: 9 }],
    };
    const { overall, classes } = verdictOf(untested, changed, rules());
    expect(classes.map(({ className, state, drifted }) => [className, state, drifted])).toEqual([
      ['same', 'UNCHANGED', false],
      ['few', 'TOO_FEW', false],
      ['new', 'NEW', true],
      ['gone', 'VANISHED', true],
    ]);
    expect(classes[2]).toMatchObject({ images: 7, fresh: 7, removed: 0 });
    expect(classes[3]).toMatchObject({ images: 0, fresh: 0, removed: 9 });
    expect(overall).toMatchObject({ alarm: true, minPValue: null, maxDistanceRatio: null, fresh: 10, sampled: 0 });
    expect(verdictOf(untested, changed, rules({ classChanges: 'IGNORE' })).overall.alarm).toBe(false);
    expect(driftMetrics(overall)).toEqual({ driftAlarm: 1, driftedClasses: 0, newClasses: 1, vanishedClasses: 1 });
  });
});
