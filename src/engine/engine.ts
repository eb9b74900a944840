import { crashPoint } from '../base/crash-points.ts';
import { notFound, PushforwardError, toErrorRecord } from '../base/errors.ts';
import { newId } from '../base/ids.ts';
import { createAdoption } from './adopt.ts';
import { createChanges } from './changes.ts';
import { coalesce, type Coalesced } from './coalesce.ts';
import { cancelAttempt, letGo, type Core } from './core.ts';
import { createDispatcher } from './dispatch.ts';
import { createLeases } from './leases.ts';
import { type Engine, type EngineOptions } from './options.ts';
import { type LaunchRequest, type Overspent, type RunRecord, type ServiceClaim } from './ports.ts';
import { createProgress } from './progress.ts';
import { createReconciler } from './reconciler.ts';
import { failureOf } from './retry.ts';
import { isFinal } from './states.ts';
import { beginStop } from './stop.ts';
import { createTelemetry } from './telemetry.ts';

export function createEngine(given: EngineOptions): Engine {
  const options = { ...given, tuning: { pollMs: 1000, backoffMs: 1000, progressMs: 250, ...given.tuning } };
  const { runs, planner, clock, log, lease, tuning } = options;
  const listeners = new Set<(runId: string, sequence: number) => void>();
  const stopping = new AbortController();
  const closed = new AbortController();
  const telemetry = createTelemetry({ figures: options.figures, log });
  const change = createChanges(runs, notify, telemetry.runMoved);
  const core: Core = {
    options,
    executor: options.executors[0],
    change,
    telemetry,
    live: new Map(),
    wake,
    holds: () => !stopping.signal.aborted && (claim?.held() ?? false),
    begins: () => core.holds() && adopted,
    stopping: stopping.signal,
    closed: closed.signal,
  };
  const progress = createProgress({ change, clock, intervalMs: tuning.progressMs, stopping: stopping.signal });
  const dispatcher = createDispatcher(core, progress);
  const reconciler = createReconciler(core);
  const leases = createLeases(core, createAdoption(core, progress, dispatcher));
  const sweeping = coalesce(() =>
    leases.sweep().catch((error: unknown) => trouble('leases could not be looked at', error)),
  );
  /** Runs this engine looks at. */
  const loops = new Map<string, Coalesced>();
  let claim: ServiceClaim | null = null;
  let adopted = false;
  let beats: Promise<unknown> | null = null;

  return {
    async launch(request) {
      const { run, created } = await telemetry.launch(request, async (traceparent) => {
        const id = newId('run', clock.now().getTime());
        const launched = await runs.insertRun({ ...request, id, traceparent, stages: planner.stages(request.recipe) });
        if (!launched.created && launched.run.fingerprint !== request.fingerprint) {
          throw conflict(request, launched.run);
        }
        return launched;
      });
      if (created) {
        crashPoint('launch.recorded');
        telemetry.runMoved('QUEUED');
        notify(run.id, 1);
        wake(run.id);
      }
      return { run, created };
    },

    async cancel(projectId, runId) {
      const found = await runs.findRun(projectId, runId);
      if (!found) throw notFound('run', runId);
      if (isFinal('run', found.state)) return found;
      await change(runId, async (tx) => {
        if (isFinal('run', tx.state()) || tx.run.cancelRequested) return;
        await tx.setRun({ cancelRequested: true });
        if (tx.state() !== 'STOPPING') await beginStop(tx, null);
      });
      crashPoint('cancel.recorded');
      wake(runId);
      return (await runs.findRun(projectId, runId))!;
    },

    async start() {
      if (beats) return;
      try {
        await look();
      } catch (error) {
        await release();
        throw error;
      }
      beats = Promise.all([repeat(tuning.pollMs, look), repeat(lease.renewEveryMs, renew)]);
    },

    async stop() {
      stopping.abort();
      for (const live of [...core.live.values()]) letGo(core, live);
      const quiet = Promise.all([
        beats,
        dispatcher.drained(),
        dispatcher.idle(),
        sweeping.idle(),
        ...[...loops.values()].map((loop) => loop.idle()),
      ]);
      const patience = new AbortController();
      await Promise.race([quiet, clock.sleep(options.releaseDeadlineMs, patience.signal)]);
      patience.abort();
      closed.abort();
      await telemetry.close();
      await release();
    },

    wake,
    events: {
      subscribe(listener) {
        listeners.add(listener);
        return () => void listeners.delete(listener);
      },
    },
  };

  function wake(runId: string): void {
    if (!core.holds()) return;
    let loop = loops.get(runId);
    if (!loop) {
      loop = coalesce(async () => {
        await reconciler.reconcile(runId);
        dispatcher.trigger();
      });
      loops.set(runId, loop);
    }
    loop.trigger();
  }

  /** Looks at every run that is not finished, and at those whose attempts are still to be seen gone. */
  async function look(): Promise<void> {
    if (!claim?.held()) {
      const lost = claim !== null;
      adopted = false;
      claim = await runs.claim();
      if (!claim) {
        // It adopts what this one began, or gives it up and begins it anew.
        for (const live of [...core.live.values()]) letGo(core, live);
        return log.debug('another service moves the runs; standing by');
      }
      log.info(lost ? 'moving runs again' : 'moving runs', { owner: options.ownerId });
      core.executor.prepare?.();
    }
    if (!adopted) {
      await leases.adopt();
      adopted = true;
      sweeping.trigger();
    }
    await stopOverdue();
    await stopOverspent();
    const active = new Set([...(await runs.activeRuns()), ...[...core.live.values()].map((live) => live.runId)]);
    for (const runId of active) wake(runId);
    for (const [runId, loop] of loops) if (!active.has(runId) && !loop.busy()) loops.delete(runId);
    dispatcher.trigger();
  }

  /** What takes longer than its run allows, by the clock of the store. */
  async function stopOverdue(): Promise<void> {
    const overdue = await runs.overdue();
    for (const id of overdue.attempts) {
      const live = core.live.get(id);
      if (!live || live.settling || live.cancelAsked) continue;
      live.overdue = true;
      cancelAttempt(live);
    }
    for (const runId of overdue.runs) {
      await change(runId, async (tx) => {
        if (tx.state() === 'RUNNING') await beginStop(tx, failureOf(overdueRun(tx.run)));
      });
    }
  }

  /** What costs more than its run, or its project in this month, may. */
  async function stopOverspent(): Promise<void> {
    for (const one of await runs.overspent()) {
      await change(one.runId, async (tx) => {
        if (tx.state() === 'RUNNING') await beginStop(tx, failureOf(overspentRun(one)));
      });
    }
  }

  async function release(): Promise<void> {
    await claim?.release();
    claim = null;
  }

  async function renew(): Promise<void> {
    await leases.renew();
    if (core.holds()) sweeping.trigger();
  }

  async function repeat(everyMs: number, work: () => Promise<void>): Promise<void> {
    for (;;) {
      await clock.sleep(everyMs, stopping.signal);
      if (stopping.signal.aborted) return;
      await work().catch((error: unknown) => trouble('the database could not be asked; trying again', error));
    }
  }

  function notify(runId: string, sequence: number): void {
    for (const listener of listeners) {
      try {
        listener(runId, sequence);
      } catch (error) {
        trouble('a listener failed', error);
      }
    }
  }

  function trouble(message: string, error: unknown): void {
    log.warn(message, { error: toErrorRecord(error) });
  }
}

