import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { invalid } from '../base/errors.ts';
import { type ApiClient, type Refusal, refuse } from './client.ts';
import { showEstimate } from './estimate.ts';
import { followToEnd } from './follow.ts';
import { importDataset, type ImportRequest, isUrl } from './import.ts';
import { createProgress } from './progress.ts';
import { retryRun } from './runs.ts';
import { PARALLEL, upload } from './upload.ts';

export interface DistillRequest extends ImportRequest {
  /** The path is one of this machine and not of the service's: send what is there first. */
  sendFirst: boolean;
  /** Folder of a prior bundle. */
  priorPath: string;
  /** The recipe without what this command finds out: dataset version and prior. */
  recipe: Record<string, unknown>;
  /** Folder that the products are written to. */
  out: string;
  /** Only tell what the run would take. */
  estimate: boolean;
}

/**
 * The main job through the API: import, register, launch, follow, download. An interrupt cancels the run and waits until
 * it has let go of everything.
 * @throws the failure of the import, of the launch or of the run
 */
export async function distill(client: ApiClient, request: DistillRequest, interrupt: AbortSignal): Promise<void> {
  if (request.sendFirst && isUrl(request.path)) {
    throw invalid(`expected a path of this machine with --upload, got ${request.path}: leave --upload out`);
  }
  const progress = createProgress();
  try {
    const path = request.sendFirst
      ? await upload(client, { paths: [request.path], parallel: PARALLEL }, progress, interrupt)
      : request.path;
    const datasetVersionId = await importDataset(client, { ...request, path }, progress, interrupt);
    const priorId = await registerPrior(client, request.priorPath);
    const recipe = { ...request.recipe, datasetVersionId, priorId, classes: request.classes };
    if (request.estimate) {
      progress.end();
      return await showEstimate(client, recipe);
    }
    const runId = await launch(client, recipe);
    await followToEnd(client, runId, request.out, progress, interrupt);
  } finally {
    progress.end();
  }
}

/** Carries a run that ended out again, as `distill` does. @param fromStage null: from what is missing @param out null: nothing is downloaded */
export async function retry(
  client: ApiClient,
  { runId, fromStage, out }: { runId: string; fromStage: string | null; out: string | null },
  interrupt: AbortSignal,
): Promise<void> {
  const progress = createProgress();
  try {
    await followToEnd(client, await retryRun(client, runId, fromStage), out, progress, interrupt);
  } finally {
    progress.end();
  }
}

async function registerPrior(client: ApiClient, path: string): Promise<string> {
  const { registerPrior: answer } = await client.send<{ registerPrior: Refusal & { prior: { id: string } } }>(
    'RegisterPrior',
    { input: { path: resolve(path) } },
  );
  refuse(answer);
  return answer.prior.id;
}

async function launch(client: ApiClient, recipe: Record<string, unknown>): Promise<string> {
  const { launchRun: answer } = await client.send<{ launchRun: Refusal & { run: { id: string } } }>('LaunchRun', {
    input: { recipe, idempotencyKey: randomUUID() },
  });
  refuse(answer);
  return answer.run.id;
}
