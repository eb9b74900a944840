import { crashPoint } from '../base/crash-points.ts';
import { toErrorRecord } from '../base/errors.ts';
import { cancelAttempt, type Core } from './core.ts';
import { decide, type Step } from './decide.ts';
import { planStage } from './plan.ts';
import { type RunRecord, type RunSnapshot } from './ports.ts';
import { publishStage } from './publish.ts';
import { endStop, secondsSince } from './stop.ts';
import { createTroubles } from './troubles.ts';

export interface Reconciler {
  /** Takes a run as far as it goes without waiting. Does not throw: what hinders it is logged and tried again at the next call. */
  reconcile(runId: string): Promise<void>;
}

export function createReconciler(core: Core): Reconciler {
  const { runs, clock, log, releaseDeadlineMs } = core.options;
  /** When this engine first saw a run stopping, in the clock's milliseconds. */
  const stoppingSince = new Map<string, number>();
  const troubles = createTroubles(core);

  async function reconcile(runId: string): Promise<void> {
    try {
      for (;;) {
        if (!core.holds()) return;
        const snapshot = await runs.snapshot(runId);
        if (!snapshot) return;
        const step = decide(snapshot);
        if (!(await core.telemetry.within(snapshot.run, () => take(step, snapshot)))) return;
      }
    } catch (error) {
      if (core.stopping.aborted) return;
      log.error('a run could not be moved; trying again', { run: runId, error: toErrorRecord(error) });
    }
  }

  /** Returns whether to look again at once. */
  async function take(step: Step, snapshot: RunSnapshot): Promise<boolean> {
    const { run } = snapshot;
    switch (step.kind) {
      case 'begin':
        await core.change(run.id, async (change) => {
          if (change.state() !== 'QUEUED') return;
          await change.moveRun('RUNNING', { started: true });
          change.emit({ type: 'run.started', payload: {} });
        });
        crashPoint('run.begun');
        return true;
      case 'plan':
        return guarded(run.id, () => planStage(core, run, step.stage));
      case 'publish':
        return guarded(run.id, () => publishStage(core, run, step.stage));
      case 'succeed':
        return !(await succeed(run));
      case 'release':
        return release(snapshot);
      case 'end':
        await end(snapshot, []);
        return false;
      case 'wait':
        return false;
    }
  }

  /** Planning and publishing touch the store and the user's input. */
  async function guarded(runId: string, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
      troubles.over(runId);
      return true;
    } catch (error) {
      return !core.stopping.aborted && troubles.met({ runId, hinders: runId }, error);
    }
  }

  /** Makes every attempt stop. Past the deadline the run ends without evidence, and stopping is tried on. */
  async function release(snapshot: RunSnapshot): Promise<boolean> {
    const { run, runningAttempts } = snapshot;
    for (const live of core.live.values()) if (live.runId === run.id) cancelAttempt(live);
    if (run.state !== 'STOPPING') return false;
    const now = clock.now().getTime();
    const since = stoppingSince.get(run.id) ?? now;
    stoppingSince.set(run.id, since);
    if (now - since < releaseDeadlineMs) return false;
    const unconfirmed = runningAttempts.map((attempt) => attempt.id);
    log.error('a run ended without evidence that its attempts are gone', { run: run.id, attempts: unconfirmed });
    await end(snapshot, unconfirmed);
    return false;
  }

  /** False if it was stopped meanwhile. */
  async function succeed(run: RunRecord): Promise<boolean> {
    const ended = await core.change(run.id, async (change) => {
      if (change.state() !== 'RUNNING') return null;
      await change.moveRun('SUCCEEDED', { ended: true });
      const payload = { seconds: secondsSince(clock, run.startedAt), costUsd: change.run.costUsd };
      change.emit({ type: 'run.succeeded', payload });
      return change.run;
    });
    crashPoint('run.ended');
    if (ended) core.telemetry.runEnded(ended, 'SUCCEEDED', null);
    return ended !== null;
  }

  async function end({ run }: RunSnapshot, unconfirmed: string[]): Promise<void> {
    const ended = await core.change(run.id, async (change) =>
      change.state() === 'STOPPING' ? { current: await endStop(change, clock, unconfirmed) } : null,
    );
    stoppingSince.delete(run.id);
    if (!ended) return;
    const { current } = ended;
    if (current?.state === 'RUNNING') {
      const seconds = secondsSince(clock, current.startedAt);
      const attributes = { 'pushforward.cost.usd': current.costUsd, 'pushforward.stage.seconds': seconds };
      core.telemetry.stageEnded(run, current.name, attributes, run.failure);
    }
    core.telemetry.runEnded(run, run.failure ? 'FAILED' : 'CANCELLED', run.failure);
  }

  return { reconcile };
}
