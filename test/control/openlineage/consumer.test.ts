import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { PushforwardError } from '../../../src/base/errors.ts';
import { type JsonObject } from '../../../src/base/json.ts';
import { type Log, silentLog } from '../../../src/base/log.ts';
import { openLineageConsumers } from '../../../src/control/openlineage/consumer.ts';
import { type Catalog, type FedEvent, type Sent } from '../../../src/control/ports.ts';
import { flawsOf, type OpenLineageEvent } from '../../support/openlineage.ts';
import { anyPrior, LOCAL, quantized, readyVersion, startWorld, surveyed, type World } from '../world.ts';

let world: World;
let runId: string;
let sent: OpenLineageEvent[];
let errors: Record<string, unknown>[];
let answer: Sent;
const never = new AbortController().signal;

beforeAll(async () => {
  world = await startWorld();
}, 60_000);
afterAll(() => world.close());
beforeEach(async () => {
  [sent, errors, answer] = [[], [], { kind: 'sent' }];
  const classes = [
    { name: 'a', images: 100 },
    { name: 'b', images: 50 },
  ];
  const version = await readyVersion(world, 'letters', classes);
  const prior = await anyPrior(world);
  const recipe = { datasetVersionId: version.id, priorId: prior.id, imagesPerClass: 5, classes: ['a'] };
  runId = (await world.control.launchRun(LOCAL, { recipe, idempotencyKey: crypto.randomUUID() })).run.id;
});

const log: Log = { ...silentLog, error: (message, fields) => void errors.push({ message, ...fields }) };
const consumer = (catalog: Catalog = world.catalog) =>
  openLineageConsumers(
    { catalog, log },
    {
      ...{ namespace: 'lab', version: '1.2.3', placeOf: (key) => `s3://store/own/${key}` },
      sinks: [
        {
          name: 'test',
          async send(event) {
            if (answer.kind === 'sent') sent.push(event as unknown as OpenLineageEvent);
            return answer;
          },
        },
      ],
    },
  )[0]!;

const event = (type: string, payload: JsonObject = {}): FedEvent => ({
  ...{
    of: 'run',
    id: 1,
    projectId: 'default',
    runId,
    sequence: 2,
    at: new Date('2026-12-01T10:00:00Z'),
    type,
    payload,
  },
});
const take = (type: string, payload: JsonObject = {}) => consumer().take(event(type, payload), never);

