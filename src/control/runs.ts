import { notFound, PushforwardError } from '../base/errors.ts';
import { digestOf } from '../base/json.ts';
import { type LaunchRequest, USUAL_LAUNCH } from '../engine/ports.ts';
import { parseAnyRecipe } from '../pipeline/drift/recipe.ts';
import { asJson, recipeDigest } from '../pipeline/recipe.ts';
import { checkBudgets } from './costs.ts';
import { checkKey } from './datasets.ts';
import { type EstimateNeeds } from './estimate.ts';
import { type Principal } from './identity.ts';
import { checkedLaunch, inRecipe } from './launch-checks.ts';
import { checkLaunchOptions, type LaunchOptions } from './launch-options.ts';
import { type Catalog, type EngineControl, type ProjectCatalog } from './ports.ts';
import { type RunView } from './views.ts';

export interface LaunchRunInput extends LaunchOptions {
  recipe: unknown;
  idempotencyKey: string;
}

interface Needs {
  catalog: Catalog;
  engine: EngineControl;
}

export interface LaunchNeeds extends Needs, EstimateNeeds {
  executorClasses: readonly string[];
}

/**
 * Validates a recipe against its dataset version and prior, then hands it to the engine.
 * One key gives exactly one run; the same key with another recipe is IDEMPOTENCY_CONFLICT.
 */
export async function launchRun(
  of: LaunchNeeds,
  principal: Principal,
  input: LaunchRunInput,
): Promise<{ run: RunView; reused: boolean }> {
  const rows = of.catalog.project(principal.projectId);
  const idempotencyKey = checkKey(input.idempotencyKey);
  const asked = inRecipe(() => parseAnyRecipe(input.recipe));
  const { priority, limits } = checkLaunchOptions(input);
  const usual = priority === USUAL_LAUNCH.priority && Object.values(limits).every((limit) => limit === null);
  const fingerprint = digestOf({ launch: 1, recipe: asked, ...(!usual && { priority, limits: { ...limits } }) });

  // A repeated request gets its answer even if the dataset or prior would be refused today.
  const earlier = await rows.runByKey(idempotencyKey);
  if (earlier) return { run: sameLaunch(earlier, fingerprint, idempotencyKey), reused: true };

  const launch = await checkedLaunch(of, principal.projectId, asked);
  const { recipe, version, prior, inputs } = launch;
  await checkBudgets(of, principal.projectId, async () => launch, limits.costUsd);

  return await launchOf(of, {
    projectId: principal.projectId,
    recipe: asJson(recipe),
    recipeDigest: recipeDigest(recipe),
    datasetVersionId: version.id,
    priorId: prior.id,
    inputs,
    idempotencyKey,
    fingerprint,
    priority,
    limits,
    retriedRunId: null,
  });
}

/** Hands a checked request to the engine. @throws ARTIFACT_DELETED naming the field of the recipe; IDEMPOTENCY_CONFLICT */
export async function launchOf(
  { catalog, engine }: Needs,
  request: LaunchRequest,
): Promise<{ run: RunView; reused: boolean }> {
  const { run, created } = await engine.launch(request).catch((error: unknown) => {
    throw inputDeleted(error);
  });
  return { run: await getRun(catalog.project(request.projectId), run.id), reused: !created };
}

/** Asks a run to stop; one that has ended stays as it is. */
export async function cancelRun(of: Needs, principal: Principal, runId: string): Promise<RunView> {
  const rows = of.catalog.project(principal.projectId);
  await getRun(rows, runId);
  await of.engine.cancel(principal.projectId, runId);
  return await getRun(rows, runId);
}

export async function getRun(rows: Pick<ProjectCatalog, 'runsById'>, id: string, field = 'id'): Promise<RunView> {
  const [run] = await rows.runsById([id]);
  if (run) return run;
  const error = notFound('run', id);
  throw new PushforwardError(error.code, error.message, { ...error.details, path: [field] });
}

export function sameLaunch(earlier: RunView, fingerprint: string, key: string): RunView {
  if (earlier.fingerprint === fingerprint) return earlier;
  throw new PushforwardError(
    'IDEMPOTENCY_CONFLICT',
    `expected the recipe that idempotency key ${key} was first used for (run ${earlier.id}), got another recipe: use a new key for a new run`,
    { path: ['idempotencyKey'], runId: earlier.id },
  );
}

/** The field of the launch input whose artifact is gone; any other error as it is. */
function inputDeleted(error: unknown): unknown {
  if (!(error instanceof PushforwardError) || error.code !== 'ARTIFACT_DELETED') return error;
  const role = String(error.details['role']);
  const path = ['recipe', role === 'reference' ? 'against' : `${role}Id`];
  return new PushforwardError(error.code, error.message, { ...error.details, path }, { cause: error });
}
