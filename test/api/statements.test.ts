/** However many rows a request shows, it takes the same number of statements. */
import { getNamedType, type GraphQLField } from 'graphql';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { buildApiSchema } from '../../src/api/schema.ts';
import { newId } from '../../src/base/ids.ts';
import { anyPrior, manifestOf, PRIOR, quantized, readyVersion, surveyed } from '../control/world.ts';
import { make, source } from '../control/triggers/rules.ts';
import { type Answer, startTestApi, type TestApi } from './client.ts';
import { documentFor } from './everything.ts';

const [FEW, MANY] = [2, 20];
const schema = buildApiSchema();

let api: TestApi;
/** Runs with as many tasks, attempts and outputs each. */
let small: string;
let large: string;
beforeAll(async () => {
  api = await startTestApi();
  for (let i = 0; i < MANY; i++) {
    const version = await readyVersion(api, `letters ${i}`, [{ name: `A${i}`, images: 10 }]);
    const prior = await anyPrior(api, { ...PRIOR, name: `prior ${i}` });
    const recipe = { datasetVersionId: version.id, priorId: prior.id, imagesPerClass: 2 };
    const { run } = await api.control.launchRun(
      { projectId: 'default', actor: 'local' },
      { recipe, idempotencyKey: newId('key') },
    );
    await withTasks(run.id, i === 0 ? FEW : i === 1 ? MANY : 3);
    const files = [{ path: 'train.tar', bytes: 1 }];
    await api.control.createUpload({ projectId: 'default', actor: 'local' }, { files, idempotencyKey: newId('key') });
    await api.control.receiveLineage({ projectId: 'default', actor: 'local' }, null, {
      ...{ eventTime: '2026-01-01T00:00:00Z', producer: 'https://p' },
      dataset: { namespace: 'file', name: `/set ${i}`, facets: { version: { datasetVersion: '1' } } },
    });
    const local = { projectId: 'default', actor: 'local' };
    const { webhook } = await api.control.webhooks.create(local, {
      ...{ url: 'http://127.0.0.1:9/', description: '', types: ['*'], aliases: null, datasetIds: null },
      ...{ template: null, headers: {} },
    });
    await api.control.webhooks.test(local, webhook.id);
    const promotion = { alias: `alias-${i}`, artifactId: await datasetOf(run.id), override: null };
    await api.control.promoteArtifact(local, promotion);
    const trigger = await make(api, { source: source('ALIAS', { alias: `none-${i}`, changes: ['PROMOTED'] }) });
    const event = {
      key: `event ${i}`,
      type: 'alias.promoted',
      at: new Date(),
      facts: {},
      runId: null,
      datasetVersionId: null,
    };
    await api.options.triggers.record(
      {
        ...{
          id: newId('teval'),
          projectId: 'default',
          triggerId: trigger.id,
          triggerVersion: 1,
          event,
          chain: [trigger.id],
        },
        ...{ verdict: 'FIRED', reason: null, detail: null, tree: null, error: null },
        ...{ launchedRunId: run.id, measuringRunId: null, promotedVersionId: null },
      },
      null,
    );
    if (i === 0) small = run.id;
    if (i === 1) large = run.id;
  }
  // Whatever else asks the database would be counted.
  await api.control.close();
}, 60_000);
afterAll(() => api?.close());

async function datasetOf(runId: string): Promise<string> {
  const outputs = await api.catalog.project('default').artifactsByRun([runId], 'OUTPUT', ['syntheticDataset']);
  return outputs[0]!.artifact.id;
}

/** Tasks with an attempt and a codebook each, and as many outputs of the kinds that are shown. */
async function withTasks(runId: string, count: number): Promise<void> {
  const numbers = Array.from({ length: count }, (_, index) => index);
  const classes = numbers.map((index) => `${runId} ${index}`);
  await surveyed(api, runId, classes);
  const codebooks = await quantized(api, runId, classes);
  await api.engine.change(runId, (tx) =>
    tx.recordArtifacts(
      numbers.map((index) => ({
        manifest: {
          ...manifestOf(
            index % 2 ? 'report' : 'syntheticDataset',
            { runId, index },
            codebooks.map((one) => one.id),
          ),
          blobs: codebooks[index]!.blobs,
        },
        title: `output ${index}`,
        taskId: null,
        made: { usage: null, costUsd: 0 },
      })),
    ),
  );
}

async function statements(ask: () => Promise<Answer>): Promise<{ count: number; answer: Answer }> {
  const spy = vi.spyOn(pg.Client.prototype, 'query');
  const answer = await ask();
  const count = spy.mock.calls.length;
  spy.mockRestore();
  expect(answer.errors).toBeUndefined();
  return { count, answer };
}

describe('as many statements for 2 rows as for 20', () => {
  it('of Runs', async () => {
    const few = await statements(() => api.operation('Runs', { first: FEW }));
    const many = await statements(() => api.operation('Runs', { first: MANY }));
    expect([few, many].map(({ answer }) => answer.data.runs.nodes.length)).toEqual([FEW, MANY]);
    expect(few.count).toBeGreaterThan(1);
    expect(many.count).toBe(few.count);
  });

  it('of Run', async () => {
    const few = await statements(() => api.operation('Run', { id: small }));
    const many = await statements(() => api.operation('Run', { id: large }));
    const rows = ({ answer }: typeof few) => [answer.data.run.classFigures.length, answer.data.run.outputs.length];
    expect([rows(few), rows(many)]).toEqual([
      [FEW, FEW],
      [MANY, MANY],
    ]);
    expect(few.count).toBeGreaterThan(1);
    expect(many.count).toBe(few.count);
  });

  it('of DistortionCurves', async () => {
    const few = await statements(() => api.operation('DistortionCurves', { id: small }));
    const many = await statements(() => api.operation('DistortionCurves', { id: large }));
    const curves = ({ answer }: typeof few) =>
      answer.data.run.classFigures.map((row: { distortionCurve: object[] }) => row.distortionCurve.length);
    expect([curves(few), curves(many)]).toEqual([Array(FEW).fill(2), Array(MANY).fill(2)]);
    expect(many.count).toBe(few.count);
  });

  it('of RunTasks', async () => {
    const few = await statements(() => api.operation('RunTasks', { id: small }));
    const many = await statements(() => api.operation('RunTasks', { id: large }));
    const rows = ({ answer }: typeof few) => answer.data.run.stages[2].tasks.nodes.length as number;
    expect([rows(few), rows(many)]).toEqual([FEW, MANY]);
    expect(many.count).toBe(few.count);
  });

  const lists = Object.values(schema.getQueryType()!.getFields()).filter((field) =>
    getNamedType(field.type).name.endsWith('Connection'),
  ) as GraphQLField<unknown, unknown>[];

  it.each(lists)('of everything below $name', async (field) => {
    const ask = (first: number) => {
      const variables = { first, ...(field.name === 'lineage' && { node: large, direction: 'DOWNSTREAM' }) };
      return statements(() => api.query(documentFor(schema, 'query', field, variables, 5), variables));
    };
    const [few, many] = [await ask(FEW), await ask(MANY)];
    expect([few, many].map(({ answer }) => answer.data.answer.nodes.length)).toEqual([FEW, MANY]);
    // What reaches artifacts by several ways may share a statement or not, as the database happens to answer.
    expect(many.count - few.count).toBeLessThan(5);
  });
});
