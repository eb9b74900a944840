import { describe, expect, it } from 'vitest';
import { randomStream } from '../../src/numerics/math/random.ts';
import { estimateStage, expectedItems, sumOf } from '../../src/pipeline/estimate.ts';
import { type PriorDescription } from '../../src/pipeline/prior/description.ts';
import { parseRecipe } from '../../src/pipeline/recipe.ts';

const recipe = parseRecipe({ datasetVersionId: 'v', priorId: 'p', imagesPerClass: 10 });
const record = (items: number, seconds: number, of = recipe) => ({
  ...{ recipe: of, items, allocatedSeconds: seconds, wallSeconds: seconds / 2 },
});

describe('an estimate', () => {
  it('is what one earlier run took, scaled, and says that it knows little', () => {
    const { allocatedSeconds, wallSeconds } = estimateStage('encode', 300, recipe, [record(100, 10)])!;
    expect(allocatedSeconds.expected).toBeCloseTo(30);
    expect(allocatedSeconds.low).toBeCloseTo(15);
    expect(allocatedSeconds.high).toBeCloseTo(60);
    expect(wallSeconds.expected).toBeCloseTo(15);
  });

  it('is nothing for a stage that finds all its work done, and null for one that was never seen', () => {
    expect(estimateStage('encode', 0, recipe, [])!.allocatedSeconds).toEqual({ expected: 0, low: 0, high: 0 });
    expect(estimateStage('encode', 1, recipe, [])).toBeNull();
    expect(estimateStage('encode', 1, recipe, [record(0, 10), record(10, 0)])).toBeNull();
  });

  it('holds the next run in four of five cases', () => {
    const noise = randomStream({ seed: 1, classIndex: 0, purpose: 'test' }).normals(7 * 2000);
    let held = 0;
    for (let trial = 0; trial < 2000; trial++) {
      const seconds = (at: number) => 100 * Math.exp(0.3 * noise[7 * trial + at]!);
      const records = [0, 1, 2, 3, 4, 5].map((at) => record(1000, seconds(at)));
      const { low, high } = estimateStage('encode', 1000, recipe, records)!.allocatedSeconds;
      if (low <= seconds(6) && seconds(6) <= high) held++;
    }
    expect(held / 2000).toBeGreaterThan(0.77);
    expect(held / 2000).toBeLessThan(0.83);
  });

  it('goes by runs of a like size: a small one pays for its start', () => {
    const records = [record(10, 5), record(10, 5), record(10_000, 1000)];
    const { expected } = estimateStage('encode', 10_000, recipe, records)!.allocatedSeconds;
    expect(expected).toBeLessThan(1000 * 2.3);
    const equal = Math.exp((2 * Math.log(0.5) + Math.log(0.1)) / 3) * 10_000;
    expect(expected).toBeLessThan(equal);
  });

  it('counts the steps of the decoder, twice where it is guided', () => {
    const ten = parseRecipe({ ...recipe, decoder: { strength: 1, steps: 10, guidance: 1 } });
    const guided = parseRecipe({ ...recipe, decoder: { strength: 1, steps: 10, guidance: 4 } });
    const { expected } = estimateStage('decode', 5, guided, [record(5, 11, ten)])!.allocatedSeconds;
    expect(expected).toBeCloseTo(21);
  });

  it('adds lows to lows and highs to highs', () => {
    const one = { expected: 2, low: 1, high: 4 };
    expect(sumOf([one, one])).toEqual({ expected: 4, low: 2, high: 8 });
    expect(sumOf([])).toEqual({ expected: 0, low: 0, high: 0 });
  });

  it('expects the items of a stage from the recipe', () => {
    const classes = [
      { name: 'a', images: 30 },
      { name: 'b', images: 12 },
    ];
    const of = (stage: string, asked: object = {}, teacher: PriorDescription['teacher'] = null) =>
      expectedItems(stage, parseRecipe({ ...recipe, ...asked }), classes, { name: 'p', version: '1', teacher });
    const teacher = { classes: ['a', 'b'] } as PriorDescription['teacher'];
    expect(of('encode')).toBe(42);
    expect(of('decode')).toBe(20);
    expect(of('decode', { imagesPerClass: undefined, totalImages: 7 })).toBe(7);
    expect(of('label')).toBeNull();
    expect(of('label', {}, teacher)).toBe(20);
    expect(of('label', { labels: { mode: 'NONE' } }, teacher)).toBeNull();
    expect(() => of('label', { labels: { mode: 'TEACHER' } })).toThrow(/prior with a teacher/);
    expect(of('compare', { compare: { mode: 'OFF' } })).toBeNull();
    expect(of('survey', { survey: { mode: 'OFF' } })).toBeNull();
  });
});
