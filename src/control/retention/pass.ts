import { throwIfAborted } from '../../base/abort.ts';
import { mapLimited } from '../../base/map-limited.ts';
import { type Clock } from '../../base/clock.ts';
import { PushforwardError } from '../../base/errors.ts';
import { type Log } from '../../base/log.ts';
import { artifactKey, blobKey } from '../../pipeline/artifacts.ts';
import { ordersPrefix, type ObjectStore } from '../../pipeline/ports.ts';
import { DELETIONS_AT_ONCE, deleteCondemned, TAKE_OVER_MS } from './deletion.ts';
import { findOrphans, HOUR_MS, oldBefore, type Orphan, type OrphanKind, type OrphanReport } from './orphans.ts';
import { type PassClaim, type ProjectRetention, type RetentionStore, type Tally } from './rows.ts';

export interface PassOptions {
  retention: RetentionStore;
  store: ObjectStore;
  clock: Clock;
  log: Log;
  /** How long to wait for another pass over the project to end; default: not at all. */
  patienceMs?: number;
}

/** What a pass did; bytes are those of the store. */
export interface PassReport {
  /** Doomed by this pass. `bytes` are those of the artifacts, shared blobs counted each time. */
  doomed: Tally;
  /** Doomed before and kept after all. */
  rescued: number;
  /** Deleted by this pass, and what came free. */
  deleted: Tally;
  /** Null where the store was not swept. */
  orphans: OrphanSweep | null;
}

export interface OrphanSweep extends OrphanReport {
  deleted: { count: number; bytes: number };
  /** Blobs were left: an import that is under way may be about to name them. */
  importing: boolean;
}

const SWEEP_EVERY_MS = 24 * HOUR_MS;
/** What nobody refers to for so long is nobody's. */
export const ORPHAN_HOURS = 24;
const DELETIONS = 200;
const TAKE_OVERS = 1000;
/** Nobody takes so long from looking an artifact up to recording it. */
const FORGET_MS = 24 * HOUR_MS;

/**
 * One pass over a project: ends deletions that were begun and not ended, dooms what the policy does not keep, deletes
 * what has been doomed for its grace period, and once a day sweeps what nobody refers to. Whatever moment it dies at,
 * the next pass goes on from the rows: an artifact is DOOMED (nothing has happened), or DELETED with its objects
 * condemned (they go), or DELETED with its objects gone. Without a policy only what was begun is ended.
 *
 * Why nothing that is needed goes, whoever works at the same time:
 * - every decision is a transaction that has the project's lock alone, and asks then what holds an artifact;
 * - whoever comes to hold one (records it, launches on it, pins it) shares that lock: he rescues what is DOOMED, and is
 *   refused what is DELETED or condemned; a run then looks it up again, finds nothing, and makes it;
 * - an object is deleted only after the decision was committed, so nobody can record it between decision and deletion;
 * - what a worker wrote and nobody has recorded has no row: it is protected by its age, and while any attempt that began
 *   before it runs; where it relies on an old blob that goes, the service finds its manifest wanting before it records it, and the task is tried again.
 *
 * @throws NOT_READY where another pass over the project is under way, and does not end in time
 */
export function retentionPass(of: PassOptions, projectId: string, signal: AbortSignal): Promise<PassReport> {
  return claimed(of, projectId, signal, async (signal) => {
    const rows = of.retention.project(projectId);
    await endInterrupted(of, rows, signal);
    const now = of.clock.now();
    const policy = await rows.policy();
    if (!policy) return { doomed: NONE, rescued: 0, deleted: NONE, orphans: null };
    const { doomed, rescued } = await rows.mark(policy, now, signal);
    const doomedBefore = new Date(now.getTime() - policy.graceHours * HOUR_MS);
    const deleted = await deleteDoomed(of, rows, doomedBefore, signal);
    const last = await rows.lastSweep();
    const due = !last || now.getTime() - last.getTime() >= SWEEP_EVERY_MS;
    const orphans = due ? await sweepRows(of, projectId, ORPHAN_HOURS, signal) : null;
    return { doomed, rescued, deleted, orphans };
  });
}

/** Deletes what lies in the store, is older than so many hours, and nobody refers to. @throws as `retentionPass` */
export function sweepOrphans(
  of: PassOptions,
  projectId: string,
  olderThanHours: number,
  signal: AbortSignal,
): Promise<OrphanSweep> {
  return claimed(of, projectId, signal, async (signal) => {
    await endInterrupted(of, of.retention.project(projectId), signal);
    return await sweepRows(of, projectId, olderThanHours, signal);
  });
}

