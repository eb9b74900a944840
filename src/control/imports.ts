import { type Clock } from '../base/clock.ts';
import { PushforwardError, toErrorRecord } from '../base/errors.ts';
import { type Log } from '../base/log.ts';
import { type ArtifactManifest } from '../engine/ports.ts';
import { type Catalog, type DatasetImporter, type PendingImport, type ProjectCatalog } from './ports.ts';
import { type ImportProgress } from './views.ts';

const PROGRESS_EVERY_MS = 500;
/** After an error of the database itself; errors of an import are its end. */
const RETRY_MS = 2000;

/** Carries out imports one after another. What is pending is in the database, so a restart takes up where it was. */
export interface ImportRunner {
  /** Looks for pending imports; called at start and after each new one. */
  wake(): void;
  /** Resolves once nothing is pending. */
  idle(): Promise<void>;
  /** Stops the import at hand, which stays pending, and waits until it let go. */
  close(): Promise<void>;
}

export function createImportRunner(of: {
  catalog: Catalog;
  importer: DatasetImporter;
  clock: Clock;
  log: Log;
}): ImportRunner {
  const stopping = new AbortController();
  let wanted = false;
  let working: Promise<void> | null = null;

  const work = async () => {
    while (wanted && !stopping.signal.aborted) {
      wanted = false;
      for (const pending of await of.catalog.pendingImports()) {
        if (stopping.signal.aborted) return;
        await carryOut(pending);
      }
    }
  };

  const carryOut = async (pending: PendingImport) => {
    const rows = of.catalog.project(pending.projectId);
    const log = of.log.with({ datasetVersionId: pending.datasetVersionId, dataset: pending.datasetName });
    const progress = throttledProgress(rows, pending.datasetVersionId, of.clock, log);
    log.info('import started', { path: pending.source.path });
    try {
      const imported = await of.importer.importDataset({
        projectId: pending.projectId,
        name: pending.datasetName,
        source: pending.source,
        previous: await newestManifest(rows, pending.datasetId),
        onProgress: progress.report,
        signal: stopping.signal,
      });
      await progress.settle();
      await rows.finishImport(pending.datasetVersionId, imported);
      log.info('import finished', {
        images: imported.images,
        classes: imported.classes.length,
        digest: imported.digest,
      });
    } catch (error) {
      await progress.settle();
      if (stopping.signal.aborted) return;
      // What it relied on was deleted under it: it is imported anew.
      if (error instanceof PushforwardError && error.details['swept'] === true) throw error;
      const record = toErrorRecord(error);
      log.warn('import failed', { code: record.code, error: record.message });
      await rows.failImport(pending.datasetVersionId, record);
    }
  };

  return {
    wake() {
      wanted = true;
      if (working || stopping.signal.aborted) return;
      working = work()
        .catch(async (error: unknown) => {
          of.log.error('imports wait for the database', { error: toErrorRecord(error).message });
          await of.clock.sleep(RETRY_MS, stopping.signal);
          wanted = true;
        })
        .finally(() => {
          working = null;
          if (wanted) this.wake();
        });
    },
    async idle() {
      while (working) await working;
    },
    async close() {
      stopping.abort();
      await working;
    },
  };
}

async function newestManifest(rows: ProjectCatalog, datasetId: string): Promise<ArtifactManifest | null> {
  const versions = await rows.datasetVersionsByDataset([datasetId]);
  const newest = versions.find((version) => version.state === 'READY');
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
