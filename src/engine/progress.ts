import { type Clock } from '../base/clock.ts';
import { type Changes } from './changes.ts';
import { type LiveAttempt } from './core.ts';

/** Gathers what attempts report and writes it at most once per interval and stage: progress may be late or lost, moves never. */
export interface Progress {
  report(live: LiveAttempt, itemsDone: number): void;
  /** Why an attempt waits; null: it does no more. */
  waiting(live: LiveAttempt, reason: string | null): void;
  /** An attempt ended: its stage's counts are due, its own are not. */
  ended(live: LiveAttempt): void;
}

export function createProgress(of: {
  change: Changes;
  clock: Clock;
  intervalMs: number;
  stopping: AbortSignal;
}): Progress {
  const { change, clock, intervalMs, stopping } = of;
  /** Run and stage to items done by task; an entry means that a write is due. */
  const gathered = new Map<string, Map<string, number>>();
  /** Attempts that wait, each with its run and stage and the reason. */
  const waits = new Map<string, { key: string; reason: string }>();
  const keyOf = (live: LiveAttempt) => `${live.runId} ${live.spec.stage}`;

  function entry(live: LiveAttempt): Map<string, number> {
    const key = keyOf(live);
    let items = gathered.get(key);
    if (!items) {
      items = new Map();
      gathered.set(key, items);
      void clock
        .sleep(intervalMs, stopping)
        .then(() => write(live.runId, live.spec.stage, key))
        .catch(() => gathered.delete(key));
    }
    return items;
  }

  async function write(runId: string, name: string, key: string): Promise<void> {
    const items = gathered.get(key)!;
    gathered.delete(key);
    if (stopping.aborted) return;
    await change(runId, async (tx) => {
      const before = (await tx.stages()).find((stage) => stage.name === name);
      if (tx.state() !== 'RUNNING' || before?.state !== 'RUNNING') return;
      await tx.setItemsDone(items);
      const { itemsDone, itemsTotal, tasksDone, tasksTotal } = await tx.recountStage(name);
      const waiting = countReasons([...waits.values()].filter((wait) => wait.key === key));
      tx.emit({
        type: 'stage.progress',
        payload: { stage: name, itemsDone, itemsTotal, tasksDone, tasksTotal, ...(waiting && { waiting }) },
      });
    });
  }

  return {
    report: (live, itemsDone) => void entry(live).set(live.taskId, Math.min(itemsDone, live.spec.items)),
    waiting(live, reason) {
      if ((waits.get(live.id)?.reason ?? null) === reason) return;
      if (reason === null) waits.delete(live.id);
      else waits.set(live.id, { key: keyOf(live), reason });
      entry(live);
    },
    ended(live) {
      waits.delete(live.id);
      entry(live).delete(live.taskId);
    },
  };
}

function countReasons(waits: { reason: string }[]): Record<string, number> | null {
  if (waits.length === 0) return null;
  const counts: Record<string, number> = {};
  for (const { reason } of waits) counts[reason] = (counts[reason] ?? 0) + 1;
  return counts;
}
