import { type Clock } from '../base/clock.ts';
import { PushforwardError, toErrorRecord } from '../base/errors.ts';
import { type Log } from '../base/log.ts';
import { type ArtifactManifest, type PastAttempt } from '../engine/ports.ts';
import { failureOf, isOutage, retryAfterMs } from '../engine/retry.ts';
import { type Catalog, type DatasetImporter, type PendingImport, type ProjectCatalog } from './ports.ts';
import { type ImportProgress } from './views.ts';

/** Services that an import may kill. */
export const MAX_DEATHS = 3;

const PROGRESS_EVERY_MS = 500;
/** Outages are waited out as those of tasks are, for about an hour. */
const OUTAGES = { maxAttempts: 3, backoffMs: 1000 };

/** Milliseconds to wait before the next try, or null where the error is no outage, or there were too many. */
export type Patience = (error: unknown) => number | null;

export function createPatience(): Patience {
  const past: PastAttempt[] = [];
  return (error) => {
    if (!isOutage(error)) return null;
    const failure = failureOf(error);
    past.push({ state: 'FAILED', failure });
    return retryAfterMs(failure, past, OUTAGES);
  };
}

/**
 * Carries an import out and records its end, unless an outage or the signal comes between: it is pending then.
 * @returns milliseconds after which to try again; null where there is nothing more to do
 * @throws what kept its end from being recorded, once the patience is over
 */
export async function carryOutImport(
  of: { catalog: Catalog; importer: DatasetImporter; clock: Clock; log: Log },
  pending: PendingImport,
  patience: Patience,
  signal: AbortSignal,
): Promise<number | null> {
  const id = pending.datasetVersionId;
  const rows = of.catalog.project(pending.projectId);
  const log = of.log.with({ datasetVersionId: id, dataset: pending.datasetName });
  const progress = throttledProgress(rows, id, of.clock, log);

  /** What was read is not read again because the database was away when it was told. */
  const recorded = async (write: () => Promise<void>) => {
    for (;;) {
      try {
        return await write();
      } catch (error) {
        const waitMs = signal.aborted || isSwept(error) ? null : patience(error);
        if (waitMs === null) throw error;
        log.warn('the end of an import waits to be recorded', { error: toErrorRecord(error).message, waitMs });
        await of.clock.sleep(waitMs, signal);
      }
    }
  };

  const letGo = async () => {
    await rows.recordImportDeaths(id, pending.deaths).catch((error: unknown) => {
      log.debug('a living import counts as dead', { error: toErrorRecord(error).message });
    });
  };

  try {
    if (pending.deaths >= MAX_DEATHS) throw killsServices(pending.deaths);
    if (!(await rows.recordImportDeaths(id, pending.deaths + 1))) return null;
    log.info('import started', { path: pending.source.path });
    const imported = await of.importer.importDataset({
      projectId: pending.projectId,
      name: pending.datasetName,
      source: pending.source,
      previous: await newestManifest(rows, pending.datasetId),
      onProgress: progress.report,
      signal,
    });
    await progress.settle();
    await recorded(() => rows.finishImport(id, imported));
    log.info('import finished', { images: imported.images, classes: imported.classes.length, digest: imported.digest });
    return null;
  } catch (error) {
    await progress.settle();
    const record = toErrorRecord(error);
    const waitMs = signal.aborted ? null : patience(error);
    if (signal.aborted || waitMs !== null) {
      if (waitMs !== null) log.warn('import waits', { code: record.code, error: record.message, waitMs });
      await letGo();
      return waitMs;
    }
    log.warn('import failed', { code: record.code, error: record.message });
    await recorded(() => rows.failImport(id, record));
    return null;
  }
}

/** What it relied on was deleted under it: it has to be read anew. */
function isSwept(error: unknown): boolean {
  return error instanceof PushforwardError && error.details['swept'] === true;
}

function killsServices(deaths: number): PushforwardError {
  return new PushforwardError(
    'WORKER_LOST',
    `expected the import to end, got a service that died during it ${deaths} times: give the service more memory, or import the source in parts`,
    { deaths },
  );
}

async function newestManifest(rows: ProjectCatalog, datasetId: string): Promise<ArtifactManifest | null> {
  const [newest] = await rows.newestVersions([datasetId]);
  if (!newest?.artifactId) return null;
  const [artifact] = await rows.artifactsById([newest.artifactId]);
  return artifact?.manifest ?? null;
}

/** Writes at most one row per interval, the newest figures, never two at once. A lost one does no harm. */
function throttledProgress(rows: ProjectCatalog, id: string, clock: Clock, log: Log) {
  let lastMs = -Infinity;
  let writing: Promise<void> = Promise.resolve();
  let busy = false;
  return {
    report(progress: ImportProgress) {
      const nowMs = clock.now().getTime();
      if (busy || nowMs - lastMs < PROGRESS_EVERY_MS) return;
      lastMs = nowMs;
      busy = true;
      writing = rows
        .recordImportProgress(id, progress)
        .catch((error: unknown) => log.debug('import progress not written', { error: toErrorRecord(error).message }))
        .finally(() => (busy = false));
    },
    settle: () => writing,
  };
}