const NONE: Tally = { artifacts: 0, bytes: 0 };

const ASK_AGAIN_MS = 200;

async function claimed<T>(
  { retention, clock, patienceMs = 0 }: PassOptions,
  projectId: string,
  signal: AbortSignal,
  /** Its signal also aborts where the claim is lost; it is asked between the batches of a pass. */
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const giveUpMs = clock.now().getTime() + patienceMs;
  let claim: PassClaim | null = null;
  for (;;) {
    throwIfAborted(signal);
    claim = await retention.claimPass(projectId);
    if (claim || clock.now().getTime() >= giveUpMs) break;
    await clock.sleep(ASK_AGAIN_MS, signal);
  }
  if (!claim) {
    throw new PushforwardError(
      'NOT_READY',
      `expected no retention pass over project ${projectId}, got one that is under way: wait until it has ended`,
    );
  }
  try {
    return await work(AbortSignal.any([signal, claim.lost]));
  } catch (error) {
    if (!claim.lost.aborted || signal.aborted) throw error;
    throw new PushforwardError(
      'DATABASE_UNAVAILABLE',
      `expected to hold the pass over project ${projectId} until it ends, got its connection to the database lost: the next pass goes on`,
      {},
      { cause: error },
    );
  } finally {
    await claim.release();
  }
}

async function endInterrupted(of: PassOptions, rows: ProjectRetention, signal: AbortSignal): Promise<void> {
  await rows.forgetGone(FORGET_MS);
  for (;;) {
    const taken = await rows.takeInterrupted(TAKE_OVER_MS, TAKE_OVERS);
    if (taken.keys.length === 0) return;
    of.log.info('a deletion that was interrupted goes on', { objects: taken.keys.length });
    await deleteCondemned({ ...of, rows }, taken, signal);
  }
}

async function deleteDoomed(
  of: PassOptions,
  rows: ProjectRetention,
  doomedBefore: Date,
  signal: AbortSignal,
): Promise<Tally> {
  const total = { ...NONE };
  for (;;) {
    throwIfAborted(signal);
    const deleted = await rows.deleteDoomed(doomedBefore, of.clock.now(), DELETIONS);
    if (deleted.artifacts === 0) return total;
    await deleteCondemned({ ...of, rows }, deleted, signal);
    total.artifacts += deleted.artifacts;
    total.bytes += deleted.bytes;
  }
}

async function sweepRows(
  of: PassOptions,
  projectId: string,
  olderThanHours: number,
  signal: AbortSignal,
): Promise<OrphanSweep> {
  const rows = of.retention.project(projectId);
  const startedAt = of.clock.now();
  const deleted = { count: 0, bytes: 0 };
  const count = ({ bytes }: Orphan) => {
    deleted.count++;
    deleted.bytes += bytes;
  };
  const remove = async (kind: OrphanKind, orphans: Orphan[]): Promise<string[]> => {
    if (kind === 'orders') {
      // Nobody writes one anew, so nobody need know of the decision.
      await mapLimited(orphans, DELETIONS_AT_ONCE, async (orphan) => {
        throwIfAborted(signal);
        await of.store.delete(ordersPrefix(projectId) + orphan.name);
        count(orphan);
      });
      return [];
    }
    const condemned = await rows.condemnOrphans(
      kind === 'manifests'
        ? { kind, ids: orphans.map(({ name }) => name) }
        : { kind, blobs: orphans.map(({ name, bytes }) => ({ sha256: name, bytes })) },
    );
    await deleteCondemned({ ...of, rows }, condemned, signal);
    const gone = new Set(condemned.keys);
    const keyOf = kind === 'manifests' ? artifactKey : blobKey;
    const stayed: string[] = [];
    for (const orphan of orphans) {
      if (gone.has(keyOf(projectId, orphan.name))) count(orphan);
      else stayed.push(orphan.name);
    }
    return stayed;
  };
  const report = await findOrphans({
    store: of.store,
    rows,
    projectId,
    oldBefore: await oldBefore(rows, startedAt, olderThanHours),
    signal,
    remove,
  });
  await rows.swept(startedAt);
  return { ...report, deleted, importing: await rows.importing() };
}
