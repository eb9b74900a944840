import { describe, expect, it } from 'vitest';
import { holdoutCount, parseRecipe, recipeDigest } from '../../src/pipeline/recipe.ts';

const least = { datasetVersionId: 'dv_1', priorId: 'prior_1', imagesPerClass: 10 };

describe('parseRecipe', () => {
  it('fills in every default, so that a stored recipe says everything', () => {
    expect(parseRecipe(least)).toEqual({
      ...least,
      holdout: 0.1,
      seed: 0,
      survey: { mode: 'AUTO' },
      quantizer: { algorithm: 'LLOYD', restarts: 10, maxIterations: 300, passes: 3 },
      decoder: { mode: 'AUTO', start: 'CENTROID', strength: 0.7, steps: 50, guidance: 4 },
      labels: { mode: 'AUTO', temperature: 1 },
      weights: { exponent: 1, classShares: 'DATA', refit: false },
      compare: { mode: 'ON', d4mShuffles: 10 },
      tolerances: { corruptImages: 0 },
      execution: { provider: 'CPU', threads: 1, batch: 128 },
    });
  });

  it('reads null as left out, as GraphQL clients send it', () => {
    expect(parseRecipe({ ...least, classes: null, decoder: { strength: null } })).toEqual(parseRecipe(least));
  });

  it.each([
    [{ ...least, imagesPerClas: 3 }, /only known fields in recipe, got imagesPerClas/],
    [{ ...least, decoder: { strenght: 0.5 } }, /only known fields in recipe\.decoder, got strenght/],
    [{ ...least, imagesPerClass: 0 }, /recipe\.imagesPerClass/],
    [{ ...least, imagesPerClass: 1.5 }, /recipe\.imagesPerClass/],
    [{ ...least, totalImages: 50 }, /one of recipe\.imagesPerClass and recipe\.totalImages, got 10 and 50: leave one/],
    [{ ...least, imagesPerClass: null }, /got neither: give one of them/],
    [{ ...least, imagesPerClass: null, totalImages: 0 }, /recipe\.totalImages/],
    [{ ...least, imagesPerClass: null, totalImages: 9, survey: { mode: 'OFF' } }, /survey\.mode AUTO or ON.*got OFF/],
    [{ ...least, holdout: 1 }, /recipe\.holdout/],
    [{ ...least, classes: ['A', 'B', 'A'] }, /got A twice/],
    [
      { ...least, weights: { refit: true }, compare: { mode: 'OFF' } },
      /compare\.mode ON with recipe\.weights\.refit, got OFF/,
    ],
    [{ imagesPerClass: 1 }, /recipe\.datasetVersionId/],
    [null, /recipe/],
  ])('refuses %j', (input, message) => {
    expect(() => parseRecipe(input)).toThrow(message);
  });
});

describe('recipeDigest', () => {
  it('does not depend on the order of the fields', () => {
    const reversed = Object.fromEntries(Object.entries(least).reverse());
    expect(recipeDigest(parseRecipe(reversed))).toBe(recipeDigest(parseRecipe(least)));
  });

  it('changes with every choice', () => {
    expect(recipeDigest(parseRecipe({ ...least, seed: 1 }))).not.toBe(recipeDigest(parseRecipe(least)));
  });
});

describe('holdoutCount', () => {
  it.each([
    [5000, 0.1, 500],
    [1, 0.9, 0],
    [2, 0.9, 1],
    [10, 0, 0],
  ])('of %i at %f is %i', (n, holdout, expected) => {
    expect(holdoutCount(n, holdout)).toBe(expected);
  });
});