describe('an event of a run', () => {
  it('tells of the run, its job and what it reads', async () => {
    expect(await take('run.started')).toEqual({ kind: 'done' });
    const [start] = sent;
    expect(flawsOf(start!)).toEqual([]);
    expect(start).toMatchObject({
      ...{ eventType: 'START', eventTime: '2026-12-01T10:00:00.000Z', producer: 'urn:pushforward:1.2.3' },
      job: { namespace: 'lab', name: 'default.distill.letters' },
      outputs: [],
    });
    expect(start!.run.facets['pushforward_run']).toMatchObject({ runId, projectId: 'default' });
    expect(start!.run.facets['processing_engine']).toMatchObject({ name: 'Pushforward', version: '1.2.3' });
    const parameters = start!.run.facets['executionParameters'].parameters as { key: string; value: string }[];
    expect(parameters).toContainEqual({ key: 'quantizer.algorithm', value: 'LLOYD' });
    expect(parameters).toContainEqual({ key: 'classes.0', value: 'a' });
    const [version, prior] = start!.inputs;
    expect(version).toMatchObject({
      ...{ namespace: 'file', name: world.folder },
      facets: { dataSource: { name: 'letters', uri: `file://${world.folder}` } },
      inputFacets: {
        // of the one class that the recipe takes
        inputStatistics: { rowCount: 100 },
        dataQualityMetrics: { rowCount: 150, bytes: 15_000, columnMetrics: { image: { distinctCount: 149 } } },
      },
    });
    expect(version!.inputFacets!['inputStatistics']).not.toHaveProperty('size');
    expect(prior).toMatchObject({
      namespace: 's3://store',
      name: expect.stringMatching(/^own\/projects\/default\/artifacts\/[0-9a-f]{64}\.json$/) as string,
      facets: { datasetType: { datasetType: 'MODEL' } },
    });
  });

  it('is none of OpenLineage where it tells of a task, an attempt or a notice', async () => {
    for (const type of ['run.created', 'task.succeeded', 'attempt.failed', 'stage.progress', 'stage.cancelled']) {
      expect(await take(type)).toEqual({ kind: 'done' });
    }
    expect(sent).toEqual([]);
  });

  it('is a START where the run is stopped before it was carried out, and none after that', async () => {
    await take('run.stopping');
    expect(sent.map(({ eventType }) => eventType)).toEqual(['START']);
    await quantized(world, runId, ['a']);
    await take('run.stopping');
    expect(sent).toHaveLength(1);
  });

  it('tells how far it is, what it cost and how it failed', async () => {
    await surveyed(world, runId, ['a']);
    await quantized(world, runId, ['a']);
    await take('stage.started', { stage: 'quantize', tasksTotal: 1, tasksCached: 0 });
    const error = {
      code: 'EMPTY_CLASS' as const,
      message: 'expected images of class a, got none: import some',
      details: {},
    };
    const failure = { class: 'userError' as const, error, exitCode: null, signal: null, lastLogLines: [] };
    await world.engine.change(runId, async (tx) => {
      await tx.updateRun('RUNNING', { state: 'STOPPING', failure });
      await tx.updateStage('quantize', 'RUNNING', { state: 'FAILED', ended: true });
      await tx.updateRun('STOPPING', { state: 'FAILED', ended: true });
    });
    await take('run.failed');
    await take('run.cancelled');
    await take('run.succeeded');
    expect(sent.flatMap(flawsOf)).toEqual([]);
    expect(sent.map(({ eventType }) => eventType)).toEqual(['RUNNING', 'FAIL', 'ABORT', 'COMPLETE']);
    const [running, fail, abort] = sent.map(({ run }) => run.facets);
    expect(running!['pushforward_progress']).toMatchObject({ stage: 'quantize', state: 'STARTED', tasksTotal: 1 });
    expect(fail!['errorMessage']).toMatchObject({ message: error.message });
    expect(fail!['pushforward_failure']).toMatchObject({ class: 'userError', code: 'EMPTY_CLASS', stage: 'quantize' });
    expect(fail!['pushforward_cost'].stages.map((one: { name: string }) => one.name)).toEqual(['survey', 'quantize']);
    expect(abort).not.toHaveProperty('errorMessage');
    // a run that came to no dataset has no output
    expect(sent.map(({ outputs }) => outputs)).toEqual([[], [], [], []]);
  });
});

describe('a receiver', () => {
  it('that is away gets the event again', async () => {
    answer = { kind: 'unavailable', reason: 'nobody there', afterMs: 5 };
    expect(await take('run.started')).toEqual({ kind: 'later', reason: 'nobody there', afterMs: 5 });
    expect(errors).toEqual([]);
  });

  it('that refuses an event is spared it, and the log says which', async () => {
    answer = { kind: 'refused', reason: '422' };
    expect(await take('run.started')).toEqual({ kind: 'done' });
    expect(errors).toMatchObject([{ transport: 'test', runId, type: 'run.started', reason: '422' }]);
  });
});

it('an event that cannot be told holds up no other; a database that is away holds up all', async () => {
  const failing = (error: Error) =>
    consumer({
      ...world.catalog,
      project: () => {
        throw error;
      },
    });
  expect(await failing(new Error('unforeseen')).take(event('run.started'), never)).toEqual({ kind: 'done' });
  expect(errors).toMatchObject([{ reason: 'unforeseen' }]);
  const away = new PushforwardError('DATABASE_UNAVAILABLE', 'away');
  await expect(failing(away).take(event('run.started'), never)).rejects.toThrow('away');
});
