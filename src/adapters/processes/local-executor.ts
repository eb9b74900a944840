import { setTimeout as delay } from 'node:timers/promises';
import { type JsonObject } from '../../base/json.ts';
import { type Log } from '../../base/log.ts';
import { hostIdentity, isAlive, signalProcess, type ProcessIdentity } from '../../base/process-identity.ts';
import { type Executor, priceOn } from '../../engine/ports.ts';
import { startWorker, type WorkerProcess } from './worker-process.ts';

export interface LocalExecutorOptions {
  /** Worker processes at once. */
  slots: number;
  /** Price of one slot. */
  priceUsdPerHour: number;
  /** The module that calls `serveOrders`. */
  workerPath: string;
  /** Node options of the workers, for example a loader. */
  execArgv?: string[];
  /** The workers' whole environment. */
  env: NodeJS.ProcessEnv;
  log: Log;
  /** How long a worker of another host may go on after its service lost the runs: its lease, and the time that it has to end. */
  goneElsewhereAfterMs: number;
  /** From asking a worker to stop to SIGKILL; default 5000. */
  killAfterMs?: number;
  /** How long a worker waits for another order; default 10 000. */
  idleMs?: number;
  /** A worker ends after so many orders, since model sessions leak; default 200. */
  ordersPerWorker?: number;
  /** A worker that held no more than this during its last order goes on to another stage; default 512 MiB. */
  keepBelowBytes?: number;
}

/**
 * Carries out attempts in child processes on this machine. A process is used again for orders of the same stage, so that
 * models stay loaded; for those of another stage where it is small, so that its models do not add up with those before: with a fresh process
 * for each stage a run of the letters took 5% more, for code that was cold. Once prepared, one fresh process (60 MB) always waits, so that no
 * order waits half a second for a process to load its modules.
 */
export function createLocalExecutor(options: LocalExecutorOptions): Executor {
  const { killAfterMs = 5_000, idleMs = 10_000, ordersPerWorker = 200, keepBelowBytes = 512 * 2 ** 20 } = options;
  const { workerPath, execArgv = [], env, log, goneElsewhereAfterMs } = options;
  const host = hostIdentity();
  const price = priceOn({ local: options.priceUsdPerHour }, 'local');
  const all = new Set<WorkerProcess>();
  const idle = new Map<WorkerProcess, { stage: string; timer: NodeJS.Timeout }>();

  /** Attempts of another host that were asked about, by `performance.now()` of the first time. */
  const elsewhere = new Map<string, number>();

  /** The fresh process that waits; undefined until it is asked for. */
  let spare: Promise<WorkerProcess | null> | undefined;
  let closed = false;

  function prepare(): void {
    if (closed) return;
    spare = start().catch((error: unknown) => {
      log.debug('a worker could not be started ahead', { error: String(error) });
      return null;
    });
  }

  async function fresh(): Promise<WorkerProcess> {
    const waiting = spare;
    if (waiting) prepare();
    const worker = await waiting;
    if (worker?.alive()) return worker;
    worker?.end();
    return start();
  }

  async function start(): Promise<WorkerProcess> {
    const worker = await startWorker({ workerPath, execArgv, env, log, killAfterMs });
    all.add(worker);
    void worker.gone.then(() => {
      all.delete(worker);
      leaveIdle(worker);
    });
    // It was under way when the others were told to end.
    if (closed) worker.end();
    return worker;
  }

  async function take(stage: string): Promise<WorkerProcess> {
    const fits = [...idle].filter(([worker, waiting]) => {
      if (worker.alive() && (waiting.stage === stage || worker.peakMemoryBytes() <= keepBelowBytes)) return true;
      leaveIdle(worker);
      worker.end();
      return false;
    });
    const [worker] = fits.find(([, waiting]) => waiting.stage === stage) ?? fits[0] ?? [];
    if (!worker) return fresh();
    leaveIdle(worker);
    return worker;
  }

  function leaveIdle(worker: WorkerProcess): void {
    clearTimeout(idle.get(worker)?.timer);
    idle.delete(worker);
  }

  function giveBack(worker: WorkerProcess, stage: string): void {
    if (!all.has(worker)) return;
    if (worker.orders() >= ordersPerWorker) return worker.end();
    const timer = setTimeout(() => {
      leaveIdle(worker);
      worker.end();
    }, idleMs);
    timer.unref();
    idle.set(worker, { stage, timer });
  }

  /** Nobody here can see it; it ends with its service, or once that has lost the runs. */
  function goneElsewhere(attemptId: string): boolean {
    const now = performance.now();
    const since = elsewhere.get(attemptId) ?? now;
    elsewhere.set(attemptId, since);
    if (now - since < goneElsewhereAfterMs) return false;
    elsewhere.delete(attemptId);
    return true;
  }

  return {
    name: 'local',
    slots: options.slots,
    price: () => price,

    prepare() {
      if (!spare) prepare();
    },

    async start(order, observer) {
      const { stage } = order.task;
      const worker = await take(stage);
      let settled = false;
      const outcome = worker.carryOut(order, observer).then((seen) => {
        settled = true;
        giveBack(worker, stage);
        return seen;
      });
      return {
        reference: { host, pid: worker.identity.pid, startTime: worker.identity.startTime },
        outcome,
        alive: () => worker.alive(),
        cancel() {
          // Once it has answered, the process may be at the next order.
          if (!settled) worker.end();
        },
      };
    },

    async release(reference) {
      // A release before this one told no host.
      if ((reference['host'] ?? host) !== host) return goneElsewhere(String(reference['attemptId']));
      return release(reference, killAfterMs);
    },

    async close() {
      closed = true;
      await spare;
      for (const worker of all) worker.end();
      await Promise.all([...all].map((worker) => worker.gone));
    },
  };
}

/** Nothing to find without a process id: the service died before the worker had one, and it ended with its channel. */
async function release(reference: JsonObject, limitMs: number): Promise<boolean> {
  const { pid, startTime } = reference;
  if (typeof pid !== 'number') return true;
  const worker: ProcessIdentity = { pid, startTime: typeof startTime === 'number' ? startTime : null };
  // Without its start time it may be another's process by now: it is waited for, never killed.
  if (worker.startTime !== null) signalProcess(worker, 'SIGKILL');
  for (const deadline = performance.now() + limitMs; isAlive(worker); await delay(25)) {
    if (performance.now() > deadline) return false;
  }
  return true;
}
