/** Workers and services that are killed, or stopped and let go on. */
import { expect, it } from 'vitest';
import { isAlive, signalProcess } from '../../src/base/process-identity.ts';
import { faultSuite } from '../support/faults/suite.ts';
import { attemptEnded, stopWorker } from '../support/faults/workers.ts';
import { until } from '../support/until.ts';

const suite = faultSuite();

it('a worker that is stopped and wakes after its lease is lost disturbs nothing', async () => {
  await suite.survives(async (world, runId) => {
    const worker = await stopWorker(world, runId, 'order.taken');
    // What does not go within five seconds is killed: it wakes before that.
    const givenUp = new RegExp(`no sign of life.*${worker.attemptId}|${worker.attemptId}.*no sign of life`);
    await until(() => givenUp.test(world.replicas[0]!.output()), 'its lease to run out');
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

it('workers are killed, one after another', async () => {
  await suite.survives(async (world, runId) => {
    for (let killed = 0; killed < 3; killed++) {
      const worker = await stopWorker(world, runId);
      signalProcess(worker, 'SIGKILL');
      expect(await attemptEnded(world, worker.attemptId)).toBe('FAILED');
    }
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
      for (let killed = 0; killed < 2; killed++) {
        const worker = await stopWorker(world, runId);
        const { owner } = (
          await world.query<{ owner: string }>('select owner from attempts where id = $1', [worker.attemptId])
        )[0]!;
        const holder = world.replicas.find((replica) => replica.output().includes(owner))!;
        process.kill((await holder.service()).pid, 'SIGKILL');
        expect(await attemptEnded(world, worker.attemptId)).toBe('LOST');
      }
    },
    { replicas: 2 },
  );
});
