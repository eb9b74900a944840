import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { newId } from '../../src/base/ids.ts';
import { anyPrior, quantized, readyVersion, surveyed } from '../control/world.ts';
import { type Answer, startTestApi, type TestApi } from './client.ts';

let api: TestApi;
let versionId: string;
let priorId: string;
beforeAll(async () => {
  api = await startTestApi();
  versionId = (
    await readyVersion(api, 'letters', [
      { name: 'A', images: 100 },
      { name: 'B', images: 20 },
    ])
  ).id;
  priorId = (await anyPrior(api)).id;
}, 60_000);
afterAll(() => api?.close());

const launch = (recipe: Record<string, unknown> = {}, idempotencyKey = newId('key')) =>
  api.operation('LaunchRun', {
    input: { recipe: { datasetVersionId: versionId, priorId, imagesPerClass: 5, ...recipe }, idempotencyKey },
  });
const launched = async (recipe: Record<string, unknown> = {}): Promise<string> =>
  (await launch(recipe)).data.launchRun.run.id;

describe('the way of a dataset, a prior and a run', () => {
  it('goes through the ready-made operations', async () => {
    api.importer.contents.set(api.folder, [{ name: 'A', images: 7 }]);
    const imported = await api.operation('ImportDataset', {
      input: { name: 'seven', path: api.folder, classes: null, idempotencyKey: 'seven' },
    });
    expect(imported).toMatchObject({
      data: { importDataset: { __typename: 'ImportDatasetSuccess', reused: false, version: { state: 'IMPORTING' } } },
    });
    await api.control.importsIdle();
    const { id } = imported.data.importDataset.version;
    expect((await api.operation('DatasetVersion', { id })).data.datasetVersion).toMatchObject({
      state: 'READY',
      images: 7,
      classes: [{ name: 'A', images: 7 }],
      dataset: { name: 'seven' },
    });

    const registered = await api.operation('RegisterPrior', { input: { path: api.folder } });
    expect(registered.data.registerPrior).toMatchObject({ reused: true, prior: { id: priorId, name: 'tiny' } });

    const answer = await launch({ datasetVersionId: id, decoder: { mode: 'VAE' } });
    expect(answer.data.launchRun).toMatchObject({
      __typename: 'LaunchRunSuccess',
      reused: false,
      run: { state: 'QUEUED' },
    });
    const runId = answer.data.launchRun.run.id;
    const cancelled = await api.operation('CancelRun', { id: runId });
    expect(cancelled.data.cancelRun).toEqual({
      __typename: 'CancelRunSuccess',
      run: { id: runId, state: 'CANCELLED' },
    });
  });

  it('shows figures, lineage and downloads', async () => {
    const runId = await launched();
    await surveyed(api, runId, ['A', 'B']);
    const before = (await api.operation('Run', { id: runId })).data.run;
    expect(before.classFigures).toMatchObject([{ className: 'A', n: 100, k: null, quantizationRate: -0.25 }, {}]);
    const [codebook] = await quantized(api, runId, ['A', 'B']);
    const { run } = (await api.operation('Run', { id: runId })).data;
    expect(run).toMatchObject({
      state: 'RUNNING',
      currency: 'USD',
      recipe: { canonical: { quantizer: { restarts: 10 } } },
      classFigures: [
        // All images of the class: those that the quantizer saw and those held out.
        { className: 'A', n: 100, heldoutN: 10, k: 5, w2Weighted: 2, heldoutW2: null, quantizationRate: -0.25 },
        { className: 'B', w2Weighted: 3 },
      ],
      overall: { classes: 2, w2Weighted: 2.5, reduction: 0.5, heldoutW2: null },
    });
    expect(run.stages.map((stage: { name: string }) => stage.name)).toEqual([
      'encode',
      'survey',
      'quantize',
      'decode',
      'label',
      'report',
    ]);
    const curves = (await api.operation('DistortionCurves', { id: runId })).data.run.classFigures;
    expect(curves[1]).toMatchObject({
      className: 'B',
      k: 5,
      distortionCurve: [
        { k: 1, distortion: 10, heldoutDistortion: null, spread: 0.01 },
        { k: 5, distortion: 5, w2: Math.sqrt(5) },
      ],
    });
    expect(run.stages[2]).toMatchObject({ state: 'RUNNING', tasksTotal: 2, tasksDone: 2, itemsDone: 180 });
    expect(run.stages[2].itemsPerSecond).toBeGreaterThan(0);

    const tasks = (await api.operation('RunTasks', { id: runId, first: 1 })).data.run.stages[2].tasks;
    expect(tasks).toMatchObject({
      nodes: [{ title: 'A', cache: 'MISS', attempts: [{ number: 1, usage: { peakMemoryBytes: 3e9 } }] }],
      pageInfo: { hasNextPage: true },
    });

    const { artifact } = (await api.operation('Artifact', { id: codebook!.id })).data;
    expect(artifact).toMatchObject({
      kind: 'codebook',
      producedBy: { run: { id: runId }, task: { title: 'A' } },
      inputs: [],
    });
    const download = await fetch(artifact.blobs[0].downloadUrl);
    expect(await download.text()).toBe('points of A');
    expect(download.headers.get('content-disposition')).toBe('attachment; filename=codebook.safetensors');
    expect(download.headers.get('x-content-type-options')).toBe('nosniff');

    const inputs = (
      await api.query('query($id: ID!) { run(id: $id) { inputs { kind usedBy { runs { id } } } } }', { id: runId })
    ).data;
    expect(inputs.run.inputs.map((one: { kind: string }) => one.kind).sort()).toEqual(['datasetVersion', 'prior']);
    expect(inputs.run.inputs[0].usedBy.runs).toContainEqual({ id: runId });
  });
});

