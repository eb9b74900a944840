import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '../../src/base/ids.ts';
import { driftOfRuns } from '../../src/control/drift.ts';
import { type RunView } from '../../src/control/views.ts';
import { type Distilled, distilled } from '../support/distilled.ts';
import { endedStage, LOCAL, manifestOf, quantized, startWorld, type World } from './world.ts';

let world: World;
let reference: Distilled;
beforeAll(async () => {
  world = await startWorld();
  reference = await distilled(world, { a: 40, b: 30 });
}, 60_000);
afterAll(() => world?.close());

const recipe = (of: object = {}) => ({
  kind: 'DRIFT',
  datasetVersionId: reference.versionId,
  against: reference.runId,
  ...of,
});
const launch = async (of: object = {}, idempotencyKey = newId('key')) =>
  await world.control.launchRun(LOCAL, { recipe: recipe(of), idempotencyKey });
const refusal = (of: object) =>
  launch(of).then(
    () => 'launched',
    (error: { code: string; details: { path: string[] }; message: string }) => ({
      ...{ code: error.code, path: error.details.path, message: error.message },
    }),
  );
const rows = () => world.control.read(LOCAL);

/** A run of the reference's recipe with other options, that goes nowhere. */
async function other(of: object): Promise<RunView> {
  const [first] = await rows().runsById([reference.runId]);
  const { datasetVersionId, priorId } = first!;
  const asked = { datasetVersionId, priorId, imagesPerClass: 2, ...of };
  return (await world.control.launchRun(LOCAL, { recipe: asked, idempotencyKey: newId('key') })).run;
}

describe('a launch of a drift run', () => {
  it('reads the codebooks of the run, and its prior', async () => {
    const { run } = await launch();
    const [first] = await rows().runsById([reference.runId]);
    expect(run).toMatchObject({ priorId: first!.priorId, datasetVersionId: reference.versionId });
    expect(run.recipe).toMatchObject({
      kind: 'DRIFT',
      referenceRunId: reference.runId,
      samplesPerClass: 500,
      alpha: 0.05,
    });
    const stages = await rows().stagesByRun([reference.runId]);
    const codebooks = stages.find(({ name }) => name === 'quantize')!.artifactId;
    expect(await rows().inputsByRole(run.id)).toMatchObject({ reference: codebooks });
    const lineage = await rows().runsUsingArtifacts([codebooks!]);
    expect(lineage.map((one) => one.run.id)).toContain(run.id);
  });

  it('takes an alias or a synthetic dataset for the run that made it, for good', async () => {
    const dataset = reference.published.get('report')![0]!.manifest.id;
    await world.control.promoteArtifact(LOCAL, { alias: 'production', artifactId: dataset, override: null });
    const { run } = await launch({ against: 'production' }, 'by alias');
    expect(run.recipe).toMatchObject({ against: 'production', referenceRunId: reference.runId });
    expect((await launch({ against: dataset })).run.recipe).toMatchObject({ referenceRunId: reference.runId });
    // The key is of what was asked for: an alias that has moved on gives the same run.
    expect(await launch({ against: 'production' }, 'by alias')).toMatchObject({ reused: true, run: { id: run.id } });
    await expect(launch({ against: 'production', seed: 1 }, 'by alias')).rejects.toMatchObject({
      code: 'IDEMPOTENCY_CONFLICT',
    });
    await world.control.cancelRun(LOCAL, run.id);
    const again = await world.control.retryRun(LOCAL, { runId: run.id, idempotencyKey: 'again' });
    expect(again.run.recipe).toEqual(run.recipe);
    expect(await rows().inputsByRole(again.run.id)).toEqual(await rows().inputsByRole(run.id));
  });

  it('refuses what distilled nothing, is not ready or is not there', async () => {
    const path = ['recipe', 'against'];
    expect(await refusal({ against: 'nobody' })).toMatchObject({ code: 'NOT_FOUND', path });
    await world.control.setAliasGates(LOCAL, { alias: 'empty', gates: [] });
    expect(await refusal({ against: 'empty' })).toMatchObject({ code: 'NOT_READY', path });
    expect(await refusal({ against: (await other({ seed: 5 })).id })).toMatchObject({ code: 'NOT_READY', path });
    expect(await refusal({ against: (await launch()).run.id })).toMatchObject({
      ...{ code: 'INVALID_INPUT', path },
      message: expect.stringMatching(/a run that distilled, got run_.*, which measured drift/) as string,
    });
    const unready = await refusal({ datasetVersionId: 'none' });
    expect(unready).toMatchObject({ code: 'NOT_FOUND', path: ['recipe', 'datasetVersionId'] });
    expect(await refusal({ classes: ['a', 'z'] })).toMatchObject({
      code: 'INVALID_INPUT',
      path: ['recipe', 'classes'],
    });
    expect(await refusal({ priorId: 'p' })).toMatchObject({ code: 'INVALID_INPUT', path: ['recipe'] });
    expect(await refusal({ samplesPerClass: 19 })).toMatchObject({ path: ['recipe', 'samplesPerClass'] });
    const elsewhere = await refusal({ execution: { executorClass: 'moon' } });
    expect(elsewhere).toMatchObject({ path: ['recipe', 'execution', 'executorClass'] });
  });

  it('refuses codebooks that an earlier release made, with what to do', async () => {
    const run = await other({ seed: 6 });
    const manifests = await quantized(world, run.id, ['a', 'b']);
    await endedStage(world, run.id, 'quantize', manifests);
    expect(await refusal({ against: run.id })).toMatchObject({
      ...{ code: 'INVALID_INPUT', path: ['recipe', 'against'] },
      message: expect.stringMatching(/an earlier release made without them: retry run run_/) as string,
    });
  });

  it('is estimated without one', async () => {
    const { stages } = await world.control.estimateRun(LOCAL, recipe());
    expect(stages.length).toBeGreaterThan(0);
    await expect(world.control.estimateRun(LOCAL, recipe({ against: 'nobody' }))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});

describe('what a drift run found', () => {
  it('is read from its report, and is nothing that can be promoted', async () => {
    const { run } = await launch({ seed: 9 });
    expect(await driftOfRuns(rows(), [run.id, reference.runId])).toEqual(new Map());
    const overall = { alarm: true, classes: 1, minPValue: 0.001 };
    const manifest = { ...manifestOf('driftReport', { overall, classes: [{ className: 'a' }] }), stage: 'verdict' };
    await world.engine.change(run.id, (tx) =>
      tx.recordArtifacts([{ manifest, title: 'verdict', taskId: null, made: { usage: null, costUsd: 0 } }]),
    );
    const found = await driftOfRuns(rows(), [run.id, reference.runId]);
    expect([...found]).toEqual([[run.id, { overall, classes: [{ className: 'a' }] }]]);
    const promotion = { alias: 'production', artifactId: manifest.id, override: 'it has to' };
    await expect(world.control.promoteArtifact(LOCAL, promotion)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringMatching(/a synthetic dataset, got .*, an artifact of kind driftReport/) as string,
    });
  });
});