function overdueRun({ id, limits }: RunRecord): PushforwardError {
  return new PushforwardError(
    'TIMEOUT',
    `expected run ${id} to end within ${limits.runSeconds} seconds, got no end: retry it with a larger limits.runSeconds; what it published is reused`,
    { runId: id, runSeconds: limits.runSeconds },
  );
}

function overspentRun({ runId, of, spentUsd, budgetUsd }: Overspent): PushforwardError {
  const [what, remedy] =
    of === 'RUN'
      ? [`run ${runId}`, 'retry it with a larger limits.costUsd']
      : ["the project's runs of this month", 'raise the budget of the project and retry the run'];
  return new PushforwardError(
    'BUDGET_EXCEEDED',
    `expected ${what} to cost at most ${budgetUsd} US dollars, got ${Number(spentUsd.toPrecision(4))} so far: ${remedy}; what was published is reused`,
    { runId, of, spentUsd, budgetUsd },
  );
}

function conflict(request: LaunchRequest, run: RunRecord): PushforwardError {
  return new PushforwardError(
    'IDEMPOTENCY_CONFLICT',
    `expected the request that idempotency key ${request.idempotencyKey} was first used with (run ${run.id}), got another: use a new key`,
    { runId: run.id, idempotencyKey: request.idempotencyKey },
  );
}
