import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DatasetVersionView, type PriorView, type RunEventView } from '../../src/control/views.ts';
import { anyPrior, LOCAL, PRIOR, quantized, readyVersion, startWorld, type World } from './world.ts';

let world: World;
let version: DatasetVersionView;
let prior: PriorView;
beforeAll(async () => {
  world = await startWorld();
  version = await readyVersion(world, 'letters', [
    { name: 'A', images: 100 },
    { name: 'B', images: 20 },
    { name: 'single', images: 1 },
  ]);
  prior = await anyPrior(world);
}, 60_000);
afterAll(() => world?.close());

let keys = 0;
const launch = (changes: Record<string, unknown> = {}, idempotencyKey = `key-${keys++}`) =>
  world.control.launchRun(LOCAL, {
    recipe: { datasetVersionId: version.id, priorId: prior.id, imagesPerClass: 5, classes: ['A', 'B'], ...changes },
    idempotencyKey,
  });

describe('a launch', () => {
  it('gives one run per key', async () => {
    const [one, two] = await Promise.all([launch({}, 'same'), launch({}, 'same')]);
    const three = await launch({ holdout: 0.1, seed: 0 }, 'same');
    expect(new Set([one.run.id, two.run.id, three.run.id]).size).toBe(1);
    expect([one.reused, two.reused].sort()).toEqual([false, true]);
    await expect(launch({ seed: 1 }, 'same')).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
    expect(one.run).toMatchObject({ state: 'QUEUED', recipe: { quantizer: { restarts: 10 } } });
  });

  it.each([
    [
      'more points than the training part of a class',
      { imagesPerClass: 19 },
      'INVALID_INPUT',
      ['recipe', 'imagesPerClass'],
    ],
    [
      'two points of a class of one image',
      { classes: ['single'], imagesPerClass: 2 },
      'INVALID_INPUT',
      ['recipe', 'imagesPerClass'],
    ],
    [
      'fewer points in all than classes',
      { imagesPerClass: undefined, totalImages: 1 },
      'INVALID_INPUT',
      ['recipe', 'totalImages'],
    ],
    [
      'more points in all than images',
      { imagesPerClass: undefined, totalImages: 1e6 },
      'INVALID_INPUT',
      ['recipe', 'totalImages'],
    ],
    ['a class that is not there', { classes: ['A', 'Z'] }, 'INVALID_INPUT', ['recipe', 'classes', '1']],
    ['an unknown version', { datasetVersionId: 'dsv_no' }, 'NOT_FOUND', ['recipe', 'datasetVersionId']],
    ['an unknown prior', { priorId: 'pri_no' }, 'NOT_FOUND', ['recipe', 'priorId']],
    [
      'an executor class that is not configured',
      { execution: { executorClass: 'tpu' } },
      'INVALID_INPUT',
      ['recipe', 'execution', 'executorClass'],
    ],
    ['a value out of range', { holdout: 2 }, 'INVALID_INPUT', ['recipe', 'holdout']],
    ['a field that does not exist', { speed: 1 }, 'INVALID_INPUT', ['recipe']],
    [
      'diffusion without a denoiser',
      { decoder: { mode: 'DIFFUSION' } },
      'INVALID_INPUT',
      ['recipe', 'decoder', 'mode'],
    ],
    ['a teacher that is not there', { labels: { mode: 'TEACHER' } }, 'INVALID_INPUT', ['recipe', 'labels', 'mode']],
  ])('refuses %s before anything is created', async (_what, changes, code, path) => {
    const before = await world.control.read(LOCAL).runs({ first: 100, after: null }, {});
    await expect(launch(changes)).rejects.toMatchObject({ code, details: { path } });
    const after = await world.control.read(LOCAL).runs({ first: 100, after: null }, {});
    expect(after.items.length).toBe(before.items.length);
  });

  it('names the class and the largest K', async () => {
    await expect(launch({ imagesPerClass: 19 })).rejects.toMatchObject({
      message: expect.stringContaining('at most 18 for class B, got 19'),
      details: { className: 'B', images: 20, largestImagesPerClass: 18 },
    });
    await expect(launch({ imagesPerClass: 18 })).resolves.toMatchObject({ reused: false });
  });

  it.each([0, 0.1, 0.9])('takes a class of one image whole, whatever part is to be held out (%d)', async (holdout) => {
    const { run } = await launch({ classes: ['single'], imagesPerClass: 1, holdout });
    expect(run.recipe).toMatchObject({ classes: ['single'], imagesPerClass: 1, holdout });
  });

  it('refuses classes that a class-conditional denoiser does not know', async () => {
    const scheduler = { prediction_type: 'epsilon' } as never;
    const conditional = await anyPrior(world, {
      ...PRIOR,
      classes: ['A'],
      denoiser: { folder: 'transformer', nullClass: 1, scheduler },
    });
    await expect(launch({ priorId: conditional.id })).rejects.toMatchObject({
      details: { className: 'B', path: ['recipe', 'classes'] },
    });
    await expect(launch({ priorId: conditional.id, classes: ['A'] })).resolves.toBeDefined();
    await expect(launch({ priorId: conditional.id, decoder: { mode: 'VAE' } })).resolves.toBeDefined();
  });

  it('names the field of an input that retention deleted', async () => {
    const gone = await readyVersion(world, 'gone', [{ name: 'A', images: 50 }]);
    const set = (state: 'KEPT' | 'DELETED') =>
      world.db.updateTable('artifacts').set({ state }).where('id', '=', gone.artifactId!).execute();
    await set('DELETED');
    await expect(launch({ datasetVersionId: gone.id, classes: ['A'] })).rejects.toMatchObject({
      code: 'ARTIFACT_DELETED',
      message: expect.stringMatching(/import or register it again$/),
      details: { path: ['recipe', 'datasetVersionId'] },
    });
    // Importing it again brings it back, under the id that it had.
    await set('DELETED');
    expect((await readyVersion(world, 'gone', [{ name: 'A', images: 50 }])).id).toBe(gone.id);
    await expect(launch({ datasetVersionId: gone.id, classes: ['A'] })).resolves.toBeDefined();
  });

  it('waits for an import', async () => {
    let release = () => {};
    world.importer.gate.hold = new Promise((resolve) => (release = resolve));
    const { version: pending } = await world.control.importDataset(LOCAL, {
      name: 'slow',
      path: world.folder,
      idempotencyKey: 'slow',
    });
    await expect(launch({ datasetVersionId: pending.id, classes: ['A'] })).rejects.toMatchObject({ code: 'NOT_READY' });
    release();
    world.importer.gate.hold = null;
    await world.control.importsIdle();
    await expect(launch({ datasetVersionId: pending.id, classes: ['A'] })).resolves.toBeDefined();
  });

  it('answers a repeated request also when it would be refused today', async () => {
    const first = await launch({}, 'early');
    await world.db.updateTable('dataset_versions').set({ state: 'FAILED' }).where('id', '=', version.id).execute();
    const again = await launch({}, 'early').finally(() =>
      world.db.updateTable('dataset_versions').set({ state: 'READY' }).where('id', '=', version.id).execute(),
    );
    expect(again).toMatchObject({ reused: true, run: { id: first.run.id } });
  });
});

