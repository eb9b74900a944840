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

/**
 * Tasks that are looked up before there is a slot for them, so that one which becomes free need not wait 2 to 3 ms for the database.
 * More than tasks end in that time need not be: a more urgent run that only just came may wait for one of them.
 */
const AHEAD = 4;

/**
 * Fills the executor's slots with ready tasks: those of the most urgent run first, then of the oldest, as long as its project has
 * fewer under way than it may. An artifact is worked on once at a time: a second run that
 * needs it waits and then finds it published.
 */
export function createDispatcher(core: Core, progress: Progress): Dispatcher {
  /** The work on an artifact of a project; with a slot until its attempt was seen to end, which is then recorded. */
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
      let held: ReadyTask[] = [];
      while (core.begins()) {
        const except = { exceptArtifacts: [...busy.values()], exceptProjects: [...full] };
        const ready = await runs.readyTasks({ limit: freeSlots() + AHEAD, ...except });
        ahead = [...held, ...ready];
        for (const projectId of takeFromAhead()) full.add(projectId);
        // More urgent than what comes instead of them, once their project may.
        held = ahead.filter(({ projectId }) => full.has(projectId));
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
      const of = { projectId, artifactId: spec.artifactId };
      if (busy.has(keyOf(of))) continue;
      const fullProject = projectLimit !== null && ofProject(projectId) >= projectLimit;
      if (fullProject) full.add(projectId);
      if (fullProject || !core.begins() || freeSlots() === 0) left.push(task);
      else takeUp(of, (free) => work(task, free));
    }
    ahead = left;
    return full;
  }

  function takeUp(of: { projectId: string; artifactId: string }, carry: (free: () => void) => Promise<void>): void {
    const one: Work = { ...of, slot: true, done: Promise.resolve() };
    busy.set(keyOf(of), one);
    const free = () => {
      one.slot = false;
      takeFromAhead();
      filling.trigger();
    };
    one.done = carry(free).finally(() => {
      busy.delete(keyOf(of));
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

const keyOf = ({ projectId, artifactId }: { projectId: string; artifactId: string }) => `${projectId}/${artifactId}`;

interface Work {
  projectId: string;
  artifactId: string;
  slot: boolean;
  done: Promise<void>;
}
