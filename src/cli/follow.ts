import { mkdir, writeFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { fromErrorRecord, PushforwardError } from '../base/errors.ts';
import { sha256 } from '../base/json.ts';
import { type ApiClient } from './client.ts';
import { type Progress } from './progress.ts';
import { type RunReport, runSummary } from './summary.ts';
import { seconds } from './table.ts';
import { unpackTar } from './untar.ts';

/** Shows what the run does, and downloads its products. @throws its failure */
export async function followToEnd(
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

const PRODUCTS: ReadonlySet<string> = new Set(['syntheticDataset', 'report', 'driftReport']);

/** Writes the blobs of the synthetic dataset and of the report; answers with their paths. */
async function download(client: ApiClient, run: RunReport, out: string): Promise<string[]> {
  await mkdir(out, { recursive: true });
  const written: string[] = [];
  for (const artifact of run.outputs) {
    if (!PRODUCTS.has(artifact.kind)) continue;
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
