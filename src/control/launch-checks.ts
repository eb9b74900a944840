import { invalid, PushforwardError } from '../base/errors.ts';
import { type PriorDescription } from '../pipeline/prior/description.ts';
import { checkPriorFits } from '../pipeline/prior/described.ts';
import { checkPoints } from '../pipeline/points.ts';
import { parseRecipe, type Recipe } from '../pipeline/recipe.ts';
import { type Catalog } from './ports.ts';
import { type ClassCount, type DatasetVersionView, type PriorView } from './views.ts';

type ReadyVersion = DatasetVersionView & { classes: ClassCount[]; artifactId: string };

/** A recipe that could be launched, with what it names. */
export interface CheckedLaunch {
  recipe: Recipe;
  version: ReadyVersion;
  prior: PriorView;
  /** Those of the version that the recipe takes. */
  classes: ClassCount[];
}

/** @throws INVALID_INPUT, NOT_FOUND, NOT_READY, EMPTY_CLASS naming the field */
export async function checkedLaunch(
  { catalog, executorClasses }: { catalog: Catalog; executorClasses: readonly string[] },
  projectId: string,
  given: unknown,
): Promise<CheckedLaunch> {
  const rows = catalog.project(projectId);
  const asked = inRecipe(() => parseRecipe(given));
  const [[found], [prior]] = await Promise.all([
    rows.datasetVersionsById([asked.datasetVersionId]),
    rows.priorsById([asked.priorId]),
  ]);
  if (!found) throw missing('dataset version', asked.datasetVersionId, 'datasetVersionId', 'import the dataset first');
  if (!prior) throw missing('prior', asked.priorId, 'priorId', 'register the prior first');
  // An import that found an earlier version answers with that one: the recipe names it, so that equal runs are equal.
  const recipe: Recipe = { ...asked, datasetVersionId: found.version.id };
  const version = readyVersion(found.version);
  const classes = checkLaunch(recipe, version.classes, prior.description);
  checkExecutorClass(recipe, executorClasses);
  return { recipe, version, prior, classes };
}

function missing(what: string, id: string, field: string, remedy: string): PushforwardError {
  return new PushforwardError(
    'NOT_FOUND',
    `expected a ${what} of this project, got ${id}, which does not exist: ${remedy}`,
    {
      id,
      path: ['recipe', field],
    },
  );
}

/**
 * What can be known to fail before anything is created. Answers with the classes that the recipe takes.
 * `details.path` names the field of the launch input.
 */
function checkLaunch(recipe: Recipe, known: readonly ClassCount[], prior: PriorDescription): ClassCount[] {
  const classes = selectClasses(recipe, known);
  for (const one of classes) checkNotEmpty(one);
  inRecipe(() => checkPoints(recipe, classes));
  inRecipe(() =>
    checkPriorFits(
      recipe,
      prior,
      classes.map((one) => one.name),
    ),
  );
  return classes;
}

/** @throws INVALID_INPUT for a class that the service's settings do not have */
export function checkExecutorClass({ execution }: Recipe, known: readonly string[]): void {
  const asked = execution.executorClass;
  if (asked === undefined || known.includes(asked)) return;
  const has = known.length > 0 ? `one of ${known.join(', ')}` : 'none, since workers are children of the service here';
  throw invalid(
    `expected recipe.execution.executorClass to be ${has}, got ${JSON.stringify(asked)}: correct or remove it`,
    { path: ['recipe', 'execution', 'executorClass'] },
  );
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

function checkNotEmpty(one: ClassCount): void {
  if (one.images === 0) {
    throw new PushforwardError('EMPTY_CLASS', `expected images in class ${one.name}, got none: leave the class out`, {
      path: ['recipe', 'classes'],
      className: one.name,
    });
  }
}

/** Errors of the recipe name its fields; the launch input has the recipe under `recipe`. */
export function inRecipe<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (!(error instanceof PushforwardError)) throw error;
    const path = error.details['path'] ?? ('className' in error.details ? ['classes'] : []);
    throw new PushforwardError(error.code, error.message, {
      ...error.details,
      path: ['recipe', ...(path as string[])],
    });
  }
}

function listed(classes: readonly ClassCount[]): string {
  const names = classes.slice(0, 10).map((one) => one.name);
  return classes.length > names.length
    ? `${names.join(', ')} and ${classes.length - names.length} more`
    : names.join(', ');
}
