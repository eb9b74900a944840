import { type Clock } from '../base/clock.ts';
import { type Changes } from './changes.ts';
import { type LiveAttempt } from './core.ts';

/** Gathers what attempts report and writes it at most once per interval and stage: progress may be late or lost, moves never. */
export interface Progress {
  report(live: LiveAttempt, itemsDone: number): void;
  /** Why an attempt waits; null: it runs. That it does is recorded, however often the store is away. */
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
  /** Attempts that were said to wait or to run, each with its run and stage. */
  const standings = new Map<string, Standing>();
  const keyOf = (runId: string, stage: string) => `${runId} ${stage}`;

  function entry(runId: string, stage: string): Map<string, number> {
    const key = keyOf(runId, stage);
    let items = gathered.get(key);
    if (!items) {
      items = new Map();
      gathered.set(key, items);
      void clock
        .sleep(intervalMs, stopping)
        .then(() => write(runId, stage, key))
        .catch(() => {
          gathered.delete(key);
          if (unrecorded(key).length > 0) entry(runId, stage);
        });
    }
    return items;
  }

  const entryOf = ({ runId, spec }: LiveAttempt) => entry(runId, spec.stage);
  const unrecorded = (key: string) => [...standings].filter(([, one]) => one.key === key && !one.recorded);

  async function write(runId: string, name: string, key: string): Promise<void> {
    const items = gathered.get(key)!;
    gathered.delete(key);
    if (stopping.aborted) return;
    const due = unrecorded(key);
    await change(runId, async (tx) => {
      const before = (await tx.stages()).find((stage) => stage.name === name);
      if (tx.state() !== 'RUNNING' || before?.state !== 'RUNNING') return;
      await tx.setItemsDone(items);
      await tx.setRunning(new Map(due.map(([id, { reason }]) => [id, reason === null])));
      const { itemsDone, itemsTotal, tasksDone, tasksTotal } = await tx.recountStage(name);
      const waiting = countReasons([...standings.values()].filter((one) => one.key === key));
      tx.emit({
        type: 'stage.progress',
        payload: { stage: name, itemsDone, itemsTotal, tasksDone, tasksTotal, ...(waiting && { waiting }) },
      });
    });
    for (const [, one] of due) one.recorded = true;
  }

  return {
    report: (live, itemsDone) => void entryOf(live).set(live.taskId, Math.min(itemsDone, live.spec.items)),
    waiting(live, reason) {
      if (standings.get(live.id)?.reason === reason) return;
      standings.set(live.id, { key: keyOf(live.runId, live.spec.stage), reason, recorded: false });
      entryOf(live);
    },
    ended(live) {
      standings.delete(live.id);
      entryOf(live).delete(live.taskId);
    },
  };
}

interface Standing {
  key: string;
  /** Null: it runs. */
  reason: string | null;
  recorded: boolean;
}

function countReasons(standings: readonly Standing[]): Record<string, number> | null {
  const counts: Record<string, number> = {};
  for (const { reason } of standings) if (reason !== null) counts[reason] = (counts[reason] ?? 0) + 1;
  return Object.keys(counts).length > 0 ? counts : null;
}
