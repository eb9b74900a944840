/** The short form of the fault tests; `npm run test:faults` is the long one. */
import { expect, it } from 'vitest';
import { isAlive } from '../../src/base/process-identity.ts';
import { faultSuite } from '../support/faults/suite.ts';
import { attemptEnded, stopWorker } from '../support/faults/workers.ts';
import { until } from '../support/until.ts';

const suite = faultSuite();

it('a run survives deaths of its service and its workers, a worker that is stopped, and cut connections', async () => {
  await suite.survives(
    async (world, runId) => {
      await until(async () => (await world.armed()).length === 0, 'all points to be reached', 120_000);
      const worker = await stopWorker(world, runId);
      expect(suite.postgres.proxy.cut()).toBeGreaterThan(0);
      expect(await attemptEnded(world, worker.attemptId)).toBe('LOST');
      expect(isAlive(worker)).toBe(false);
      expect(world.replicas[0]!.deaths()).toBe(2);
    },
    { arm: ['launch.recorded', 'settle.uncommitted', 'blob.put', 'manifest.published'] },
  );
});
