import { type Clock } from '../base/clock.ts';
import { toErrorRecord } from '../base/errors.ts';
import { type Log } from '../base/log.ts';
import { carryOutImport, createPatience, MAX_DEATHS, type Patience } from './import-attempt.ts';
import { type Catalog, type DatasetImporter, type PendingImport } from './ports.ts';

/** Imports at once. One project has one of them, so that one that takes long holds up no other project. */
const AT_ONCE = 2;
/** After an error of the database itself. */
const RETRY_MS = 2000;
/** Before an import whose end could not be recorded for an hour is tried again. */
const LONG_REST_MS = 60_000;

/** Carries out imports. What is pending is in the database, so a restart takes up where it was. */
export interface ImportRunner {
  /** Looks for pending imports; called at start and after each new one. */
  wake(): void;
  /** Lets go of an import that was recorded as ended. */
  cancel(datasetVersionId: string): void;
  /** Resolves once nothing is pending. */
  idle(): Promise<void>;
  /** Stops the imports at hand, which stay pending, and waits until they let go. */
  close(): Promise<void>;
}

/** What this process knows of a pending import that it has begun. */
interface Begun {
  projectId: string;
  stop: AbortController;
  patience: Patience;
  deaths: number;
  /** Nothing else runs beside it. */
  alone: boolean;
  /** Resting ones wait out what was in their way. */
  state: 'underWay' | 'resting' | 'waiting';
  settled: Promise<void>;
}

export function createImportRunner(of: {
  catalog: Catalog;
  importer: DatasetImporter;
  clock: Clock;
  log: Log;
}): ImportRunner {
  const closing = new AbortController();
  const begun = new Map<string, Begun>();
  let wanted = false;
  let notice = () => {};
  let working: Promise<void> | null = null;

  const look = () => {
    wanted = true;
    notice();
  };

  const work = async () => {
    while (!closing.signal.aborted) {
      wanted = false;
      const pending = await pendingImports();
      if (!pending) {
        await of.clock.sleep(RETRY_MS, closing.signal);
        continue;
      }
      forget(pending);
      beginWhatMay(pending);
      if (pending.length === 0 && begun.size === 0 && !wanted) return;
      if (!wanted && !closing.signal.aborted) await new Promise<void>((wake) => (notice = wake));
    }
  };

  const pendingImports = async () => {
    try {
      return await of.catalog.pendingImports();
    } catch (error) {
      of.log.error('imports wait for the database', { error: toErrorRecord(error).message });
      return null;
    }
  };

  const forget = (pending: readonly PendingImport[]) => {
    const ids = new Set(pending.map((one) => one.datasetVersionId));
    for (const [id, one] of begun) if (one.state !== 'underWay' && !ids.has(id)) begun.delete(id);
  };

  /**
   * Oldest first. One that may have killed its services so often that the next death is its end runs alone: others that
   * ran beside it would share the blame.
   */
  const beginWhatMay = (pending: readonly PendingImport[]) => {
    for (const one of pending) {
      const known = begun.get(one.datasetVersionId);
      const underWay = [...begun.values()].filter(({ state }) => state === 'underWay');
      if (underWay.length >= AT_ONCE || underWay.some(({ alone }) => alone)) return;
      if (known?.state === 'underWay' || known?.state === 'resting') continue;
      if (underWay.some(({ projectId }) => projectId === one.projectId)) continue;
      // This process lives: what it counted of itself is no death, even where it could not be taken back.
      const deaths = known?.deaths ?? one.deaths;
      const alone = deaths >= MAX_DEATHS - 1;
      if (alone && underWay.length > 0) return;
      begin({ ...one, deaths }, alone, known?.patience ?? createPatience());
    }
  };

  const begin = (pending: PendingImport, alone: boolean, patience: Patience) => {
    const { projectId, deaths, datasetVersionId: id } = pending;
    const stop = new AbortController();
    const settled = carryOutImport(of, pending, patience, AbortSignal.any([closing.signal, stop.signal])).then(
      (waitMs) => settle(id, waitMs),
      (error: unknown) => {
        const log = of.log.with({ datasetVersionId: id });
        log.error('the end of an import could not be recorded', { error: toErrorRecord(error).message });
        settle(id, LONG_REST_MS);
      },
    );
    begun.set(id, { projectId, stop, patience, deaths, alone, state: 'underWay', settled });
  };

  const settle = (id: string, waitMs: number | null) => {
    const one = begun.get(id)!;
    if (waitMs === null) begun.delete(id);
    else {
      one.state = 'resting';
      void of.clock.sleep(waitMs, AbortSignal.any([closing.signal, one.stop.signal])).then(() => {
        one.state = 'waiting';
        look();
      });
    }
    look();
  };

  return {
    wake() {
      look();
      if (working || closing.signal.aborted) return;
      working = work().finally(() => {
        working = null;
        if (wanted) this.wake();
      });
    },
    cancel(datasetVersionId) {
      begun.get(datasetVersionId)?.stop.abort();
      look();
    },
    async idle() {
      while (working) await working;
    },
    async close() {
      closing.abort();
      look();
      await Promise.all([working, ...[...begun.values()].map(({ settled }) => settled)]);
    },
  };
}
