import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { follow, importReady, launch, registerPrior, runOf } from '../support/api-steps.ts';
import { pictures, writeFolder } from '../support/image-sources.ts';
import {
  flawsOf,
  historiesOf,
  type LineageReceiver,
  type OpenLineageEvent,
  startLineageReceiver,
} from '../support/openlineage.ts';
import { type ServiceProcess, startServiceProcess } from '../support/service-process.ts';
import { writeTinyPrior } from '../support/tiny-prior.ts';
import { until } from '../support/until.ts';

let folder: string;
let receiver: LineageReceiver;
let service: ServiceProcess;
let recipe: { datasetVersionId: string; priorId: string; [field: string]: unknown };
const port = () => Number(new URL(receiver.url).port);

const start = () =>
  startServiceProcess(join(folder, 'state'), {
    OPENLINEAGE_URL: receiver.url,
    OPENLINEAGE_API_KEY: 'key of the receiver',
    OPENLINEAGE_NAMESPACE: 'lab',
    PUSHFORWARD_OPENLINEAGE_COMPRESSION: 'gzip',
    PUSHFORWARD_OPENLINEAGE_FILE: join(folder, 'events.ndjson'),
  });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pushforward-lineage-'));
  receiver = await startLineageReceiver();
  await writeFolder(join(folder, 'images'), await pictures({ a: 40, b: 30 }));
  await writeTinyPrior(join(folder, 'prior'));
  service = await start();
  const version = await importReady(service.client, { name: 'tiny', path: join(folder, 'images') });
  recipe = {
    ...{ datasetVersionId: version.id, imagesPerClass: 2, survey: { mode: 'ON' } },
    priorId: await registerPrior(service.client, join(folder, 'prior')),
  };
});
afterAll(async () => {
  await service.end();
  receiver.close();
  await rm(folder, { recursive: true, force: true });
});

const ours = (runId: string) => (event: OpenLineageEvent) => event.run.facets['pushforward_run'].runId === runId;
const ended = (runId: string) => () =>
  receiver.events.some((event) => ours(runId)(event) && /COMPLETE|FAIL|ABORT/.test(event.eventType));
const typesOf = (runId: string) => receiver.events.filter(ours(runId)).map(({ eventType }) => eventType);
const state = async (runId: string) => (await runOf(service.client, runId)).state;

async function carriedOut(more: object = {}): Promise<string> {
  const { run } = await launch(service.client, { ...recipe, ...more });
  await follow(service.client, run.id);
  await until(ended(run.id));
  return run.id;
}