describe('the events of a run', () => {
  const types = (events: RunEventView[]) => events.map((event) => event.type);
  const collect = async (runId: string, after: number, seen: RunEventView[]) => {
    for await (const event of world.control.runEvents(LOCAL, runId, after, new AbortController().signal))
      seen.push(event);
  };

  it('are replayed, then followed, without gaps or doubles, and end', async () => {
    const { run } = await launch();
    await world.engine.append(run.id, 'a', 'b');
    const all: RunEventView[] = [];
    const late: RunEventView[] = [];
    const done = [collect(run.id, 0, all), collect(run.id, 2, late)];
    await expect.poll(() => all.length).toBe(3);
    await Promise.all(Array.from({ length: 20 }, (_, index) => world.engine.append(run.id, `live-${index}`)));
    await world.engine.end(run.id, 'QUEUED', 'CANCELLED');
    await Promise.all(done);
    expect(all.map((event) => event.sequence)).toEqual(Array.from({ length: 24 }, (_, index) => index + 1));
    expect(types(all).slice(0, 3)).toEqual(['run.created', 'a', 'b']);
    expect(types(all).at(-1)).toBe('run.cancelled');
    expect(late).toEqual(all.slice(2));
    // that of the feed
    await expect.poll(() => world.engine.listeners.size).toBe(2);
  });

  it('come also without a wake-up, and stop when asked to', async () => {
    const { run } = await launch();
    const stop = new AbortController();
    const seen: RunEventView[] = [];
    const done = (async () => {
      for await (const event of world.control.runEvents(LOCAL, run.id, 0, stop.signal)) seen.push(event);
    })();
    await expect.poll(() => seen.length).toBe(1);
    await world.runs.change(run.id, (tx) => tx.appendEvents([{ type: 'silent', payload: {} }]));
    await expect.poll(() => seen.length, { timeout: 5000 }).toBe(2);
    stop.abort();
    await done;
    // that of the feed
    await expect.poll(() => world.engine.listeners.size).toBe(2);
  });
});

