import { type Clock } from '../base/clock.ts';
import { type Changes } from './changes.ts';
import { type LiveAttempt } from './core.ts';

/** Gathers what attempts report and writes it at most once per interval and stage: progress may be late or lost, moves never. */
export interface Progress {
  report(live: LiveAttempt, itemsDone: number): void;
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

  function entry(live: LiveAttempt): Map<string, number> {
    const key = `${live.runId} ${live.spec.stage}`;
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
      tx.emit({ type: 'stage.progress', payload: { stage: name, itemsDone, itemsTotal, tasksDone, tasksTotal } });
    });
  }

  return {
    report: (live, itemsDone) => void entry(live).set(live.taskId, Math.min(itemsDone, live.spec.items)),
    ended: (live) => void entry(live).delete(live.taskId),
  };
}
