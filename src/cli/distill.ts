import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import { fromErrorRecord, invalid, PushforwardError, type ErrorRecord } from '../base/errors.ts';
import { sha256 } from '../base/json.ts';
import { type ApiClient, type Refusal, refuse } from './client.ts';
import { showEstimate } from './estimate.ts';
import { type ImportFacts, importSummary } from './import-summary.ts';
import { createProgress, type Progress } from './progress.ts';
import { retryRun } from './runs.ts';
import { type RunReport, runSummary } from './summary.ts';
import { count, seconds } from './table.ts';
import { unpackTar } from './untar.ts';
import { PARALLEL, upload } from './upload.ts';

export interface DistillRequest {
  /** Any of the formats that the service reads, as a path, `s3://bucket/prefix` or `upload:ID`. */
  path: string;
  /** The path is one of this machine and not of the service's: send what is there first. */
  sendFirst: boolean;
  /** Name of the dataset in the project. */
  name: string;
  /** Folder of a prior bundle. */
  priorPath: string;
  /** Class names to take; null: all. */
  classes: string[] | null;
  /** The split to take; null: the only one. */
  split: string | null;
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

/** Shows what the run does, and downloads its products. @throws its failure */
async function followToEnd(
  client: ApiClient,
  runId: string,
  out: string | null,
  progress: Progress,
  interrupt: AbortSignal,
): Promise<void> {
  progress.say(`\nRun ${runId}`);
  await follow(client, runId, progress, interrupt).catch((error: unknown) => {
    if (!(error instanceof PushforwardError) || error.code !== 'NOT_READY') throw error;
    throw new PushforwardError(
      error.code,
      `${error.message}; see \`pushforward runs show ${runId}\``,
      {},
      { cause: error },
    );
  });
  progress.end();
  const { run } = await client.send<{ run: RunReport }>('Run', { id: runId });
  if (run.state !== 'SUCCEEDED') throw failureOf(run);
  process.stdout.write(`\n${runSummary(run)}\n`);
  if (out === null) return;
  const written = await download(client, run, out);
  process.stdout.write(`\nWrote\n${written.map((path) => `  ${path}`).join('\n')}\n`);
}

async function importDataset(
  client: ApiClient,
  { path, name, classes, split }: DistillRequest,
  progress: Progress,
  interrupt: AbortSignal,
): Promise<string> {
  const input = { path: isUrl(path) ? path : resolve(path), name, classes, split, idempotencyKey: randomUUID() };
  const { importDataset: answer } = await client.send<{
    importDataset: Refusal & { version: { id: string }; reused: boolean };
  }>('ImportDataset', { input });
  refuse(answer);
  const startedMs = Date.now();
  for (;;) {
    const { datasetVersion } = await client.send<{ datasetVersion: ImportedVersion }>('DatasetVersion', {
      id: answer.version.id,
    });
    const { state, images, progress: so, error } = datasetVersion;
    if (state === 'FAILED') throw fromErrorRecord(error!);
    if (state === 'READY') {
      const classCount = datasetVersion.classes!.length;
      const what = `${count(images!)} image${images === 1 ? '' : 's'} of ${count(classCount)} class${classCount === 1 ? '' : 'es'}`;
      const how = datasetVersion.reused
        ? 'known, nothing imported'
        : `done in ${seconds((Date.now() - startedMs) / 1000)}`;
      progress.update('import', { done: images!, total: images!, unit: 'images', ended: `${what}  ${how}` });
      progress.say(importSummary(datasetVersion));
      return datasetVersion.id;
    }
    progress.update('import', { done: so.images, total: 0, unit: 'images' });
    if (interrupt.aborted) {
      // Others wait for one that was there already.
      if (answer.reused) throw new PushforwardError('CANCELLED', 'interrupted; the import goes on in the service');
      progress.say('Cancelling the import.');
      await client.send('CancelImport', { id: answer.version.id });
    }
    await new Promise((wake) => setTimeout(wake, 200));
  }
}

/** A source that is no path of this machine (`s3://bucket/prefix`, `upload:ID`) is named as it is. */
const isUrl = (path: string): boolean => /^(?:[a-z][a-z0-9+.-]*:\/\/|upload:)/i.test(path);

interface ImportedVersion extends ImportFacts {
  state: string;
  images: number | null;
  reused: boolean;
  progress: { images: number };
  error: ErrorRecord | null;
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

interface EventAnswer {
  runEvents: { type: string; payload: Record<string, unknown> };
}

/** Shows the run's events until the last one. */
async function follow(client: ApiClient, runId: string, progress: Progress, interrupt: AbortSignal): Promise<void> {
  const cancel = () => {
    progress.say('Cancelling the run; interrupt again to leave it to the service.');
    client
      .send('CancelRun', { id: runId })
      .catch((error: Error) => progress.say(`The run was not cancelled: ${error.message}`));
  };
  if (interrupt.aborted) cancel();
  interrupt.addEventListener('abort', cancel, { once: true });
  try {
    for await (const { runEvents } of client.subscribe<EventAnswer>('RunEvents', { runId, afterSequence: 0 })) {
      show(runEvents.type, runEvents.payload, progress);
    }
  } finally {
    interrupt.removeEventListener('abort', cancel);
  }
}

function show(type: string, payload: Record<string, unknown>, progress: Progress): void {
  const stage = payload['stage'] as string;
  const { itemsDone, itemsTotal, tasksTotal, tasksCached } = payload as Record<string, number>;
  switch (type) {
    case 'stage.started':
      return progress.update(stage, { done: 0, total: itemsTotal!, unit: 'images' });
    case 'stage.progress':
      return progress.update(stage, {
        done: itemsDone!,
        total: itemsTotal!,
        unit: 'images',
        note: noteOf(payload['waiting'] as Record<string, number> | undefined),
      });
    case 'stage.succeeded':
      return progress.update(stage, {
        done: 1,
        total: 1,
        unit: '',
        ended: how(payload['seconds'] as number, tasksTotal!, tasksCached!),
      });
    case 'stage.skipped':
      return progress.update(stage, { done: 0, total: 0, unit: '', ended: `skipped: ${String(payload['reason'])}` });
    case 'attempt.failed': {
      // The failure that ends the run is told in the end.
      if (!payload['willRetry']) return;
      const failure = payload['failure'] as { error: { message: string } };
      return progress.say(`  ${String(payload['title'])}: ${failure.error.message} (it is tried again)`);
    }
  }
}

/** What most of the waiting attempts wait for. */
function noteOf(waiting: Record<string, number> = {}): string | undefined {
  const [most] = Object.entries(waiting).sort(([, a], [, b]) => b - a);
  return most && `${most[1]} wait: ${most[0]}`;
}

function how(took: number, tasks: number, cached: number): string {
  if (cached === tasks) return 'reused: everything was published before';
  return `done in ${seconds(took)}${cached > 0 ? `  ${cached} of ${tasks} tasks reused` : ''}`;
}

function failureOf(run: RunReport): PushforwardError {
  if (run.state === 'CANCELLED')
    return new PushforwardError('CANCELLED', `run ${run.id} was cancelled; nothing of it holds a resource`);
  const { failure } = run;
  return fromErrorRecord({
    code: failure?.code ?? 'INTERNAL',
    message: failure?.message ?? `run ${run.id} failed without a reason`,
    details: { lastLogLines: failure?.lastLogLines ?? [] },
  });
}

/** Unpacked as it is downloaded: an image folder is of use as a folder only. */
const IMAGE_FOLDER = 'imagefolder.tar';

/** Writes the blobs of the synthetic dataset and of the report; answers with their paths. */
async function download(client: ApiClient, run: RunReport, out: string): Promise<string[]> {
  await mkdir(out, { recursive: true });
  const written: string[] = [];
  for (const artifact of run.outputs) {
    if (artifact.kind !== 'syntheticDataset' && artifact.kind !== 'report') continue;
    for (const blob of artifact.blobs) {
      const bytes = await client.download(blob.downloadUrl);
      if (sha256(bytes) !== blob.sha256) {
        throw new PushforwardError(
          'CORRUPT_ARTIFACT',
          `expected ${blob.name} with digest ${blob.sha256}, got other bytes: run the command again`,
        );
      }
      const packed = blob.name === IMAGE_FOLDER;
      const path = join(out, packed ? blob.name.replace(/\.tar$/, '') : blob.name);
      if (packed) await unpackTar(bytes, path);
      else await writeFile(path, bytes);
      written.push(packed ? `${path}${sep}` : path);
    }
  }
  return written.sort();
}
