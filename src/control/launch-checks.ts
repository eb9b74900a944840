import { invalid, PushforwardError } from '../base/errors.ts';
import { type PriorDescription } from '../pipeline/prior/description.ts';
import { checkPriorFits } from '../pipeline/prior/described.ts';
import { checkPoints } from '../pipeline/points.ts';
import { type AnyRecipe, type DriftRecipe, isDrift, parseAnyRecipe } from '../pipeline/drift/recipe.ts';
import { type Recipe } from '../pipeline/recipe.ts';
import { driftReference } from './drift-reference.ts';
import { type Catalog, type ProjectCatalog } from './ports.ts';
import { type ClassCount, type DatasetVersionView, type PriorView } from './views.ts';

type ReadyVersion = DatasetVersionView & { classes: ClassCount[]; artifactId: string };

/** A recipe that could be launched, with what it names. */
export interface CheckedLaunch {
  recipe: AnyRecipe;
  version: ReadyVersion;
  prior: PriorView;
  /** Those of the version that the recipe takes. */
  classes: ClassCount[];
  /** Artifact ids that the run reads, by role. */
  inputs: Readonly<Record<string, string>>;
}

/** @throws INVALID_INPUT, NOT_FOUND, NOT_READY, EMPTY_CLASS naming the field */
export async function checkedLaunch(
  { catalog, executorClasses }: { catalog: Catalog; executorClasses: readonly string[] },
  projectId: string,
  given: unknown,
): Promise<CheckedLaunch> {
  const rows = catalog.project(projectId);
  const asked = inRecipe(() => parseAnyRecipe(given));
  checkExecutorClass(asked, executorClasses);
  return isDrift(asked) ? await checkedDrift(rows, asked) : await checkedDistillation(rows, asked);
}

async function checkedDistillation(rows: ProjectCatalog, asked: Recipe): Promise<CheckedLaunch> {
  const [[found], [prior]] = await Promise.all([
    rows.datasetVersionsById([asked.datasetVersionId]),
    rows.priorsById([asked.priorId]),
  ]);
  const version = foundVersion(found, asked);
  if (!prior) throw missing('prior', asked.priorId, 'priorId', 'register the prior first');
  // An import that found an earlier version answers with that one: the recipe names it, so that equal runs are equal.
  const recipe: Recipe = { ...asked, datasetVersionId: version.id };
  const classes = checkLaunch(recipe, version.classes, prior.description);
  return { recipe, version, prior, classes, inputs: { datasetVersion: version.artifactId, prior: prior.artifactId } };
}

function foundVersion(found: { version: DatasetVersionView } | undefined, asked: AnyRecipe): ReadyVersion {
  if (found) return readyVersion(found.version);
  throw missing('dataset version', asked.datasetVersionId, 'datasetVersionId', 'import the dataset first');
}

/** With what the reference was when it was launched first: an alias may stand for another by now. */
async function checkedDrift(rows: ProjectCatalog, asked: DriftRecipe): Promise<CheckedLaunch> {
  const [found] = await rows.datasetVersionsById([asked.datasetVersionId]);
  const version = foundVersion(found, asked);
  const reference = await driftReference(rows, asked.referenceRunId ?? asked.against).catch((error: unknown) =>
    inRecipeOf(error),
  );
  const [prior] = await rows.priorsById([reference.run.priorId]);
  const taken = asked.classes ?? (reference.run.recipe['classes'] as string[] | undefined);
  const known = new Set([...reference.classes, ...version.classes.map(({ name }) => name)]);
  const unknown = asked.classes?.find((name) => !known.has(name));
  if (unknown !== undefined) {
    throw invalid(
      `expected recipe.classes to name classes of the version or of the reference, got ${JSON.stringify(unknown)}: correct or remove it`,
      { path: ['recipe', 'classes'], className: unknown },
    );
  }
  const recipe: DriftRecipe = {
    ...{ ...asked, datasetVersionId: version.id, referenceRunId: reference.run.id },
    ...(taken && { classes: taken }),
  };
  const compared = new Set(reference.classes.filter((name) => taken?.includes(name) ?? true));
  return {
    ...{ recipe, version, prior: prior! },
    classes: version.classes.filter(({ name }) => compared.has(name)),
    inputs: { datasetVersion: version.artifactId, prior: prior!.artifactId, reference: reference.codebooks },
  };
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
export function checkExecutorClass({ execution }: AnyRecipe, known: readonly string[]): void {
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
export function inRecipe<T>(check: () => T, above: readonly string[] = []): T {
  try {
    return check();
  } catch (error) {
    return inRecipeOf(error, above);
  }
}

function inRecipeOf(error: unknown, above: readonly string[] = []): never {
  if (!(error instanceof PushforwardError)) throw error;
  const path = error.details['path'] ?? ('className' in error.details ? ['classes'] : []);
  throw new PushforwardError(error.code, error.message, {
    ...error.details,
    path: [...above, 'recipe', ...(path as string[])],
  });
}

function listed(classes: readonly ClassCount[]): string {
  const names = classes.slice(0, 10).map((one) => one.name);
  return classes.length > names.length
    ? `${names.join(', ')} and ${classes.length - names.length} more`
    : names.join(', ');
}
