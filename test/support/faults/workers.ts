import { setTimeout as delay } from 'node:timers/promises';
import { isAlive, signalProcess, type ProcessIdentity } from '../../../src/base/process-identity.ts';
import { until } from '../until.ts';
import { type World } from './world.ts';

export interface StoppedWorker extends ProcessIdentity {
  attemptId: string;
}

/** Long enough that the outcome of a task that had ended would be recorded. */
const SETTLED_MS = 1_500;

/** Stops the worker of an attempt of this run in the middle of it. */
export async function stopWorker(world: World, runId: string): Promise<StoppedWorker> {
  const worker = await stopAnother(world, runId);
  if (!worker) throw new Error('expected a worker in the middle of an attempt, got a run that ended');
  return worker;
}

/** The same where a worker was stopped before: null once the run has ended, which may leave none in the middle of anything. */
export async function stopAnother(world: World, runId: string): Promise<StoppedWorker | null> {
  const found = await until(
    async () => {
      const [run] = await world.query<{ ended: boolean }>(
        'select ended_at is not null as ended from runs where id = $1',
        [runId],
      );
      if (run!.ended) return { worker: null };
      const running = () =>
        world.query<{ id: string; reference: ProcessIdentity }>(
          `select id, reference from attempts where run_id = $1 and state = 'RUNNING' and reference is not null`,
          [runId],
        );
      const [found] = await running();
      if (!found) return null;
      const worker = { ...found.reference, attemptId: found.id };
      signalProcess(worker, 'SIGSTOP');
      await delay(SETTLED_MS);
      const inTime = (await running()).some(({ id }) => id === worker.attemptId) && isAlive(worker);
      if (!inTime) signalProcess(worker, 'SIGCONT');
      return inTime ? { worker } : null;
    },
    'a worker in the middle of an attempt',
    60_000,
  );
  return found.worker;
}

/** Waits until the attempt has ended. @returns its state */
export function attemptEnded(world: World, attemptId: string): Promise<string> {
  return until(
    async () => {
      const [row] = await world.query<{ state: string }>('select state from attempts where id = $1', [attemptId]);
      return row!.state === 'RUNNING' ? null : row!.state;
    },
    `attempt ${attemptId} to end`,
    60_000,
  );
}
