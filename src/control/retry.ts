import { invalid, PushforwardError } from '../base/errors.ts';
import { digestOf } from '../base/json.ts';
import { isFinal } from '../engine/states.ts';
import { checkBudgets } from './costs.ts';
import { checkKey } from './datasets.ts';
import { type Principal } from './identity.ts';
import { checkedLaunch } from './launch-checks.ts';
import { checkLaunchOptions, type LaunchOptions } from './launch-options.ts';
import { type Catalog } from './ports.ts';
import { type Retention } from './retention/retention.ts';
import { getRun, type LaunchNeeds, launchOf, sameLaunch } from './runs.ts';
import { type RunView } from './views.ts';

export interface RetryRunInput extends LaunchOptions {
  runId: string;
  /** The stage to begin anew with: what it and those behind it made is invalidated. Null: from what is missing. */
  fromStage?: string | null;
  idempotencyKey: string;
}

/**
 * Launches the recipe of a run again, as a run of its own that names the first. What was published is reused, so that it goes on
 * where the first one failed; with `fromStage` that stage and all behind it are carried out again. Limits and priority are
 * those of the first one where none are given.
 * @throws NOT_FOUND; NOT_READY while the run is under way; IDEMPOTENCY_CONFLICT; BUDGET_EXCEEDED; INVALID_INPUT, also where what is to be invalidated is pinned or another run needs it
 */
export async function retryRun(
  of: LaunchNeeds & { retention: Retention },
  principal: Principal,
  input: RetryRunInput,
): Promise<{ run: RunView; reused: boolean }> {
  const rows = of.catalog.project(principal.projectId);
  const idempotencyKey = checkKey(input.idempotencyKey);
  const options = checkLaunchOptions(input);
  const fromStage = input.fromStage ?? null;
  const first = await getRun(rows, input.runId, 'runId');
  const fingerprint = digestOf({
    ...{ launch: 1, retry: first.id, fromStage },
    ...{ priority: options.priority, limits: { ...options.limits } },
  });
  const earlier = await rows.runByKey(idempotencyKey);
  if (earlier) return { run: sameLaunch(earlier, fingerprint, idempotencyKey), reused: true };
  if (!isFinal('run', first.state)) {
    throw new PushforwardError(
      'NOT_READY',
      `expected run ${first.id} to have ended, got ${first.state}: wait until it has, or cancel it`,
      { path: ['runId'], state: first.state },
    );
  }
  const costUsd = options.limits.costUsd ?? first.limits.costUsd;
  // Before anything is invalidated: what is made anew has to have room.
  const launch = async () => ({ ...(await checkedLaunch(of, principal.projectId, first.recipe)), anewFrom: fromStage });
  await checkBudgets(of, principal.projectId, launch, costUsd);
  if (fromStage !== null) await invalidateFrom(of, principal, first, fromStage);
  const { recipe, recipeDigest, datasetVersionId, priorId, limits } = first;
  return await launchOf(of, {
    ...{ projectId: principal.projectId, recipe, recipeDigest, datasetVersionId, priorId },
    ...{ inputs: (await rows.inputsByRole(first.id))!, idempotencyKey, fingerprint, retriedRunId: first.id },
    priority: input.priority ?? first.priority,
    limits: {
      taskSeconds: options.limits.taskSeconds ?? limits.taskSeconds,
      runSeconds: options.limits.runSeconds ?? limits.runSeconds,
      maxAttempts: options.limits.maxAttempts ?? limits.maxAttempts,
      costUsd,
    },
  });
}

async function invalidateFrom(
  { catalog, retention }: { catalog: Catalog; retention: Retention },
  principal: Principal,
  run: RunView,
  fromStage: string,
): Promise<void> {
  const rows = catalog.project(principal.projectId);
  const stages = (await rows.stagesByRun([run.id])).sort((a, b) => a.position - b.position);
  const from = stages.findIndex(({ name }) => name === fromStage);
  if (from < 0) {
    const names = stages.map(({ name }) => name).join(', ');
    throw invalid(`expected fromStage to be one of ${names}, got ${JSON.stringify(fromStage)}: correct it`, {
      path: ['fromStage'],
    });
  }
  const later = new Set(stages.slice(from).map(({ name }) => name));
  const made = await rows.artifactsByRun([run.id], 'OUTPUT');
  const ids = made.flatMap(({ artifact }) =>
    later.has(artifact.stage) && artifact.state !== 'DELETED' ? artifact.id : [],
  );
  if (ids.length > 0) await retention.invalidate(principal, ids, `retried from ${fromStage} (run ${run.id})`);
}
