/** Workers and services that are killed, or stopped and let go on. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { isAlive, signalProcess } from '../../src/base/process-identity.ts';
import { faultSuite } from '../support/faults/suite.ts';
import { attemptEnded, stopAnother, stopWorker } from '../support/faults/workers.ts';
import { until } from '../support/until.ts';

const suite = faultSuite();

it('a worker that is stopped and wakes after its lease is lost disturbs nothing', async () => {
  await suite.survives(async (world, runId) => {
    const worker = await stopWorker(world, runId);
    await until(
      async () =>
        (await world.query(`select 1 from attempts where id = $1 and lease_expires_at < now()`, [worker.attemptId]))
          .length,
      'its lease to run out',
    );
    // The service looks twice a second; it kills what does not go within five.
    await delay(1_500);
    signalProcess(worker, 'SIGCONT');
    expect(await attemptEnded(world, worker.attemptId)).toBe('LOST');
    expect(isAlive(worker)).toBe(false);
  });
});

it('a worker that is stopped for less than its lease goes on with it', async () => {
  await suite.survives(
    async (world, runId) => {
      const worker = await stopWorker(world, runId);
      signalProcess(worker, 'SIGCONT');
      expect(await attemptEnded(world, worker.attemptId)).toBe('SUCCEEDED');
    },
    { env: { PUSHFORWARD_LEASE_MS: '60000' } },
  );
});

it('workers are killed, one after another: three, or until the run ends', async () => {
  await suite.survives(async (world, runId) => {
    let killed = 0;
    for (; killed < 3; killed++) {
      const worker = await stopAnother(world, runId);
      if (!worker) break;
      signalProcess(worker, 'SIGKILL');
      expect(await attemptEnded(world, worker.attemptId)).toBe('FAILED');
    }
    expect(killed).toBeGreaterThan(0);
  });
});

it('a service that is stopped until its leases have run out goes on where it was', async () => {
  await suite.survives(async (world, runId) => {
    const worker = await stopWorker(world, runId);
    const pid = await world.servicePid();
    process.kill(pid, 'SIGSTOP');
    signalProcess(worker, 'SIGCONT');
    await until(
      async () =>
        (await world.query(`select 1 from attempts where id = $1 and lease_expires_at < now()`, [worker.attemptId]))
          .length,
      'the lease to run out',
    );
    process.kill(pid, 'SIGCONT');
  });
});

it('the other replica goes on where the one that moves the runs is killed', async () => {
  await suite.survives(
    async (world, runId) => {
      let killed = 0;
      for (; killed < 2; killed++) {
        const worker = await stopAnother(world, runId);
        if (!worker) break;
        const { owner } = (
          await world.query<{ owner: string }>('select owner from attempts where id = $1', [worker.attemptId])
        )[0]!;
        const holder = world.replicas.find((replica) => replica.output().includes(owner))!;
        process.kill((await holder.service()).pid, 'SIGKILL');
        expect(await attemptEnded(world, worker.attemptId)).toBe('LOST');
      }
      expect(killed).toBeGreaterThan(0);
    },
    { replicas: 2 },
  );
});
