/** Every ready-made operation, sent in the order a client would, to the API over the real engine and database. */
import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { sql } from 'kysely';
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { WELCOME } from '../../src/api/http/explorer.ts';
import { sha256 } from '../../src/base/json.ts';
import { ended } from '../support/engine.ts';
import { sendPart } from '../support/send-part.ts';
import { until } from '../support/until.ts';
import { startWebhookSink } from '../support/webhook-sink.ts';
import { LOCAL } from '../control/world.ts';
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
  expect(await send('Nodes', { ids: ['none', version.id] })).toEqual([
    null,
    { __typename: 'DatasetVersion', id: version.id },
  ]);
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
  expect(await send('DistortionCurves', { id })).toMatchObject({
    classFigures: [{ className: 'class 0', distortionCurve: null }, { className: 'class 1' }],
  });
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

  const up = await send('Lineage', { node: first.artifact.id, direction: 'UPSTREAM' });
  const [found] = up.nodes;
  expect(found).toMatchObject({ kind: 'RUN', id, depth: 1, node: { runState: 'SUCCEEDED' } });
  expect(found.neighbours).toContainEqual({ relation: 'READ', kind: 'DATASET_VERSION', id: version.id });
  const down = await send('Lineage', { node: version.id, direction: 'DOWNSTREAM', depth: 2, first: 2 });
  expect(down.nodes.map(({ depth }: { depth: number }) => depth)).toEqual([1, 1]);
  const rest = await send('Lineage', {
    ...{ node: version.id, direction: 'DOWNSTREAM', depth: 2, first: 100, after: down.pageInfo.endCursor },
  });
  expect(rest.nodes.map((node: { id: string }) => node.id)).toContain(first.artifact.id);
  const facets = { version: { _producer: 'https://p', _schemaURL: 'https://s', datasetVersion: '7' } };
  await api.control.receiveLineage(LOCAL, null, {
    ...{ eventTime: '2026-01-01T00:00:00Z', producer: 'https://p' },
    dataset: { namespace: 'file', name: api.folder, facets },
  });
  const { nodes: upstream } = await send('UpstreamVersions');
  expect(upstream).toMatchObject([{ name: api.folder, version: '7', place: api.folder, job: null }]);
  expect((await send('Lineage', { node: version.id, direction: 'UPSTREAM' })).nodes).toContainEqual(
    expect.objectContaining({ kind: 'UPSTREAM_VERSION', id: upstream[0].id, depth: 1 }),
  );
  expect(await send('Impact', { datasetVersionId: version.id })).toMatchObject({
    datasetVersion: { id: version.id },
    runs: 1,
    complete: true,
  });
});

