import { toErrorRecord } from '../base/errors.ts';
import { carryOut } from './attempts.ts';
import { coalesce, type Coalesced } from './coalesce.ts';
import { type Core } from './core.ts';
import { type ReadyTask } from './ports.ts';
import { type Progress } from './progress.ts';
import { createTroubles } from './troubles.ts';

export interface Dispatcher extends Coalesced {
  /** Counts an attempt that was not begun here among those under way. Its artifact is worked on by nobody else. */
  takeUp(of: { projectId: string; artifactId: string }, carry: (free: () => void) => Promise<void>): void;
  /** Resolves when no attempt is under way. */
  drained(): Promise<void>;
}

/** Tasks that are looked up before there is a slot for them, so that one which becomes free need not wait for the database. */
const AHEAD = 4;

/**
 * Fills the executor's slots with ready tasks: those of the most urgent run first, then of the oldest, as long as its project has
 * fewer under way than it may. An artifact is worked on once at a time: a second run that
 * needs it waits and then finds it published.
 */
export function createDispatcher(core: Core, progress: Progress): Dispatcher {
  /** Artifact id to the work on it; with a slot until its attempt was seen to end, which is then recorded. */
  const busy = new Map<string, Work>();
  const holders = () => [...busy.values()].filter(({ slot }) => slot);
  const ofProject = (projectId: string) => holders().filter((one) => one.projectId === projectId).length;
  const troubles = createTroubles(core);
  const { runs, log, clock, tuning } = core.options;

  const freeSlots = () => Math.max(0, core.executor.slots - holders().length);
  /** Found ready when they were last looked up: whether they still are is seen when their attempt begins. */
  let ahead: ReadyTask[] = [];

  const filling = coalesce(async () => {
    try {
      const full = new Set<string>();
      while (core.holds()) {
        const except = { exceptArtifacts: [...busy.keys()], exceptProjects: [...full] };
        const ready = await runs.readyTasks({ limit: freeSlots() + AHEAD, ...except });
        ahead = ready;
        for (const projectId of takeFromAhead()) full.add(projectId);
        if (ready.length === 0 || freeSlots() === 0) break;
      }
      await wakeForRetries();
    } catch (error) {
      log.warn('tasks could not be looked up; trying again', { error: toErrorRecord(error) });
    }
  });

  /** @returns the projects that have as many under way as they may */
  function takeFromAhead(): Set<string> {
    const full = new Set<string>();
    const left: ReadyTask[] = [];
    for (const task of ahead) {
      const { projectId, projectLimit, spec } = task;
      const { artifactId } = spec;
      if (projectLimit !== null && ofProject(projectId) >= projectLimit) full.add(projectId);
      else if (!core.holds() || freeSlots() === 0) left.push(task);
      else if (!busy.has(artifactId)) takeUp({ projectId, artifactId }, (free) => work(task, free));
    }
    ahead = left;
    return full;
  }

  function takeUp(of: { projectId: string; artifactId: string }, carry: (free: () => void) => Promise<void>): void {
    const one: Work = { projectId: of.projectId, slot: true, done: Promise.resolve() };
    busy.set(of.artifactId, one);
    const free = () => {
      one.slot = false;
      takeFromAhead();
      filling.trigger();
    };
    one.done = carry(free).finally(() => {
      busy.delete(of.artifactId);
      filling.trigger();
    });
  }

  async function work(task: ReadyTask, free: () => void): Promise<void> {
    try {
      const run = { id: task.runId, projectId: task.projectId, traceparent: task.runTraceparent };
      await core.telemetry.within(run, () => carryOut(core, progress, task, free));
      troubles.over(task.taskId);
    } catch (error) {
      if (await troubles.met({ runId: task.runId, hinders: task.taskId }, error)) core.wake(task.runId);
      else await clock.sleep(tuning.pollMs, core.stopping);
    }
  }

  let alarm: AbortController | null = null;
  async function wakeForRetries(): Promise<void> {
    const ms = core.holds() ? await runs.nextReadyInMs() : null;
    alarm?.abort();
    alarm = null;
    if (ms === null) return;
    const mine = (alarm = new AbortController());
    void clock.sleep(ms, AbortSignal.any([mine.signal, core.stopping])).then(() => {
      if (!mine.signal.aborted) filling.trigger();
    });
  }

  return {
    ...filling,
    takeUp,
    drained: async () => {
      while (busy.size > 0) await Promise.all([...busy.values()].map(({ done }) => done));
    },
  };
}

interface Work {
  projectId: string;
  slot: boolean;
  done: Promise<void>;
}
