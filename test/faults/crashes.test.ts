/** Deaths of service and workers, all in one run; each-crash.test.ts has each of them alone. */
import { expect, it } from 'vitest';
import { CRASH_POINTS, type CrashPoint } from '../../src/base/crash-points.ts';
import { expectLegalHistory } from '../support/faults/invariants.ts';
import { faultSuite } from '../support/faults/suite.ts';
import { until } from '../support/until.ts';

const suite = faultSuite();

it('a run goes on through deaths at every point', async () => {
  const points = (Object.keys(CRASH_POINTS) as CrashPoint[]).filter((point) => point !== 'cancel.recorded');
  await suite.survives(
    (world) =>
      until(async () => (await world.armed()).length === 0, 'every point to be reached', 500_000).then(() => {}),
    { arm: points },
  );
});

it('a cancellation that is recorded is carried out by the next service', async () => {
  await suite.within(async (world) => {
    const { runId } = await world.launch();
    await until(
      async () =>
        (await world.query(`select 1 from attempts where run_id = $1 and reference is not null`, [runId])).length,
      'an attempt',
      60_000,
    );
    await world.arm('cancel.recorded');
    await world.send('CancelRun', { id: runId });
    expect(await world.ended(runId)).toBe('CANCELLED');
    expect(await world.armed()).toEqual([]);
    expect(world.replicas[0]!.deaths()).toBe(1);
    await expectLegalHistory(world, runId);
  });
});