it('refuses the cells of what has none, and says what has', async () => {
  sent.add('Cell');
  const { data } = await api.query('{ runs(first: 1) { nodes { outputs(kinds: ["latents"]) { id } } } }');
  const [latents] = data.runs.nodes[0].outputs;
  const { errors } = await api.operation('Cell', { artifactId: latents.id, point: 0 });
  expect(errors).toMatchObject([{ extensions: { code: 'INVALID_INPUT' }, path: ['cell'] }]);
  expect(errors![0]!.message).toMatch(/a codebook or what was made from one, got artifact \S+, a latents: name/);
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

it('repeats a run that ended, and limits what all of them use', async () => {
  const [stopped] = (await send('Runs')).nodes;
  expect(await send('SetProjectLimits', { maxRunningTasks: 0 })).toMatchObject({
    __typename: 'InvalidInput',
    path: ['maxRunningTasks'],
  });
  const { project } = await send('SetProjectLimits', { maxRunningTasks: 1 });
  expect(project).toMatchObject({ id: 'default', maxRunningTasks: 1, runningTasks: 0 });
  api.executor.hold = () => false;
  api.executor.mostAtOnce = 0;
  const input = { runId: stopped.id, priority: 5, limits: { runSeconds: 3600 }, idempotencyKey: 'again' };
  expect(await send('RetryRun', { input: { ...input, fromStage: 'paint' } })).toMatchObject({
    __typename: 'InvalidInput',
    message: expect.stringMatching(/one of encode, quantize, report, got "paint"/) as string,
    path: ['fromStage'],
  });
  expect(await send('RetryRun', { input: { ...input, runId: 'run_none' } })).toMatchObject({ path: ['runId'] });
  const { run, reused } = await send('RetryRun', { input });
  expect(reused).toBe(false);
  expect(run).toMatchObject({
    priority: 5,
    limits: { taskSeconds: null, runSeconds: 3600, maxAttempts: null, costUsd: null },
    retryOf: { id: stopped.id, state: 'CANCELLED' },
  });
  expect(await ended(api.db, run.id)).toBe('SUCCEEDED');
  expect(api.executor.mostAtOnce).toBe(1);
  expect(await send('RetryRun', { input })).toMatchObject({ reused: true, run: { id: run.id } });
  expect(await send('RetryRun', { input: { ...input, priority: 6 } })).toMatchObject({
    __typename: 'IdempotencyConflict',
  });
  expect(await send('SetProjectLimits')).toMatchObject({ project: { maxRunningTasks: null } });
  expect(await send('Project')).toMatchObject({ id: 'default', maxRunningTasks: null });
});

it('tells what runs cost, what one would cost, and which are worth it; and keeps to a budget', async () => {
  const [newest, other] = (await send('Runs')).nodes;
  const report = await send('CostReport', { by: ['DATASET', 'STAGE'], from: '2020-01-01T00:00:00Z' });
  expect(report).toMatchObject({ currency: 'USD', hasMore: false, total: { priceLists: ['test'] } });
  expect(report.rows[0]).toMatchObject({ dataset: { name: 'letters' }, period: null });
  expect(report.total.costUsd).toBeGreaterThan(0);
  const sum = report.rows.reduce((all: number, row: { costUsd: number }) => all + row.costUsd, 0);
  expect(sum).toBeCloseTo(report.total.costUsd);

  const { recipe, datasetVersion } = (
    await api.query('query($id: ID!) { run(id: $id) { recipe { canonical } datasetVersion { dataset { id } } } }', {
      id: newest.id,
    })
  ).data.run;
  const { datasetVersionId, priorId } = recipe.canonical;
  const estimate = await send('EstimateRun', { recipe: { datasetVersionId, priorId, imagesPerClass: 2 } });
  expect(estimate).toMatchObject({ currency: 'USD', stages: [{ stage: 'encode', priceUsdPerHour: 3.6 }, {}, {}] });

  const compared = await send('CompareRuns', { ids: [newest.id, other.id] });
  expect(compared.runs.map(({ run }: { run: { id: string } }) => run.id)).toEqual([newest.id, other.id]);
  const front = await send('ParetoFront', { datasetId: datasetVersion.dataset.id, objectives: ['COST'] });
  expect(front).toMatchObject({ objectives: ['COST'], complete: true });
  expect(front.front.length).toBeGreaterThan(0);

  // All of it is published; from encode on it would be made anew, and nothing is thrown away before that has room.
  const little = { runId: newest.id, limits: { costUsd: 1e-9 } };
  const anew = await send('RetryRun', { input: { ...little, fromStage: 'encode', idempotencyKey: 'anew' } });
  expect(anew).toMatchObject({ __typename: 'BudgetExceeded', path: ['limits', 'costUsd'] });
  const kept = await sql`select 1 from artifacts where state <> 'KEPT'`.execute(api.db);
  expect(kept.rows).toEqual([]);

  expect(await send('SetProjectBudget', { monthlyUsd: -1 })).toMatchObject({
    __typename: 'InvalidInput',
    path: ['monthlyUsd'],
  });
  const { project } = await send('SetProjectBudget', { monthlyUsd: 0 });
  expect(project).toMatchObject({ monthlyBudgetUsd: 0 });
  expect(project.spentThisMonthUsd).toBeGreaterThan(0);
  const input = { recipe: { datasetVersionId, priorId, imagesPerClass: 3 }, idempotencyKey: 'too dear' };
  expect(await send('LaunchRun', { input })).toMatchObject({
    __typename: 'BudgetExceeded',
    code: 'BUDGET_EXCEEDED',
    remedy: 'raise the budget, ask for less, or wait for the next month (UTC)',
  });
  expect(await send('SetProjectBudget')).toMatchObject({ project: { monthlyBudgetUsd: null } });
});

it('keeps what a policy and pins say, and deletes the rest', async () => {
  expect(await send('RetentionPolicy')).toBeNull();
  expect(await send('RetentionPlan')).toMatchObject({ artifacts: 0, items: { nodes: [] } });
  const [, , first] = (await send('Runs')).nodes;
  const { data } = await api.query('query($id: ID!) { run(id: $id) { outputs { id kind } } }', { id: first.id });
  const [latents, other] = data.run.outputs.filter((one: { kind: string }) => one.kind === 'latents');

  const bad = await send('SetRetentionPolicy', { policy: { kinds: [{ kind: 'prior', days: 1 }] } });
  expect(bad).toMatchObject({ __typename: 'InvalidInput', path: ['policy', 'kinds', '0', 'kind'] });
  const kinds = [{ kind: 'latents', days: 1, cutLineage: true }];
  const set = await send('SetRetentionPolicy', { policy: { keepDays: 30, kinds, graceHours: 0 } });
  expect(set.policy).toMatchObject({ keepDays: 30, keepRuns: null, kinds, graceHours: 0, setBy: 'local' });
  expect(await send('RetentionPolicy')).toEqual(set.policy);

  const pinned = await send('PinArtifact', { id: latents.id, note: 'in production' });
  expect(pinned.artifact).toMatchObject({ id: latents.id, pin: { note: 'in production', pinnedBy: 'local' } });
  expect(await send('PinArtifact', { id: 'no such' })).toMatchObject({ __typename: 'NotFound', code: 'NOT_FOUND' });

  // Two days later, as far as the rows can tell.
  await sql`update runs set ended_at = ended_at - interval '2 days'`.execute(api.db);
  const plan = await send('RetentionPlan', { first: 1 });
  expect(plan.artifacts).toBeGreaterThan(1);
  expect(plan.items).toMatchObject({ nodes: [{ reason: 'KIND_EXPIRED' }], pageInfo: { hasNextPage: true } });
  const dry = await send('ApplyRetention', { dryRun: true });
  expect(dry).toMatchObject({ pass: null, plan: { artifacts: plan.artifacts, bytes: plan.bytes, kinds: plan.kinds } });
  const { pass } = await send('ApplyRetention');
  expect(pass).toMatchObject({ rescued: 0, deleted: { artifacts: plan.artifacts, bytes: plan.bytes } });
  expect(await send('RetentionPlan')).toMatchObject({ artifacts: 0 });
  expect(await send('Artifact', { id: latents.id })).toMatchObject({ state: 'KEPT', deletedAt: null });

  // What is deleted still tells what it was; its bytes are an error with a remedy.
  sent.add('Artifact');
  const gone = await api.operation('Artifact', { id: other.id });
  expect(gone.data.artifact).toMatchObject({
    state: 'DELETED',
    doomedBecause: 'KIND_EXPIRED',
    producedBy: { run: { id: first.id } },
    blobs: [{ name: 'data', bytes: 100, downloadUrl: null }],
  });
  expect(gone.data.artifact.usedBy.artifacts.length).toBeGreaterThan(0);
  expect(gone.errors).toMatchObject([
    { extensions: { code: 'ARTIFACT_DELETED' }, path: ['artifact', 'blobs', 0, 'downloadUrl'] },
  ]);
  expect(gone.errors![0]!.message).toMatch(/launch its run again/);
  const late = await send('PinArtifact', { id: other.id });
  expect(late).toMatchObject({ __typename: 'NotReady', code: 'ARTIFACT_DELETED', path: ['id'] });
  expect(await send('UnpinArtifact', { id: latents.id })).toMatchObject({ artifact: { id: latents.id, pin: null } });

  expect((await send('Orphans')).rowWithoutStore.count).toBeGreaterThan(0);
  expect(await send('SweepOrphans', { olderThanHours: 0 })).toMatchObject({ __typename: 'InvalidInput' });
  const { sweep } = await send('SweepOrphans', { olderThanHours: 1 });
  expect(sweep).toMatchObject({ storeWithoutRow: { count: 0 }, deleted: { count: 0 }, importing: false });
  expect((await send('SetRetentionPolicy', { policy: null })).policy).toBeNull();

  expect(await send('InvalidateArtifacts', { ids: [] })).toMatchObject({ __typename: 'InvalidInput', path: ['ids'] });
  expect(await send('InvalidateArtifacts', { ids: [latents.id, 'none'] })).toMatchObject({ __typename: 'NotFound' });
  const { deleted } = await send('InvalidateArtifacts', { ids: [latents.id, other.id], note: 'wrong encoder' });
  expect(deleted).toMatchObject({ artifacts: 1 });
});

it('promotes what passes the gates of an alias, and goes back', async () => {
  const [version] = (await send('Datasets')).nodes.map((each: { latestVersion: object }) => each.latestVersion);
  const [prior] = (await send('Priors')).nodes;
  const recipe = { datasetVersionId: version.id, priorId: prior.id, imagesPerClass: 2, seed: 11 };
  const { run } = await send('LaunchRun', { input: { recipe, idempotencyKey: 'to promote' } });
  expect(await ended(api.db, run.id)).toBe('SUCCEEDED');
  const { rows } = await sql<{ id: string }>`update artifacts set kind = 'syntheticDataset' where id in (
    select id from artifacts where run_id = ${run.id} and kind = 'latents' limit 2
  ) returning id`.execute(api.db);
  const [one, two] = rows.map(({ id }) => id);
  const gates = [{ figure: 'COST', atMost: -1 }];
  expect(await send('SetAliasGates', { alias: 'No name', gates })).toMatchObject({ __typename: 'InvalidInput' });
  expect(await send('SetAliasGates', { alias: 'production', gates })).toMatchObject({
    alias: { name: 'production', gates: [{ figure: 'COST', scope: 'OVERALL', against: 'NOTHING', atLeast: null }] },
  });
  expect(await send('GateReport', { alias: 'production', artifactId: one })).toMatchObject({
    ...{ passed: false, results: [{ verdict: 'FAILED' }] },
    summary: [expect.stringMatching(/^not passed: COST is .*, expected at most -1$/)],
  });
  const promotion = { alias: 'production', artifactId: one };
  expect(await send('PromoteArtifact', promotion)).toMatchObject({
    ...{ __typename: 'GatesFailed', code: 'GATES_FAILED', path: ['artifactId'], gates: [{ verdict: 'FAILED' }] },
    remedy: 'promote another, change the gates of the alias, or say in override why this one may pass',
  });
  const passed = await send('PromoteArtifact', { ...promotion, override: 'a test' });
  expect(passed).toMatchObject({ reused: false, version: { number: 1 } });
  await send('SetAliasGates', { alias: 'production', gates: [] });
  expect(await send('PromoteArtifact', { ...promotion, artifactId: two })).toMatchObject({ version: { number: 2 } });
  expect(await send('RevertAlias', { alias: 'production' })).toMatchObject({
    version: { number: 3, revertsTo: 1, artifact: { id: one } },
  });
  expect((await send('Aliases')).nodes).toMatchObject([{ name: 'production', current: { number: 3 } }]);
  const events = await send('ProjectEvents', { first: 1, types: ['alias.promoted', 'alias.reverted'] });
  expect(events).toMatchObject({
    nodes: [{ type: 'alias.reverted', subject: 'production', payload: { number: 3, artifactId: one } }],
    pageInfo: { hasNextPage: true },
  });
  const { versions } = await send('Alias', { name: 'production', first: 2 });
  expect(versions).toMatchObject({
    nodes: [{ number: 3 }, { number: 2, override: null }],
    pageInfo: { hasNextPage: true },
  });
  const rest = await send('Alias', { name: 'production', after: versions.pageInfo.endCursor });
  expect(rest.versions.nodes).toMatchObject([{ number: 1, override: 'a test', promotedBy: 'local' }]);
});

it('tells an endpoint what happens, signed, and keeps what it answered', async () => {
  const receiver = await startWebhookSink();
  api.control.startDeliveries();
  const input = {
    url: `${receiver.url}/hook`,
    types: ['run.succeeded'],
    headers: [{ name: 'X-Key', value: 'hidden' }],
  };
  expect(await send('CreateWebhook', { input: { ...input, url: 'https://10.0.0.1/' } })).toMatchObject({
    ...{ __typename: 'InvalidInput', path: ['url'] },
    remedy: 'name a public host, or have PUSHFORWARD_WEBHOOK_ALLOW name the network that it lies in',
  });
  const { webhook, secret } = await send('CreateWebhook', { input });
  expect(webhook).toMatchObject({ state: 'ENABLED', types: ['run.succeeded'], headerNames: ['x-key'], template: null });
  expect(await send('Webhook', { id: webhook.id })).toEqual(webhook);
  expect((await send('Webhooks')).nodes).toEqual([webhook]);

  const ended = (id: string) =>
    until(async () => {
      const found = await send('WebhookDelivery', { id });
      return found.state === 'PENDING' ? null : found;
    });
  const { delivery } = await send('TestWebhook', { id: webhook.id });
  expect(await ended(delivery.id)).toMatchObject({
    ...{ type: 'ping', state: 'DELIVERED', tries: 1, run: null, webhook: { id: webhook.id } },
    log: [{ number: 1, status: 200, error: null, responseBody: 'said 200' }],
  });
  expect(new Webhook(secret).verify(receiver.received[0]!.body, receiver.received[0]!.headers)).toMatchObject({
    type: 'pushforward.ping',
  });
  const { delivery: again } = await send('RedeliverWebhook', { deliveryId: delivery.id });
  expect(again).toEqual({ id: delivery.id, state: 'PENDING' });
  expect(await ended(delivery.id)).toMatchObject({ tries: 2 });
  const since = { id: webhook.id, since: '2026-01-01T00:00:00Z' };
  expect(await send('RedeliverWebhooks', since)).toMatchObject({ count: 0 });
  expect(await send('RedeliverWebhooks', { ...since, states: ['DELIVERED'] })).toMatchObject({ count: 1 });
  const filter = { webhookId: webhook.id, types: ['ping'] };
  expect((await send('WebhookDeliveries', { filter })).nodes).toMatchObject([{ id: delivery.id }]);

  const template = { event_type: 'distilled', client_payload: { run: '{{data.run.id}}' } };
  expect(await send('WebhookPreview', { type: 'run.succeeded', template })).toMatchObject({
    client_payload: { run: expect.stringMatching(/^run_/) as string },
  });
  const changes = { template, aliases: ['production'] };
  expect(await send('UpdateWebhook', { id: webhook.id, changes })).toMatchObject({
    webhook: { ...webhook, ...changes },
  });
  const rotated = await send('RotateWebhookSecret', { id: webhook.id, keepHours: 1 });
  expect(rotated.secret).not.toBe(secret);
  expect(rotated.webhook.secrets).toMatchObject([{ expiresAt: null }, { expiresAt: expect.any(String) as string }]);
  expect(await send('DisableWebhook', { id: webhook.id, reason: 'moves' })).toMatchObject({
    webhook: { state: 'DISABLED', disabledBecause: 'moves' },
  });
  expect(await send('TestWebhook', { id: webhook.id })).toMatchObject({ __typename: 'NotReady', path: ['id'] });
  expect(await send('EnableWebhook', { id: webhook.id })).toMatchObject({ webhook: { state: 'ENABLED' } });
  expect(await send('DeleteWebhook', { id: webhook.id })).toMatchObject({ id: webhook.id });
  expect(await send('DeleteWebhook', { id: webhook.id })).toMatchObject({ __typename: 'NotFound' });
  await receiver.close();
});

it('takes an upload in parts to a dataset, and gives up another', async () => {
  const body = Uint8Array.from({ length: 16 * 1024 ** 2 + 5 }, (_, index) => index % 251);
  const files = [
    { path: 'train.parquet', bytes: body.length },
    { path: 'README.md', bytes: 2, sha256: sha256('hi') },
  ];
  const { upload, parts } = await send('CreateUpload', { input: { files, idempotencyKey: 'upload' } });
  expect(upload).toMatchObject({ path: `upload:${upload.id}`, files: [{ partCount: 2 }, { partCount: 1 }] });
  expect((await sendPart(parts[0], new TextEncoder().encode('hi'))).status).toBe(200);
  expect(await send('CompleteUpload', { id: upload.id })).toMatchObject({
    __typename: 'UploadIncomplete',
    code: 'NOT_READY',
    missing: [
      { path: 'train.parquet', number: 1 },
      { path: 'train.parquet', number: 2 },
    ],
    missingCount: 2,
  });
  const [{ partBytes }] = upload.files;
  const slices = [body.subarray(0, partBytes), body.subarray(partBytes)];
  const wanted = slices.map((slice, index) => ({ path: 'train.parquet', number: index + 1, sha256: sha256(slice) }));
  const signed = await send('SignUploadParts', { input: { uploadId: upload.id, parts: wanted } });
  for (const [index, slice] of slices.entries()) expect((await sendPart(signed.parts[index], slice)).status).toBe(200);
  expect(await send('CompleteUpload', { id: upload.id })).toMatchObject({ upload: { state: 'READY' } });
  expect((await send('Upload', { id: upload.id })).files).toMatchObject([{ complete: true }, { complete: true }]);

  const input = { name: 'uploaded', path: `${upload.path}/train.parquet`, idempotencyKey: 'uploaded' };
  expect(await send('ImportDataset', { input })).toMatchObject({ __typename: 'ImportDatasetSuccess' });
  await api.control.importsIdle();

  const other = await send('CreateUpload', { input: { files, idempotencyKey: 'other' } });
  expect(await send('AbortUpload', { id: other.upload.id })).toMatchObject({ upload: { state: 'ABORTED' } });
  expect((await send('Uploads')).nodes).toMatchObject([
    { id: other.upload.id, state: 'ABORTED' },
    { id: upload.id, state: 'READY', expiresAt: null },
  ]);
  const refused = await send('CreateUpload', { input: { files: [{ path: '../x', bytes: 1 }], idempotencyKey: 'x' } });
  expect(refused).toMatchObject({ __typename: 'InvalidInput', code: 'UNSAFE_PATH', path: ['files', '0', 'path'] });
});

it('cancels an import, which is told among the versions of its dataset', async () => {
  let release = () => {};
  api.importer.gate.hold = new Promise((go) => (release = go));
  const input = { name: 'letters', path: api.folder, split: 'test', idempotencyKey: 'cancelled' };
  const { version } = await send('ImportDataset', { input });
  expect(await send('CancelImport', { id: version.id })).toEqual({
    __typename: 'CancelImportSuccess',
    version: { id: version.id, state: 'FAILED' },
  });
  expect(await send('CancelImport', { id: 'no such' })).toMatchObject({ __typename: 'NotFound', code: 'NOT_FOUND' });
  api.importer.gate.hold = null;
  release();
  await api.control.importsIdle();
  const newest = (await send('Dataset', { name: 'letters', first: 1 })).versions;
  expect(newest).toMatchObject({
    nodes: [{ id: version.id, number: 2, state: 'FAILED', error: { code: 'CANCELLED' } }],
    pageInfo: { hasNextPage: true },
  });
  const after = newest.pageInfo.endCursor;
  const older = (await send('Dataset', { name: 'letters', first: 1, after })).versions;
  expect(older).toMatchObject({ nodes: [{ number: 1, state: 'READY' }], pageInfo: { hasNextPage: false } });
  const wrong = await api.operation('Dataset', {
    name: 'letters',
    after: Buffer.from('version:x').toString('base64url'),
  });
  expect(wrong.errors).toMatchObject([{ extensions: { code: 'INVALID_INPUT' } }]);
});

it('makes a trigger, tells what it would do and what it did, and lets others send it events', async () => {
  const sender = await send('CreateEventSource', { name: 'labelling' });
  expect(sender).toMatchObject({
    secret: expect.stringMatching(/^whsec_/) as string,
    eventSource: { secrets: [{ expiresAt: null }] },
  });
  const { id: eventSourceId } = sender.eventSource;
  expect(await send('CreateEventSource', { name: 'labelling' })).toMatchObject({
    __typename: 'InvalidInput',
    path: ['name'],
  });
  const rotated = await send('RotateEventSource', { id: eventSourceId, overlapHours: 1 });
  expect(rotated.secret).not.toBe(sender.secret);
  expect(await send('EventSources')).toMatchObject([
    { name: 'labelling', secrets: [{}, { expiresAt: expect.any(String) as string }] },
  ]);

  const definition = {
    source: { kind: 'EVENT', eventSourceId, dataset: 'letters' },
    condition: 'event.data.labels > 10 && dataset.images == 100',
    action: { notify: {} },
    policy: { rateMax: 10, rateSeconds: 60 },
  };
  const broken = { ...definition, condition: 'dataset.images == "many"' };
  expect(await send('CreateTrigger', { name: 'relabelled', definition: broken })).toMatchObject({
    ...{ __typename: 'InvalidInput', path: ['condition'] },
    message: expect.stringMatching(/expected a number at character 19 of the condition, got a text/) as string,
  });
  const { trigger } = await send('CreateTrigger', { name: 'relabelled', definition });
  expect(trigger).toMatchObject({ version: 1, state: 'ACTIVE', nextDueAt: null });
  const { id } = trigger;
  const event = { type: 'labels', data: { labels: 7 } };
  expect(await send('EvaluateTrigger', { id, dryRun: true, event })).toMatchObject({
    ...{ trigger: { id }, eventKey: null },
    outcome: {
      ...{ verdict: 'NOT_MET', detail: 'event.data.labels > 10 is false (event.data.labels is 7)', launchedRun: null },
      terms: [
        { depth: 0, value: false },
        { depth: 1, text: 'event.data.labels > 10' },
        { depth: 2, value: 7 },
        {},
        {},
        {},
        {},
      ],
    },
  });
  const { eventKey } = await send('EvaluateTrigger', { id, dryRun: false, event: { data: { labels: 70 } } });
  const [evaluation] = await until(async () => {
    const { nodes } = await send('TriggerEvaluations', { triggerId: id, verdicts: ['FIRED'] });
    return nodes.length > 0 ? nodes : null;
  });
  expect(evaluation).toMatchObject({
    trigger: { name: 'relabelled' },
    triggerVersion: 1,
    chain: [id],
    event: { key: eventKey },
  });

  const nightly = {
    ...definition,
    source: { kind: 'SCHEDULE', cron: '30 2 * * *', timeZone: 'Europe/Berlin' },
    condition: null,
  };
  const changed = await send('UpdateTrigger', { id, name: 'nightly', definition: nightly });
  expect(changed.trigger).toMatchObject({ name: 'nightly', version: 2, nextDueAt: expect.any(String) as string });
  expect(await send('PauseTrigger', { id, reason: 'holidays' })).toMatchObject({
    trigger: { pausedBecause: 'holidays' },
  });
  expect((await send('Triggers')).nodes).toMatchObject([
    {
      id,
      state: 'PAUSED',
      source: { kind: 'SCHEDULE', cron: '30 2 * * *' },
      action: { launch: null },
      policy: { misfire: 'ONE' },
    },
  ]);
  expect(await send('ResumeTrigger', { id })).toMatchObject({ trigger: { state: 'ACTIVE' } });
  expect(await send('Trigger', { name: 'nightly' })).toMatchObject({ id, deletedAt: null });
  expect(await send('DeleteTrigger', { id })).toMatchObject({ id });
  expect(await send('DeleteTrigger', { id })).toMatchObject({ __typename: 'NotFound' });
  expect(await send('RevokeEventSource', { id: eventSourceId })).toMatchObject({ eventSource: { secrets: [] } });
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

it('asks whether new images are like those of a run', async () => {
  const [run] = (await send('Runs')).nodes;
  const recipe = { datasetVersionId: run.datasetVersion.id, against: run.id, samplesPerClass: 30, seed: 77 };
  const input = { recipe, idempotencyKey: 'drift' };
  expect(await send('LaunchDrift', { input })).toMatchObject({
    __typename: 'InvalidInput',
    path: ['recipe', 'against'],
    message: expect.stringMatching(
      /keep held-out samples, got .* which held none out: launch one with a holdout/,
    ) as string,
  });
  // What the scripted quantizer would have held out.
  await sql`update artifacts set manifest = manifest || '{"stageVersion": 4, "metrics": {"n": 100, "heldoutN": 30}, "content": {"className": "cat"}}'
    where run_id = ${run.id} and stage = 'quantize' and kind <> 'stage'`.execute(api.db);
  const estimate = await send('EstimateDrift', { recipe });
  expect(estimate.stages[0]).toMatchObject({ stage: 'encode', items: 4 });
  const launched = await send('LaunchDrift', { input });
  expect(launched).toMatchObject({ __typename: 'LaunchRunSuccess', reused: false, run: { kind: 'DRIFT' } });
  expect(await send('LaunchDrift', { input })).toMatchObject({ reused: true, run: { id: launched.run.id } });
  expect(await ended(api.db, launched.run.id)).toBe('SUCCEEDED');
  const told = await send('Run', { id: launched.run.id });
  expect(told).toMatchObject({
    kind: 'DRIFT',
    drift: null,
    recipe: { canonical: { referenceRunId: run.id, alpha: 0.05 } },
  });
  expect(told.recipe.canonical).toMatchObject({ kind: 'DRIFT', against: run.id, correction: 'HOLM' });
});

it('all of them were sent', () => {
  expect([...sent].sort()).toEqual([...FILES].sort());
});