describe('runs tell OpenLineage', () => {
  let first: string;

  it('what they read, made, cost and found', async () => {
    first = await carriedOut();
    const events = receiver.events.filter(ours(first));
    expect(typesOf(first)).toEqual(['START', ...Array<string>(14).fill('RUNNING'), 'COMPLETE']);
    const complete = events.at(-1)!;
    const run = await runOf(service.client, first);
    expect(complete.run.facets['pushforward_cost']).toMatchObject({ currency: 'USD', cost: run.costUsd });
    expect(complete.run.facets['pushforward_cost'].stages).toHaveLength(7);
    const [output] = complete.outputs;
    const dataset = run.outputs.find(({ kind }) => kind === 'syntheticDataset')!;
    const table = dataset.blobs.find(({ name }) => name === 'train.parquet')!;
    // what it is called is where it lies
    expect((await readFile(output!.name)).length).toBe(table.bytes);
    expect(output).toMatchObject({
      namespace: 'file',
      facets: {
        version: { datasetVersion: dataset.id },
        symlinks: { identifiers: [{ namespace: 'lab', name: 'default.synthetic.tiny', type: 'DATASET' }] },
        pushforward_w2: {
          classCount: 2,
          mean: { reduction: run.overall!.reduction },
          classes: run.classFigures.map(({ className, k, w2Weighted }) => ({ name: className, k, w2Weighted })),
        },
        pushforward_weights: { exponent: 1, classShares: 'DATA', refit: false },
      },
      outputFacets: { outputStatistics: { rowCount: 4, size: table.bytes, fileCount: 1 } },
    });
    expect(complete.inputs[0]).toMatchObject({ namespace: 'file', name: join(folder, 'images') });
    for (const { headers } of receiver.requests) {
      expect(headers).toMatchObject({ authorization: 'Bearer key of the receiver', 'content-encoding': 'gzip' });
    }
  });

  it('the same of a run that finds everything published', async () => {
    const again = await carriedOut();
    expect(await state(again)).toBe('SUCCEEDED');
    const [made, found] = [first, again].map((id) => receiver.events.filter(ours(id)).at(-1)!);
    expect(typesOf(again)).toEqual(typesOf(first));
    expect(found!.outputs[0]!.facets['version']).toEqual(made!.outputs[0]!.facets['version']);
    expect(found!.outputs[0]!.facets['pushforward_w2']).toEqual(made!.outputs[0]!.facets['pushforward_w2']);
    expect(found!.run.facets['pushforward_cost']).toMatchObject({ cost: 0 });
  });

  it('of one that fails, and of the run that repeats it', async () => {
    await writeFolder(join(folder, 'broken'), await pictures({ a: 5 }));
    const broken = await importReady(service.client, { name: 'broken', path: join(folder, 'broken') });
    await rm(join(folder, 'broken'), { recursive: true });
    const runId = await carriedOut({ datasetVersionId: broken.id, imagesPerClass: 1 });
    const last = receiver.events.filter(ours(runId)).at(-1)!;
    expect(last).toMatchObject({ eventType: 'FAIL', outputs: [] });
    expect(last.run.facets['errorMessage'].message).toMatch(/^expected /);
    expect(last.run.facets['pushforward_failure']).toMatchObject({ class: 'userError', stage: 'encode' });
    const { retryRun } = await service.client.send<{ retryRun: { run: { id: string } } }>('RetryRun', {
      input: { runId, idempotencyKey: crypto.randomUUID() },
    });
    await follow(service.client, retryRun.run.id);
    await until(ended(retryRun.run.id));
    const retried = receiver.events.filter(ours(retryRun.run.id));
    for (const event of retried) expect(event.run.facets['pushforward_run']).toMatchObject({ retriedRunId: runId });
  });

  it('of one that is cancelled', async () => {
    const { run } = await launch(service.client, { ...recipe, seed: 99, quantizer: { restarts: 200 } });
    await follow(service.client, run.id, ({ type }) => {
      if (type === 'run.started') void service.client.send('CancelRun', { id: run.id });
    });
    await until(ended(run.id));
    expect(await state(run.id)).toBe('CANCELLED');
    expect(typesOf(run.id).at(-1)).toBe('ABORT');
  });

  it('once the receiver is back, of a run that it missed; the file has it meanwhile', async () => {
    const at = port();
    const before = receiver.events;
    receiver.close();
    const { run } = await launch(service.client, { ...recipe, seed: 3 });
    await follow(service.client, run.id);
    expect(await state(run.id)).toBe('SUCCEEDED');
    await until(async () => (await inFile()).filter(ours(run.id)).at(-1)?.eventType === 'COMPLETE');
    receiver = await startLineageReceiver(at);
    receiver.events.push(...before);
    await until(ended(run.id), 'the end of the run', 60_000);
    expect(typesOf(run.id)).toEqual((await inFile()).filter(ours(run.id)).map(({ eventType }) => eventType));
  });

  it('whatever the receiver answers, and though the service is killed', async () => {
    const answers = [500, 429, 503];
    receiver.answer = (_event, response) => void response.writeHead(answers.pop() ?? 201, { 'retry-after': '0' }).end();
    const { run } = await launch(service.client, { ...recipe, seed: 4 });
    await follow(service.client, run.id, ({ type, payload }) => {
      if (type === 'stage.started' && payload['stage'] === 'decode') process.kill(service.pid, 'SIGKILL');
    }).catch(() => {});
    await service.gone;
    receiver.answer = null;
    service = await start();
    await follow(service.client, run.id);
    await until(ended(run.id));
    // what it had sent and not yet crossed out came again
    const types = once(receiver.events.filter(ours(run.id))).map(({ eventType }) => eventType);
    expect(types).toEqual(['START', ...Array<string>(14).fill('RUNNING'), 'COMPLETE']);
  });

  it('as the specification and our own schemas have it, each facet too, and each run once from its START to its end', async () => {
    expect(await service.end()).toBe(0);
    const file = await inFile();
    for (const events of [receiver.events, file]) {
      expect(events.flatMap(flawsOf)).toEqual([]);
      expect(historiesOf(once(events)).size).toBe(7);
    }
    const facets = new Set(file.flatMap((event) => [...keysOf(event)]));
    expect([...facets].sort()).toEqual([
      ...['dataQualityMetrics', 'dataSource', 'datasetType', 'errorMessage', 'executionParameters', 'inputStatistics'],
      ...['jobType', 'nominalTime', 'outputStatistics', 'processing_engine', 'pushforward_cost', 'pushforward_failure'],
      ...['pushforward_progress', 'pushforward_run', 'pushforward_w2', 'pushforward_weights', 'schema', 'storage'],
      ...['symlinks', 'version'],
    ]);
  });
});

const inFile = async (): Promise<OpenLineageEvent[]> =>
  (await readFile(join(folder, 'events.ndjson'), 'utf8'))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as OpenLineageEvent);

/** Without what came twice: the first of each stays. */
function once(events: readonly OpenLineageEvent[]): OpenLineageEvent[] {
  return [...new Map(events.map((event) => [JSON.stringify(event), event])).values()];
}

function keysOf({ run, job, inputs, outputs }: OpenLineageEvent): string[] {
  const of = [
    run.facets,
    job.facets,
    ...[...inputs, ...outputs].flatMap((one) => [one.facets, one.inputFacets, one.outputFacets]),
  ];
  return of.flatMap((facets) => Object.keys(facets ?? {}));
}