it('a cancelled run says so, and stays as it is when asked again', async () => {
  const { run } = await launch();
  expect(await world.control.cancelRun(LOCAL, run.id)).toMatchObject({ state: 'CANCELLED' });
  expect(await world.control.cancelRun(LOCAL, run.id)).toMatchObject({ state: 'CANCELLED' });
  await expect(world.control.cancelRun(LOCAL, 'run_no')).rejects.toMatchObject({ code: 'NOT_FOUND' });
});

it('pages do not shift when runs are added', async () => {
  const ids: string[] = [];
  for (let i = 0; i < 5; i++) ids.unshift((await launch({ seed: 100 + i })).run.id);
  const rows = world.control.read(LOCAL);
  const first = await rows.runs({ first: 2, after: null }, {});
  await launch({ seed: 200 });
  const second = await rows.runs({ first: 3, after: first.items.at(-1)!.id }, {});
  expect([...first.items, ...second.items].map((run) => run.id)).toEqual(ids);
  expect((await rows.runs({ first: 100, after: null }, { states: ['FAILED'] })).items).toEqual([]);
  expect((await rows.runs({ first: 1, after: null }, { priorId: prior.id })).items).toHaveLength(1);
});

it('a project sees nothing of the runs of another', async () => {
  const { run } = await launch();
  await quantized(world, run.id, ['A', 'B']);
  const mine = world.control.read(LOCAL);
  const tasks = await mine.tasksByRun([run.id], ['quantize']);
  expect(tasks).toHaveLength(2);
  const artifacts = (await mine.artifactsByRun([run.id], 'OUTPUT')).map((one) => one.artifact.id);
  expect(artifacts).toHaveLength(2);
  const stranger = { projectId: 'other', actor: 'x' };
  const others = world.control.read(stranger);
  const page = { runId: run.id, stage: 'quantize', afterIndex: -1, first: 10 };
  expect(
    await Promise.all([
      others.runsById([run.id]),
      others.stagesByRun([run.id]),
      others.tasksById(tasks.map((task) => task.id)),
      others.tasksOfStages([page]),
      others.eventsOfRuns([{ runId: run.id, after: 0, first: 10 }]),
      others.tasksByRun([run.id], ['quantize']),
      others.attemptsByTask(tasks.map((task) => task.id)),
      others.artifactsById(artifacts),
      others.artifactsByRun([run.id], 'OUTPUT'),
      others.inputsOfArtifacts(artifacts),
      others.usersOfArtifacts(artifacts),
      others.runsUsingArtifacts([version.artifactId!]),
      others.priorsById([prior.id]),
    ]),
  ).toEqual(Array(13).fill([]));
  expect(await others.events(run.id, 0, 10)).toBeNull();
  await expect(world.control.cancelRun(stranger, run.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
