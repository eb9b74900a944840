import { canRun, isAlive, type ProcessIdentity } from '../../../src/base/process-identity.ts';
import { until } from '../until.ts';
import { type World } from './world.ts';

export interface StoppedWorker extends ProcessIdentity {
  attemptId: string;
}

/** Stops the next worker that comes to a point in the middle of its attempt; by default before it would publish its manifest. */
export async function stopWorker(
  world: World,
  runId: string,
  point: 'order.taken' | 'manifest.unpublished' = 'manifest.unpublished',
): Promise<StoppedWorker> {
  await world.armStop(point);
  return until(
    async () => {
      const running = await world.query<{ id: string; reference: ProcessIdentity }>(
        `select id, reference from attempts where run_id = $1 and state = 'RUNNING' and reference is not null`,
        [runId],
      );
      const stopped = running.find(({ reference }) => isAlive(reference) && !canRun(reference));
      return stopped && { ...stopped.reference, attemptId: stopped.id };
    },
    'a worker to stop in the middle of an attempt',
    60_000,
  );
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
