import { type Kysely } from 'kysely';
import { notFound } from '../../base/errors.ts';
import { type RunChange, type RunStore } from '../../engine/ports.ts';
import { type StoredObjects } from '../../pipeline/ports.ts';
import { isDatabaseOutage } from './outages.ts';
import { createRunChange } from './run-change.ts';
import { writeDue } from './run-due.ts';
import { lockRuns } from './run-unit.ts';
import { type Database } from './schema.ts';

/** Transactions at once: while one waits for a lock or the disk, another goes on. */
const GROUPS = 2;
/** Changes of one transaction: a thousand attempts that are lost at once are a few of them. */
const LARGEST = 250;

interface Waiting {
  runId: string;
  taskId: string | undefined;
  work: (change: RunChange) => Promise<unknown>;
  resolve(done: { value: unknown; sequence: number }): void;
  reject(error: unknown): void;
}

/**
 * Changes that wait at the same time share a transaction, and so its statements and its commit. They happen in it one after
 * another, those of one run in the order they were asked for. Where one throws, nothing of the group remains and each is
 * done again by itself: `work` may be called twice.
 */
export function createChangeGroups(db: Kysely<Database>, objects: StoredObjects): RunStore['change'] {
  let waiting: Waiting[] = [];
  /** Runs of the groups under way. */
  const taken = new Set<string>();
  let groups = 0;
  let due = false;

  function trigger(): void {
    if (due) return;
    due = true;
    setImmediate(() => {
      due = false;
      while (groups < GROUPS && begin());
    });
  }

  function begin(): boolean {
    const group = waiting.filter(({ runId }) => !taken.has(runId)).slice(0, LARGEST);
    if (group.length === 0) return false;
    const chosen = new Set(group);
    waiting = waiting.filter((one) => !chosen.has(one));
    const runIds = new Set(group.map(({ runId }) => runId));
    for (const runId of runIds) taken.add(runId);
    groups++;
    void carryOut(group).finally(() => {
      groups--;
      for (const runId of runIds) taken.delete(runId);
      trigger();
    });
    return true;
  }

  async function carryOut(group: readonly Waiting[]): Promise<void> {
    try {
      const done = await inOneTransaction(group);
      group.forEach((one, i) => one.resolve(done[i]!));
    } catch (error) {
      if (group.length === 1 || isDatabaseOutage(error)) for (const one of group) one.reject(error);
      else for (const one of group) await carryOut([one]);
    }
  }

  function inOneTransaction(group: readonly Waiting[]): Promise<{ value: unknown; sequence: number }[]> {
    const runIds = [...new Set(group.map(({ runId }) => runId))];
    const taskIds = [...new Set(group.flatMap(({ taskId }) => taskId ?? []))];
    return db.transaction().execute(async (tx) => {
      const unit = await lockRuns(tx, objects, runIds, taskIds);
      const done: { value: unknown; sequence: number }[] = [];
      for (const { runId, work } of group) {
        const known = unit.runs.get(runId);
        if (!known) throw notFound('run', runId);
        const value = await work(createRunChange(unit, known));
        done.push({ value, sequence: known.run.eventSequence });
      }
      await writeDue(unit);
      return done;
    });
  }

  return <T>(runId: string, work: (change: RunChange) => Promise<T>, taskId?: string) =>
    new Promise<{ value: T; sequence: number }>((resolve, reject) => {
      waiting.push({ runId, taskId, work, resolve: resolve as Waiting['resolve'], reject });
      trigger();
    });
}
