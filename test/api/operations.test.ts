/** Every ready-made operation, sent in the order a client would, to the API over the real engine and database. */
import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WELCOME } from '../../src/api/http/explorer.ts';
import { ended } from '../support/engine.ts';
import { until } from '../support/until.ts';
import { type Answer, startEngineApi } from './client.ts';

const FILES = readdirSync(new URL('../../schema/operations/', import.meta.url)).map((file) =>
  basename(file, '.graphql'),
);

let api: Awaited<ReturnType<typeof startEngineApi>>;
beforeAll(async () => (api = await startEngineApi()), 60_000);
afterAll(() => api?.close());

const sent = new Set<string>();

/** What an operation answers under its one root field. */
async function send(name: string, variables: Record<string, unknown> = {}): Promise<Answer['data']> {
  sent.add(name);
  const { data, errors } = await api.operation(name, variables);
  expect(errors, name).toBeUndefined();
  return Object.values(data)[0];
}

it('takes a dataset and a prior to a finished run and its artifacts', async () => {
  const importing = await send('ImportDataset', {
    input: { name: 'letters', path: api.folder, split: 'val', idempotencyKey: 'letters' },
  });
  expect(importing).toMatchObject({ __typename: 'ImportDatasetSuccess', reused: false });
  const version = await until(async () => {
    const found = await send('DatasetVersion', { id: importing.version.id });
    return found.state === 'IMPORTING' ? null : found;
  });
  expect(version).toMatchObject({
    state: 'READY',
    images: 100,
    source: { path: api.folder, split: 'val' },
    error: null,
  });
  expect(version).toMatchObject({
    classes: [{ name: 'cat', images: 100, share: 1 }],
    balance: { smallest: { name: 'cat' }, largest: { images: 100 }, imbalanceRatio: 1, effectiveClasses: 1 },
    duplicates: { withinClass: 1, acrossClasses: 0 },
    ignored: { count: 1, examples: ['stray.heic'] },
    bytes: 10_000,
    format: 'folder',
    split: 'val',
    splits: ['val'],
    chunks: 1,
    summary: [
      '100 images (10.0 kB) of 1 class; duplicates: 1 within classes',
      'folder, split val; passed over 1 file (stray.heic)',
    ],
  });
  const datasets = await send('Datasets', { first: 1 });
  expect(datasets.nodes).toMatchObject([{ name: 'letters', latestVersion: { id: version.id, images: 100 } }]);

  const { prior } = await send('RegisterPrior', { input: { path: api.folder } });
  const priors = await send('Priors');
  expect(priors).toMatchObject({
    nodes: [{ id: prior.id, latent: { channels: 4 } }],
    pageInfo: { hasNextPage: false },
  });

  const recipe = { datasetVersionId: version.id, priorId: prior.id, imagesPerClass: 2 };
  const launched = await send('LaunchRun', { input: { recipe, idempotencyKey: 'first' } });
  expect(launched).toMatchObject({ __typename: 'LaunchRunSuccess', reused: false });
  const { id } = launched.run;
  sent.add('RunEvents');
  const events: Answer['data'][] = [];
  for await (const { data } of api.subscribe('RunEvents', { runId: id })) events.push(data.runEvents);
  expect(events.map((event) => event.sequence)).toEqual(events.map((_, index) => index + 1));
  expect([events[0].type, events.at(-1).type]).toEqual(['run.created', 'run.succeeded']);

  const run = await send('Run', { id });
  expect(run).toMatchObject({ id, state: 'SUCCEEDED', failure: null, recipe: { canonical: recipe } });
  expect(run.costUsd).toBeCloseTo(0.5, 9);
  expect(run.stages).toMatchObject(['encode', 'quantize', 'report'].map((name) => ({ name, state: 'SUCCEEDED' })));
  const { stages } = await send('RunTasks', { id, first: 1 });
  expect(stages[0].tasks).toMatchObject({
    nodes: [{ title: 'encode 0', state: 'SUCCEEDED', attempts: [{ number: 1, state: 'SUCCEEDED', executor: 'fake' }] }],
    pageInfo: { hasNextPage: true },
  });
  const runs = await send('Runs', {
    filter: { state: ['SUCCEEDED'], datasetVersionId: version.id, priorId: prior.id },
  });
  expect(runs.nodes).toMatchObject([{ id, datasetVersion: { id: version.id, dataset: { name: 'letters' } } }]);

  const { data } = await api.query(
    'query($id: ID!) { run(id: $id) { stages { tasks { nodes { artifact { id } } } } } }',
    { id },
  );
  const [first] = data.run.stages[0].tasks.nodes;
  const artifact = await send('Artifact', { id: first.artifact.id });
  expect(artifact).toMatchObject({
    kind: 'latents',
    producedBy: { run: { id }, task: { title: 'encode 0' } },
    blobs: [{ name: 'data', bytes: 100, downloadUrl: expect.stringContaining(api.url) }],
  });
  expect(artifact.usedBy.artifacts.length).toBeGreaterThan(0);
});

it('stops a run', async () => {
  const [version] = (await send('Datasets')).nodes.map((one: { latestVersion: object }) => one.latestVersion);
  const [prior] = (await send('Priors')).nodes;
  const recipe = { datasetVersionId: version.id, priorId: prior.id, imagesPerClass: 2, seed: 7 };
  api.executor.hold = () => true;
  const { run } = await send('LaunchRun', { input: { recipe, idempotencyKey: 'second' } });
  await until(() => api.executor.held.length > 0);
  expect(await send('CancelRun', { id: run.id })).toMatchObject({
    __typename: 'CancelRunSuccess',
    run: { id: run.id },
  });
  expect(await ended(api.db, run.id)).toBe('CANCELLED');
  expect(await send('Run', { id: run.id })).toMatchObject({ state: 'CANCELLED', cancelRequested: true });
});

it('the queries that GraphiQL opens with answer as they stand', async () => {
  const names = [...WELCOME.matchAll(/^query (\w+)/gm)].map((match) => match[1]!);
  expect(names).toEqual(['Datasets', 'Runs']);
  for (const operationName of names) {
    const answer = (await (await api.post({ query: WELCOME, operationName })).json()) as Answer;
    expect(answer.errors).toBeUndefined();
    expect(answer.data[operationName.toLowerCase()].nodes.length).toBeGreaterThan(0);
  }
});

it('all of them were sent', () => {
  expect([...sent].sort()).toEqual([...FILES].sort());
});
