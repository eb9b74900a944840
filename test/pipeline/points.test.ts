import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Published } from '../../src/engine/ports.ts';
import { checkPoints, classShares, pointsPerClass } from '../../src/pipeline/points.ts';
import { parseRecipe } from '../../src/pipeline/recipe.ts';

const recipe = (changes: object) =>
  parseRecipe({ datasetVersionId: 'v', priorId: 'p', holdout: 0, imagesPerClass: null, ...changes });

/** A survey of a class whose distortion is `scale` k^-power, measured up to K = 20. */
function survey(name: string, scale: number, power = 0.3): Published {
  const curve = [1, 2, 5, 10, 20].map((k) => {
    const distortion = scale * k ** -power;
    return { k, distortion, heldoutDistortion: null, w2: Math.sqrt(distortion), spread: 0 };
  });
  return { task: { labels: { class: name } }, manifest: { content: { curve } } } as unknown as Published;
}

const classesOf = (images: readonly number[]) => images.map((count, c) => ({ name: `class ${c}`, images: count }));

describe('the points of each class', () => {
  it('are the total exactly, at least one and at most the images, and more for a class that has more to lose', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ images: fc.integer({ min: 1, max: 60 }), scale: fc.integer({ min: 1, max: 50 }) }), {
          minLength: 1,
          maxLength: 8,
        }),
        fc.nat(),
        (of, pick) => {
          const classes = classesOf(of.map(({ images }) => images));
          const most = classes.reduce((sum, { images }) => sum + images, 0);
          const total = of.length + (pick % (most - of.length + 1));
          const surveys = of.map(({ scale }, c) => survey(`class ${c}`, scale));
          const points = pointsPerClass(recipe({ totalImages: total }), classes, surveys);
          expect(points.reduce((a, b) => a + b)).toBe(total);
          points.forEach((k, c) => {
            expect(k).toBeGreaterThanOrEqual(1);
            expect(k).toBeLessThanOrEqual(classes[c]!.images);
          });
          for (const [a, one] of of.entries())
            for (const [b, other] of of.entries())
              if (one.images === other.images && one.scale >= other.scale)
                expect(points[a]!).toBeGreaterThanOrEqual(points[b]! - 1);
        },
      ),
    );
  });

  it('are the same for classes with the same curve, however few of their numbers were measured', () => {
    const classes = classesOf([500, 500, 500]);
    const surveys = classes.map(({ name }) => survey(name, 7));
    expect(pointsPerClass(recipe({ totalImages: 51 }), classes, surveys)).toEqual([17, 17, 17]);
    expect(pointsPerClass(recipe({ totalImages: 300 }), classes, surveys)).toEqual([100, 100, 100]);
  });

  it('are not cut off where the measurements end', () => {
    const classes = classesOf([500, 500]);
    const surveys = [survey('class 0', 1000), survey('class 1', 1)];
    const [large, small] = pointsPerClass(recipe({ totalImages: 202 }), classes, surveys);
    expect(large).toBeGreaterThan(190);
    expect(small! + large!).toBe(202);
  });

  it('follow the class shares of the weights', () => {
    const classes = classesOf([900, 100]);
    const surveys = classes.map(({ name }) => survey(name, 7));
    const points = (classShares: string) =>
      pointsPerClass(recipe({ totalImages: 20, weights: { classShares } }), classes, surveys);
    expect(points('UNIFORM')).toEqual([10, 10]);
    expect(points('DATA')[0]).toBeGreaterThan(14);
    expect(classShares([900, 100], 'DATA')).toEqual([0.9, 0.1]);
  });

  it('are those asked for per class, without a survey', () => {
    expect(pointsPerClass(recipe({ imagesPerClass: 3 }), classesOf([9, 9]), [])).toEqual([3, 3]);
  });
});

describe('checkPoints', () => {
  it.each([
    [{ totalImages: 1 }, /totalImages of 2 to 30 for 2 classes, got 1:.*ask for another total$/],
    [{ totalImages: 31 }, /totalImages of 2 to 30 for 2 classes, got 31/],
    [{ totalImages: 28, holdout: 0.1 }, /of 2 to 27 for 2 classes, got 28/],
    [{ imagesPerClass: 11 }, /at most 10 for class class 0, got 11/],
  ])('refuses %j', (changes, message) => {
    expect(() => checkPoints(recipe(changes), classesOf([10, 20]))).toThrow(message);
  });

  it.each([{ totalImages: 2 }, { totalImages: 30 }, { imagesPerClass: 10 }])('takes %j', (changes) => {
    expect(() => checkPoints(recipe(changes), classesOf([10, 20]))).not.toThrow();
  });
});
