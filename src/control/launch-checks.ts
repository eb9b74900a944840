import { invalid, PushforwardError } from '../base/errors.ts';
import { type PriorDescription } from '../pipeline/prior/description.ts';
import { holdoutCount, type Recipe } from '../pipeline/recipe.ts';
import { type ClassCount, type DatasetVersionView } from './views.ts';

type ReadyVersion = DatasetVersionView & { classes: ClassCount[]; artifactId: string };

/**
 * What can be known to fail before anything is created.
 * `details.path` names the field of the launch input.
 */
export function checkLaunch(recipe: Recipe, known: readonly ClassCount[], prior: PriorDescription): void {
  const classes = selectClasses(recipe, known);
  for (const one of classes) checkClass(one, recipe);
  checkDecoder(recipe, prior, classes);
  checkLabels(recipe, prior);
}

/** @throws NOT_READY */
export function readyVersion(version: DatasetVersionView): ReadyVersion {
  const path = ['recipe', 'datasetVersionId'];
  if (version.state === 'FAILED') {
    const reason = version.error ? `: ${version.error.message}` : '';
    throw new PushforwardError(
      'NOT_READY',
      `expected dataset version ${version.id} to be READY, got FAILED${reason}: import it again`,
      { path, state: version.state, remedy: 'import it again' },
    );
  }
  if (version.state !== 'READY' || !version.classes || !version.artifactId) {
    throw new PushforwardError(
      'NOT_READY',
      `expected dataset version ${version.id} to be READY, got ${version.state} with ${version.progress.images} images so far: wait until its import has ended`,
      { path, state: version.state },
    );
  }
  return { ...version, classes: version.classes, artifactId: version.artifactId };
}

function selectClasses(recipe: Recipe, known: readonly ClassCount[]): ClassCount[] {
  if (!recipe.classes) return [...known];
  const byName = new Map(known.map((one) => [one.name, one]));
  return recipe.classes.map((name, index) => {
    const found = byName.get(name);
    if (found) return found;
    throw invalid(
      `expected recipe.classes to name classes of dataset version ${recipe.datasetVersionId}, got ${JSON.stringify(name)}: choose from ${listed(known)}`,
      { path: ['recipe', 'classes', String(index)], className: name },
    );
  });
}

function checkClass(one: ClassCount, recipe: Recipe): void {
  if (one.images === 0) {
    throw new PushforwardError('EMPTY_CLASS', `expected images in class ${one.name}, got none: leave the class out`, {
      path: ['recipe', 'classes'],
      className: one.name,
    });
  }
  const training = one.images - holdoutCount(one.images, recipe.holdout);
  if (recipe.imagesPerClass > training) {
    throw invalid(
      `expected recipe.imagesPerClass of at most ${training} for class ${one.name}, got ${recipe.imagesPerClass}: ` +
        `it has ${one.images} ${one.images === 1 ? 'image' : 'images'}, of which ${one.images - training} are held out; ask for fewer images per class, hold out less, or leave the class out`,
      {
        path: ['recipe', 'imagesPerClass'],
        className: one.name,
        images: one.images,
        largestImagesPerClass: training,
        remedy: 'ask for fewer images per class, hold out less, or leave the class out',
      },
    );
  }
  if (one.images === 1 && recipe.holdout > 0) {
    throw invalid(
      `expected at least 2 images in class ${one.name} to hold out a part of them, got 1: leave the class out, or set recipe.holdout to 0`,
      { path: ['recipe', 'holdout'], className: one.name },
    );
  }
}

function checkDecoder(recipe: Recipe, prior: PriorDescription, classes: readonly ClassCount[]): void {
  const { mode, strength } = recipe.decoder;
  const path = ['recipe', 'decoder', 'mode'];
  if (mode === 'VAE') return;
  if (!prior.denoiser) {
    if (mode === 'AUTO') return;
    throw invalid(
      `expected a prior with a denoiser for recipe.decoder.mode DIFFUSION, got ${prior.name} without one: choose AUTO or VAE, or another prior`,
      { path },
    );
  }
  if (prior.denoiser.nullClass === null || !prior.classes || strength === 0) return;
  const known = new Set(prior.classes);
  const missing = classes.find((one) => !known.has(one.name));
  if (missing) {
    throw invalid(
      `expected the denoiser of prior ${prior.name} to know class ${JSON.stringify(missing.name)}, got one for ${prior.classes.length} other classes: set recipe.decoder.mode to VAE, choose other classes or another prior`,
      { path, className: missing.name },
    );
  }
}

function checkLabels(recipe: Recipe, prior: PriorDescription): void {
  if (recipe.labels.mode !== 'TEACHER' || prior.teacher) return;
  throw invalid(
    `expected a prior with a teacher for recipe.labels.mode TEACHER, got ${prior.name} without one: choose AUTO or NONE, or another prior`,
    { path: ['recipe', 'labels', 'mode'] },
  );
}

function listed(classes: readonly ClassCount[]): string {
  const names = classes.slice(0, 10).map((one) => one.name);
  return classes.length > names.length
    ? `${names.join(', ')} and ${classes.length - names.length} more`
    : names.join(', ');
}
