/** The short form of the fault tests; `npm run test:faults` is the long one. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { isAlive } from '../../src/base/process-identity.ts';
import { expectWhole, type MadeArtifacts, madeBy } from '../support/faults/invariants.ts';
import { type FaultyPostgres, startFaultyPostgres } from '../support/faults/postgres.ts';
import { attemptEnded, stopWorker } from '../support/faults/workers.ts';
import { makeSources, type Sources, withWorld } from '../support/faults/world.ts';
import { until } from '../support/until.ts';

let postgres: FaultyPostgres;
let sources: Sources;
let undisturbed: MadeArtifacts;
beforeAll(async () => {
  [postgres, sources] = await Promise.all([startFaultyPostgres(), makeSources()]);
  await withWorld({ postgres, sources }, async (world) => {
    const { runId } = await world.launch();
    expect(await world.ended(runId)).toBe('SUCCEEDED');
    undisturbed = await madeBy(world, runId);
    expect(Object.keys(undisturbed).length).toBeGreaterThan(20);
  });
});
afterAll(async () => {
  await postgres.stop();
  await sources.remove();
});

it('a run survives deaths of its service and its workers, a worker that is stopped, and cut connections', async () => {
  await withWorld({ postgres, sources }, async (world) => {
    await world.arm('launch.recorded', 'settle.uncommitted', 'blob.put', 'manifest.published');
    const idempotencyKey = crypto.randomUUID();
    const { runId } = await world.launch(idempotencyKey);
    await until(async () => (await world.armed()).length === 0, 'all points to be reached', 60_000);

    const worker = await stopWorker(world, runId);
    expect(postgres.proxy.cut()).toBeGreaterThan(0);
    expect(await attemptEnded(world, worker.attemptId)).toBe('LOST');
    expect(isAlive(worker)).toBe(false);

    expect(await world.ended(runId)).toBe('SUCCEEDED');
    expect(world.replicas[0]!.deaths()).toBe(2);
    await expectWhole(world, { runId, idempotencyKey, undisturbed });
  });
});
