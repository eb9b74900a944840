/** Each crash point alone, in a world of its own. */
import { it } from 'vitest';
import { CRASH_POINTS, type CrashPoint } from '../../src/base/crash-points.ts';
import { faultSuite } from '../support/faults/suite.ts';
import { until } from '../support/until.ts';

const suite = faultSuite();
const points = (Object.keys(CRASH_POINTS) as CrashPoint[]).filter((point) => point !== 'cancel.recorded');

it.each(points)('a run goes on through a death at %s', async (point) => {
  // What is seen gone is of a service that died before.
  const arm: [CrashPoint, ...CrashPoint[]] = point === 'lost.released' ? ['attempt.referenced', point] : [point];
  await suite.survives(
    (world) => until(async () => (await world.armed()).length === 0, `${point} to be reached`, 300_000).then(() => {}),
    { arm },
  );
});