describe('an expected failure is a member of the union', () => {
  it.each([
    [
      'NotEnoughImages',
      { imagesPerClass: 19 },
      { code: 'INVALID_INPUT', className: 'B', largestImagesPerClass: 18, path: ['recipe', 'imagesPerClass'] },
    ],
    ['InvalidInput', { totalImages: 9 }, { path: ['recipe', 'totalImages'], remedy: 'leave one of them out' }],
    [
      'InvalidInput',
      { imagesPerClass: null, totalImages: 1 },
      { path: ['recipe', 'totalImages'], remedy: 'ask for another total' },
    ],
    ['InvalidInput', { holdout: 3 }, { code: 'INVALID_INPUT', path: ['recipe', 'holdout'] }],
    ['InvalidInput', { classes: ['Z'] }, { path: ['recipe', 'classes', '0'], remedy: 'choose from A, B' }],
    ['InvalidInput', { seed: 2 ** 32 }, { code: 'INVALID_INPUT', path: ['recipe', 'seed'] }],
    ['NotFound', { priorId: 'pri_none' }, { code: 'NOT_FOUND', remedy: 'register the prior first' }],
  ])('%s', async (typename, recipe, expected) => {
    const answer = await launch(recipe);
    expect(answer.errors).toBeUndefined();
    expect(answer.data.launchRun).toMatchObject({ __typename: typename, ...expected });
  });

  it('every seed of the recipe can be asked for', async () => {
    const answer = await launch({ seed: 2 ** 32 - 1 });
    expect(answer.data.launchRun).toMatchObject({ __typename: 'LaunchRunSuccess' });
    const { run } = (await api.operation('Run', { id: answer.data.launchRun.run.id })).data;
    expect(run.recipe.canonical.seed).toBe(4_294_967_295);
  });

  it('IdempotencyConflict, and the same run for the same request', async () => {
    const first = await launch({}, 'conflict');
    const again = await launch({ seed: 0 }, 'conflict');
    expect(again.data.launchRun).toMatchObject({ reused: true, run: { id: first.data.launchRun.run.id } });
    expect((await launch({ seed: 5 }, 'conflict')).data.launchRun.__typename).toBe('IdempotencyConflict');
  });

  it('SourceUnreadable and NotFound', async () => {
    const input = { name: 'x', path: '/no/such', idempotencyKey: 'x' };
    expect((await api.operation('ImportDataset', { input })).data.importDataset).toMatchObject({
      __typename: 'SourceUnreadable',
      code: 'SOURCE_UNREADABLE',
    });
    expect((await api.operation('CancelRun', { id: 'run_none' })).data.cancelRun).toMatchObject({
      __typename: 'NotFound',
    });
  });
});

