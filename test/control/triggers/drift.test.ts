import { afterAll, beforeAll, expect, it } from 'vitest';
import { type TriggerView } from '../../../src/control/ports.ts';
import { type Distilled, distilled } from '../../support/distilled.ts';
import { until } from '../../support/until.ts';
import { LOCAL, manifestOf, readyVersion, startWorld, type World } from '../world.ts';
import { came, make, notify, source, taken, wake } from './rules.ts';

let world: World;
let reference: Distilled;
beforeAll(async () => {
  world = await startWorld();
  reference = await distilled(world, { a: 40, b: 30 });
}, 60_000);
afterAll(() => world?.close());

const rows = () => world.catalog.project(LOCAL.projectId);
const drifting = (dataset: string, condition: string | null = 'drift.alarm && drift.minPValue < 0.01') =>
  make(world, { source: source('DRIFT', { dataset, against: reference.runId }), condition, action: notify });
let size = 50;
const version = (dataset: string) =>
  readyVersion(world, dataset, [
    { name: 'a', images: size++ },
    { name: 'b', images: 30 },
  ]);

/** The drift run that a trigger waits for. */
const measuring = ({ id }: TriggerView): Promise<string> =>
  until(async () => {
    wake(world);
    const { items } = await rows().triggerEvaluations({ first: 1, after: null }, { triggerId: id });
    return items[0]?.measuringRunId;
  }, 'a drift run');

async function measured(runId: string, overall: { alarm: boolean; minPValue: number }): Promise<void> {
  const manifest = { ...manifestOf('driftReport', { runId, overall, classes: [] }), stage: 'verdict' };
  await world.engine.change(runId, async (tx) => {
    await tx.updateRun('QUEUED', { state: 'RUNNING', started: true });
    await tx.recordArtifacts([{ manifest, title: 'verdict', taskId: null, made: { usage: null, costUsd: 0 } }]);
    await tx.updateRun('RUNNING', { state: 'SUCCEEDED', ended: true });
    await tx.appendEvents([{ type: 'run.succeeded', payload: {} }]);
  });
}

it('waits for the drift run of a new version, and goes by its figures', async () => {
  const [trigger, other] = [await drifting('letters'), await drifting('letters', '!drift.alarm')];
  const { id } = await version('letters');
  const runId = await measuring(trigger);
  expect((await rows().runsById([runId]))[0]).toMatchObject({ datasetVersionId: id, recipe: { kind: 'DRIFT' } });
  const byHand = await world.control.evaluateTrigger(LOCAL, { id: trigger.id, dryRun: true, given: null });
  expect(byHand).toMatchObject({ outcome: { verdict: 'PENDING', reason: 'MEASURING', measuringRunId: runId } });
  await measured(runId, { alarm: true, minPValue: 0.001 });
  expect(await came(world, trigger, 1)).toMatchObject([
    {
      ...{ verdict: 'FIRED', measuringRunId: runId, launchedRunId: null, chain: [trigger.id] },
      tree: { terms: [{ value: true }, { text: 'drift.minPValue < 0.01', value: true }] },
    },
  ]);
  await measured(await measuring(other), { alarm: true, minPValue: 0.001 });
  expect(await came(world, other, 1)).toMatchObject([
    { verdict: 'NOT_MET', detail: '!drift.alarm is false (drift.alarm is true)' },
  ]);
  expect(await world.control.evaluateTrigger(LOCAL, { id: trigger.id, dryRun: true, given: null })).toMatchObject({
    outcome: { verdict: 'FIRED', measuringRunId: runId },
  });
});

it('is no run that triggers of runs look at', async () => {
  const ofRuns = await make(world, { source: source('RUN', { outcomes: ['SUCCEEDED'] }), action: notify });
  const trigger = await drifting('digits');
  await version('digits');
  await measured(await measuring(trigger), { alarm: false, minPValue: 0.5 });
  expect(await came(world, trigger, 1)).toMatchObject([{ verdict: 'NOT_MET' }]);
  await taken(world);
  expect(await came(world, ofRuns, 0)).toEqual([]);
});

it('tells where nothing could be measured, and what it waited for as it is changed or deleted', async () => {
  const [failing, changing, deleting] = [await drifting('signs'), await drifting('signs'), await drifting('signs')];
  const missing = await make(world, {
    source: source('DRIFT', { dataset: 'signs', against: 'nobody' }),
    action: notify,
  });
  await version('signs');
  await world.engine.end(await measuring(failing), 'QUEUED', 'FAILED');
  expect(await came(world, failing, 1)).toMatchObject([
    { verdict: 'FAILED', error: { code: 'NOT_READY', message: expect.stringMatching(/got FAILED/) as string } },
  ]);
  expect(await came(world, missing, 1)).toMatchObject([{ verdict: 'FAILED', error: { code: 'NOT_FOUND' } }]);
  const [ofChanging, ofDeleting] = [await measuring(changing), await measuring(deleting)];
  const { source: of, action, policy } = changing;
  const definition = { source: of, condition: null, action, policy };
  await world.control.updateTrigger(LOCAL, { id: changing.id, name: null, definition });
  await world.control.deleteTrigger(LOCAL, deleting.id);
  expect(await came(world, changing, 1)).toMatchObject([
    { verdict: 'SKIPPED', reason: 'SUPERSEDED', triggerVersion: 1 },
  ]);
  expect(await came(world, deleting, 1)).toMatchObject([{ verdict: 'SKIPPED', reason: 'DELETED' }]);
  for (const runId of [ofChanging, ofDeleting]) await measured(runId, { alarm: true, minPValue: 0 });
  await taken(world);
  expect(await came(world, changing, 1)).toHaveLength(1);
});
