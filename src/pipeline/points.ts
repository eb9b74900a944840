import { invalid } from '../base/errors.ts';
import { type Published } from '../engine/ports.ts';
import { allocate } from '../numerics/quantize/allocation.ts';
import { continuedCurve } from '../numerics/quantize/curve.ts';
import { curveOf } from './curve.ts';
import { holdoutCount, type Recipe } from './recipe.ts';

/** A class by how many images it has: those held out included. */
export interface CountedClass {
  name: string;
  images: number;
}

/** How many of a class's images the quantizer learns from. */
export function trainingCount({ images }: CountedClass, { holdout }: Pick<Recipe, 'holdout'>): number {
  return images - holdoutCount(images, holdout);
}

/**
 * Each class needs at least as many images to learn from as it gets points.
 * @throws INVALID_INPUT naming the field, the class and the largest number that would do
 */
export function checkPoints(recipe: Recipe, classes: readonly CountedClass[]): void {
  const { imagesPerClass, totalImages } = recipe;
  if (imagesPerClass !== undefined) for (const one of classes) checkClass(one, imagesPerClass, recipe);
  if (totalImages === undefined) return;
  const most = classes.reduce((sum, one) => sum + trainingCount(one, recipe), 0);
  if (totalImages >= classes.length && totalImages <= most) return;
  throw invalid(
    `expected totalImages of ${classes.length} to ${most} for ${classes.length} classes, got ${totalImages}: ` +
      'every class gets at least one point and at most one for each image that is not held out; ask for another total',
    { path: ['totalImages'], smallest: classes.length, largest: most, remedy: 'ask for another total' },
  );
}

function checkClass(one: CountedClass, imagesPerClass: number, recipe: Recipe): void {
  const training = trainingCount(one, recipe);
  if (imagesPerClass <= training) return;
  const { name, images } = one;
  const remedy = 'ask for fewer images per class, hold out less, or leave the class out';
  throw invalid(
    `expected imagesPerClass of at most ${training} for class ${name}, got ${imagesPerClass}: ` +
      `it has ${images} ${images === 1 ? 'image' : 'images'}, of which ${images - training} are held out; ${remedy}`,
    { path: ['imagesPerClass'], className: name, images, largestImagesPerClass: training, remedy },
  );
}

/**
 * The share p of each class in the whole: by images, or the same for each.
 * @param images (c,)
 * @returns (c,), sums to 1
 */
export function classShares(images: readonly number[], kind: Recipe['weights']['classShares']): number[] {
  const all = images.reduce((sum, count) => sum + count, 0);
  return images.map((count) => (kind === 'DATA' ? count / all : 1 / images.length));
}

/**
 * How many points each class gets: `imagesPerClass`, or its part of `totalImages`. That is divided so that the distortion of the whole
 * training set, by the class shares of the weights, is least: by the curves of the survey, which go on beyond what was measured as
 * `continuedCurve` says, up to the most that a class can get, so that none is cut off.
 * @param surveys of every class where `totalImages` is asked for
 * @returns (c,)
 */
export function pointsPerClass(
  recipe: Recipe,
  classes: readonly CountedClass[],
  surveys: readonly Published[],
): number[] {
  const total = recipe.totalImages;
  if (total === undefined) return classes.map(() => recipe.imagesPerClass!);
  const training = classes.map((one) => trainingCount(one, recipe));
  const shares = classShares(training, recipe.weights.classShares);
  const curves = classes.map(({ name }, c) => {
    const measured = curveOf(surveys.find(({ task }) => task.labels['class'] === name)!.manifest);
    const curve = {
      k: measured.map(({ k }) => k),
      distortion: measured.map(({ distortion }) => distortion),
      share: shares[c]!,
    };
    return continuedCurve(curve, { samples: training[c]!, until: mostPoints(training[c]!, total, classes.length) });
  });
  return Array.from(allocate(curves, total));
}

/** What a class can get of a total: all but one point for each of the others, and no more than it has samples. */
export function mostPoints(training: number, total: number, classes: number): number {
  return Math.min(training, total - (classes - 1));
}