describe('an error', () => {
  it('that was not foreseen is masked, and logged with its trace id', async () => {
    const read = vi.spyOn(api.control, 'cancelRun').mockRejectedValue(new Error('password=hunter2'));
    const answer = await api.operation('CancelRun', { id: 'x' });
    read.mockRestore();
    const [error] = answer.errors!;
    expect(JSON.stringify(answer)).not.toContain('hunter2');
    expect(error!.extensions).toMatchObject({ code: 'INTERNAL', traceId: expect.stringMatching(/^[0-9a-f]{32}$/) });
    expect(api.errors.at(-1)).toMatchObject({
      traceId: error!.extensions.traceId,
      error: expect.stringContaining('hunter2'),
    });
  });

  it('of the request says what is wrong', async () => {
    expect((await api.query('{ nothing }')).errors![0]!.extensions.code).toBe('GRAPHQL_VALIDATION_FAILED');
    expect((await api.query('{ runs(first: 1000) { nodes { id } } }')).errors![0]).toMatchObject({
      message: expect.stringContaining('first from 1 to 100'),
      extensions: { code: 'INVALID_INPUT' },
    });
    expect((await api.query('{ runs(after: "bm9wZQ") { nodes { id } } }')).errors![0]!.extensions.code).toBe(
      'INVALID_INPUT',
    );
    expect((await api.query('{ dataset { id } }')).errors![0]!.message).toContain('either id or name');
  });
});

it('cursors stay where they are when rows are added', async () => {
  const runs = async (after: string | null, first = 2) =>
    (await api.operation('Runs', { first, after, filter: { priorId, state: ['QUEUED'] } })).data.runs;
  for (let i = 0; i < 4; i++) await launched({ seed: i });
  const all = (await runs(null, 100)).nodes.map((run: { id: string }) => run.id);
  const seen: string[] = [];
  for (let after: string | null = null; ;) {
    const page = await runs(after);
    seen.push(...page.nodes.map((run: { id: string }) => run.id));
    await launched({ seed: 50 + seen.length });
    if (!page.pageInfo.hasNextPage) break;
    after = page.pageInfo.endCursor;
  }
  expect(seen).toEqual(all);
});

describe('cursors carry the filter of their list', () => {
  it('and go on under the same one', async () => {
    const runs = (after: string | null, filter: object | null) => api.operation('Runs', { first: 1, after, filter });
    for (let i = 0; i < 2; i++) await launched({ seed: 70 + i });
    const filter = { state: ['QUEUED'], priorId };
    const { nodes, pageInfo } = (await runs(null, filter)).data.runs;
    const second = (await runs(pageInfo.endCursor, { priorId, state: ['QUEUED'] })).data.runs;
    expect(second.nodes[0].id).not.toBe(nodes[0].id);
    const whole = (await runs(null, null)).data.runs.pageInfo.endCursor;
    for (const [after, other] of [
      [pageInfo.endCursor, { ...filter, state: ['RUNNING'] }],
      [pageInfo.endCursor, null],
      [whole, filter],
    ]) {
      expect((await runs(after, other)).errors![0]).toMatchObject({
        message: expect.stringMatching(
          /^expected a cursor that this list gave for the same filter, got .*: begin anew without after$/,
        ),
        extensions: { code: 'INVALID_INPUT' },
      });
    }
    expect((await runs(whole, {})).errors).toBeUndefined();
  });

  it('and the node and direction of lineage', async () => {
    const runId = await launched();
    const lineage = (direction: string, after: string | null) =>
      api.query(
        `query($node: ID!, $after: String) { lineage(node: $node, direction: ${direction}, first: 1, after: $after) { pageInfo { endCursor } } }`,
        { node: runId, after },
      );
    const { endCursor } = (await lineage('UPSTREAM', null)).data.lineage.pageInfo;
    expect((await lineage('UPSTREAM', endCursor)).errors).toBeUndefined();
    expect((await lineage('DOWNSTREAM', endCursor)).errors![0]!.message).toContain('the same filter');
  });
});

it('several nodes come in the order of their ids, with null for what is not there', async () => {
  const ids = [priorId, 'nothing', versionId, priorId];
  expect((await api.operation('Nodes', { ids })).data.nodes).toEqual([
    { __typename: 'Prior', id: priorId },
    null,
    { __typename: 'DatasetVersion', id: versionId },
    { __typename: 'Prior', id: priorId },
  ]);
  const many = await api.operation('Nodes', { ids: Array(101).fill('nothing') });
  expect(many.errors![0]!.message).toContain('at most 100 ids, got 101');
});

it('anything with an id is a node', async () => {
  const runId = await launched();
  const type = async (id: string) =>
    (await api.query('query($id: ID!) { node(id: $id) { __typename id } }', { id })).data.node;
  expect(await type(runId)).toEqual({ __typename: 'Run', id: runId });
  expect(await type(versionId)).toEqual({ __typename: 'DatasetVersion', id: versionId });
  expect(await type(priorId)).toEqual({ __typename: 'Prior', id: priorId });
  expect(await type('nothing')).toBeNull();
  const datasets = (await api.operation('Datasets')).data.datasets.nodes;
  expect(datasets.find((one: { name: string }) => one.name === 'letters')).toMatchObject({
    latestVersion: { id: versionId },
  });
  expect((await api.operation('Priors')).data.priors.nodes).toMatchObject([{ id: priorId, latent: { channels: 4 } }]);
});

it('nested fields take one query per kind, however many rows', async () => {
  const ids: string[] = [];
  for (let i = 0; i < 3; i++) ids.push(await launched({ seed: 900 + i }));
  for (const id of ids) await quantized(api, id, [`A${id}`, `B${id}`]);
  const rows = api.control.read({ projectId: 'default', actor: 'local' });
  const calls: Record<string, number> = {};
  const counted = new Proxy(rows, {
    get:
      (target, name: keyof typeof rows) =>
      (...args: never[]) => {
        // Inputs and outputs of a run are two kinds.
        const kind = name === 'artifactsByRun' ? `${name} ${String(args[1])}` : name;
        calls[kind] = (calls[kind] ?? 0) + 1;
        return (target[name] as (...of: never[]) => unknown)(...args);
      },
  });
  const spy = vi.spyOn(api.control, 'read').mockReturnValue(counted);
  const answer = await api.query(`{
    runs(first: 3) { nodes {
      datasetVersion { dataset { name } } prior { name } overall { reduction } classFigures { n }
      inputs { id } outputs { producedBy { run { id } task { title } } inputs { id } usedBy { artifacts { id } } }
      events(first: 2) { events { type } }
      stages { tasks(first: 5) { nodes { attempts { id } artifact { id } } } }
    } }
  }`);
  spy.mockRestore();
  expect(answer.errors).toBeUndefined();
  expect(answer.data.runs.nodes).toHaveLength(3);
  expect(Object.entries(calls).filter(([, count]) => count > 1)).toEqual([]);
});

describe('the subscription', () => {
  it('replays, follows, and completes after the terminal event', async () => {
    const runId = await launched();
    await api.engine.append(runId, 'one', 'two');
    const seen: Answer[] = [];
    const done = (async () => {
      for await (const answer of api.subscribe('RunEvents', { runId, afterSequence: 1 })) seen.push(answer);
    })();
    await expect.poll(() => seen.length, { timeout: 5000 }).toBe(2);
    await api.engine.append(runId, 'three');
    await api.engine.end(runId, 'QUEUED', 'CANCELLED');
    await done;
    expect(seen.map(({ data }) => [data.runEvents.sequence, data.runEvents.type])).toEqual([
      [2, 'one'],
      [3, 'two'],
      [4, 'three'],
      [5, 'run.cancelled'],
    ]);
    const text =
      'query($id: ID!) { run(id: $id) { events(afterSequence: 3, first: 1) { events { type } hasMore lastSequence } } }';
    const { run } = (await api.query(text, { id: runId })).data;
    expect(run.events).toEqual({ events: [{ type: 'three' }], hasMore: true, lastSequence: 4 });
  });

  it('of a run that is not there is an error', async () => {
    const answers: Answer[] = [];
    const read = async () => {
      for await (const answer of api.subscribe('RunEvents', { runId: 'run_none' })) answers.push(answer);
    };
    await read().catch((error: unknown) => answers.push({ errors: error as never }));
    expect(answers[0]!.errors![0]).toMatchObject({ extensions: { code: 'NOT_FOUND' } });
  });

  it('that a client leaves holds nothing', async () => {
    const runId = await launched();
    // those of the feed
    await expect.poll(() => api.engine.listeners.size).toBe(2);
    const events = api.subscribe('RunEvents', { runId });
    expect((await events.next()).value.data.runEvents.sequence).toBe(1);
    expect(api.engine.listeners.size).toBe(3);
    await events.return(undefined);
    await expect.poll(() => api.engine.listeners.size, { timeout: 5000 }).toBe(2);
  });
});
