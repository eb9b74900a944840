/** Nobody reads another project's rows. The requests come from the schema: a new field is tried the day it is there. */
import { type GraphQLField } from 'graphql';
import { createClient } from 'graphql-ws';
import { type RawBuilder, sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import WebSocket from 'ws';
import { buildApiSchema } from '../../src/api/schema.ts';
import { newId } from '../../src/base/ids.ts';
import { sha256 } from '../../src/base/json.ts';
import { type Principal } from '../../src/control/identity.ts';
import { came, make, notify, source, taken } from '../control/triggers/rules.ts';
import { anyPrior, LOCAL, PRIOR, quantized, readyVersion, reported } from '../control/world.ts';
import { distilled } from '../support/distilled.ts';
import { type Answer, startTestApi, type TestApi } from './client.ts';
import { documentFor, placesOf, type Place, variablesFor } from './everything.ts';

const OTHER: Principal = { projectId: 'other', actor: 'stranger' };
const schema = buildApiSchema();
const rootFields = (type: 'Query' | 'Mutation' | 'Subscription') => Object.values(rootOf(type));
const FIELDS = [
  ...rootFields('Query').map((field) => ({ operation: 'query' as const, field })),
  ...rootFields('Mutation').map((field) => ({ operation: 'mutation' as const, field })),
  ...rootFields('Subscription').map((field) => ({ operation: 'subscription' as const, field })),
].map((one) => ({ ...one, name: `${one.operation} ${one.field.name}` }));

let api: TestApi;
/** What only the project that is asked about has, by kind. */
let secrets: Record<string, string[]>;
/** What the one who asks may name. */
let own: Record<string, () => unknown>;

beforeAll(async () => {
  api = await startTestApi();
  await api.catalog.ensureProject({ id: OTHER.projectId, name: 'Other project' });
  vi.spyOn(api.control, 'authenticate').mockImplementation(async ({ headers }) =>
    headers['x-project'] === OTHER.projectId ? OTHER : LOCAL,
  );
  const mine = await populate(LOCAL, 'hidden');
  await anyPrior(api, { ...PRIOR, name: 'hidden prior', classes: ['hidden class'] });
  const theirs = await populate(OTHER, 'visible');
  own = {
    datasetVersionId: () => theirs.versionId,
    priorId: () => theirs.priorId,
    runId: () => theirs.runId,
    id: () => theirs.runId,
    ids: () => ['none'],
    imagesPerClass: () => 1,
    days: () => 1,
    name: () => newId('name'),
    path: () => api.folder,
    idempotencyKey: () => newId('key'),
    uploadId: () => theirs.uploadId,
    bytes: () => 1,
    number: () => 1,
    node: () => theirs.runId,
    alias: () => 'production',
    against: () => theirs.distilledRunId,
    gates: () => [],
    datasetId: () => theirs.datasetId,
    sha256: () => sha256('x'),
    artifactId: () => theirs.codebookId,
    deliveryId: () => theirs.deliveryId,
    url: () => 'http://127.0.0.1:9/',
    types: () => ['run.succeeded'],
    type: () => 'run.succeeded',
    value: () => 'any',
    since: () => '2026-01-01T00:00:00.000Z',
    recipe: () => ({}),
  };
  await api.engine.end(mine.finished, 'QUEUED', 'CANCELLED');
  await taken(api);
  const [hidden, visible] = [await textsOf(LOCAL.projectId), await textsOf(OTHER.projectId)];
  const known = new Set(Object.values(visible).flat());
  secrets = Object.fromEntries(
    Object.entries(hidden).map(([kind, texts]) => [kind, texts.filter((text) => !known.has(text))]),
  );
  for (const [kind, texts] of Object.entries(secrets)) expect([kind, texts.length]).not.toEqual([kind, 0]);
}, 60_000);
afterAll(() => api?.close());

/** Two runs; one over the same images in both projects, so that artifacts of the same ids are in both. */
async function populate(principal: Principal, name: string) {
  const { eventSource } = await api.control.createEventSource(principal, `${name}-sender`);
  const onVersion = source('DATASET_VERSION', { dataset: `${name} shared` });
  const trigger = await make(api, { source: onVersion, action: notify }, `${name}-trigger`, principal);
  await make(api, { source: source('EVENT', { eventSourceId: eventSource.id }), action: notify }, undefined, principal);
  const shared = await readyVersion(api, `${name} shared`, [{ name: 'both', images: 9 }], principal);
  const alone = await readyVersion(api, `${name} alone`, [{ name: `${name} class`, images: 9 }], principal);
  const prior = await anyPrior(api, PRIOR, principal);
  const launch = async (datasetVersionId: string) => {
    const recipe = { datasetVersionId, priorId: prior.id, imagesPerClass: 2 };
    return (await api.control.launchRun(principal, { recipe, idempotencyKey: newId('key') })).run.id;
  };
  const runs = [await launch(shared.id), await launch(alone.id), await launch(alone.id)];
  await quantized(api, runs[0]!, ['both'], principal);
  const [codebook] = await quantized(api, runs[1]!, [`${name} class`], principal);
  const dataset = await reported(api, runs[1]!, `${name} dataset`);
  // The name is in both projects, and what it stands for is not.
  await api.control.promoteArtifact(principal, { alias: 'production', artifactId: dataset.id, override: null });
  const gate = { figure: 'W2', scope: 'EVERY_CLASS', against: 'NOTHING', atMost: 100, atLeast: null } as const;
  await api.control.setAliasGates(principal, { alias: 'production', gates: [gate] });
  await api.control.retention.pin(principal, codebook!.id, `${name} note`);
  await api.control.retention.setPolicy(principal, { keepDays: principal === LOCAL ? 1234 : 1 });
  const { webhook } = await api.control.webhooks.create(principal, {
    ...{ url: `http://127.0.0.1:9/${name}`, description: `${name} endpoint`, types: ['*'], aliases: null },
    ...{ datasetIds: null, template: null, headers: { 'x-key': `${name} key` } },
  });
  const delivery = await api.control.webhooks.test(principal, webhook.id);
  const files = [{ path: `${name}.bin`, bytes: 1, sha256: sha256('x') }];
  const { upload } = await api.control.createUpload(principal, { files, idempotencyKey: newId('key') });
  await api.control.receiveLineage(principal, null, {
    ...{ eventType: 'COMPLETE', eventTime: '2026-01-01T00:00:00Z', producer: `https://${name}.example` },
    ...{ run: { runId: crypto.randomUUID() }, job: { namespace: `${name} jobs`, name: 'any' } },
    outputs: [
      { namespace: 'file', name: `/${name} upstream` },
      { namespace: 'file', name: api.folder },
    ],
  });
  await sql`update runs set state = 'SUCCEEDED', ended_at = now() where id = ${runs[1]}`.execute(api.db);
  await came(api, trigger, 1, principal);
  await distilled(api, { a: principal === LOCAL ? 20 : 21 }, { name: `${name} pictures`, principal });
  const { published, runId: distilledRunId } = await distilled(
    api,
    { a: 22 },
    { name: `${name} same pictures`, principal },
  );
  return {
    codebookId: published.get('quantize')![0]!.manifest.id,
    versionId: alone.id,
    datasetId: alone.datasetId,
    priorId: prior.id,
    runId: runs[1]!,
    distilledRunId,
    finished: runs[2]!,
    uploadId: upload.id,
    deliveryId: delivery.id,
  };
}

/** Ids, names and digests of a project, as the database has them, and the cursors of its lists. */
async function textsOf(projectId: string): Promise<Record<string, string[]>> {
  const { db } = api;
  type Table =
    | 'datasets'
    | 'dataset_versions'
    | 'import_keys'
    | 'priors'
    | 'runs'
    | 'artifacts'
    | 'artifact_pins'
    | 'uploads'
    | 'upstream_versions'
    | 'webhooks'
    | 'webhook_deliveries'
    | 'project_events'
    | 'triggers'
    | 'trigger_evaluations'
    | 'event_sources';
  const of = (table: Table) =>
    db
      .selectFrom(table as 'runs')
      .selectAll()
      .where('project_id', '=', projectId)
      .execute() as unknown as Promise<Record<string, unknown>[]>;
  const [
    datasets,
    versions,
    keys,
    priors,
    runs,
    artifacts,
    pins,
    uploads,
    upstreams,
    webhooks,
    deliveries,
    events,
    triggers,
    evaluations,
    senders,
  ] = await Promise.all([
    of('datasets'),
    of('dataset_versions'),
    of('import_keys'),
    of('priors'),
    of('runs'),
    of('artifacts'),
    of('artifact_pins'),
    of('uploads'),
    of('upstream_versions'),
    of('webhooks'),
    of('webhook_deliveries'),
    of('project_events'),
    of('triggers'),
    of('trigger_evaluations'),
    of('event_sources'),
  ]);
  const uploadIds = uploads.map((upload) => upload['id'] as string);
  const files = await db.selectFrom('upload_files').selectAll().where('upload_id', 'in', uploadIds).execute();
  const runIds = runs.map((run) => run['id'] as string);
  const tasks = await db.selectFrom('tasks').select(['id', 'title']).where('run_id', 'in', runIds).execute();
  const attempts = await db.selectFrom('attempts').select('id').where('run_id', 'in', runIds).execute();
  const texts = (rows: Record<string, unknown>[], ...columns: string[]) =>
    [...new Set(rows.flatMap((row) => columns.map((column) => row[column])))].filter(
      (value): value is string => typeof value === 'string',
    );
  const cursor = (kind: string) => (id: string) => Buffer.from(`${kind}:${id}`).toString('base64url');
  return {
    dataset: texts(datasets, 'id'),
    version: texts(versions, 'id'),
    prior: texts(priors, 'id'),
    run: texts(runs, 'id'),
    artifact: texts(artifacts, 'id'),
    task: texts(tasks, 'id'),
    attempt: texts(attempts, 'id'),
    upload: texts(uploads, 'id'),
    upstream: texts(upstreams, 'id'),
    webhook: texts(webhooks, 'id'),
    delivery: texts(deliveries, 'id'),
    event: texts(events, 'id'),
    trigger: texts(triggers, 'id'),
    evaluation: texts(evaluations, 'id'),
    sender: texts(senders, 'id'),
    secret: senders.flatMap((row) => (row['secrets'] as { secret: string }[]).map(({ secret }) => secret)),
    name: [
      ...texts(upstreams, 'version', 'producer'),
      ...texts(webhooks, 'url', 'description'),
      ...texts(datasets, 'name'),
      ...texts(triggers, 'name'),
      ...texts(senders, 'name'),
      ...texts(priors, 'name'),
      ...texts(tasks, 'title'),
    ],
    file: files.flatMap(({ path, gathering }) => [path, gathering!]),
    digest: [...texts(versions, 'digest'), ...texts(priors, 'digest'), ...texts(runs, 'recipe_digest')],
    note: texts(pins, 'note'),
    key: [
      ...texts(evaluations, 'event_key'),
      ...texts(keys, 'key'),
      ...texts(runs, 'idempotency_key'),
      ...texts(uploads, 'idempotency_key'),
    ],
    blob: artifacts.flatMap((row) =>
      Object.values((row['manifest'] as { blobs: Record<string, { sha256: string }> }).blobs).map((one) => one.sha256),
    ),
    cursor: [
      ...texts(datasets, 'id').map(cursor('dataset')),
      ...texts(priors, 'id').map(cursor('prior')),
      ...texts(runs, 'id').map(cursor('run')),
      ...texts(uploads, 'id').map(cursor('upload')),
      ...texts(upstreams, 'id').map(cursor('upstream')),
      ...texts(webhooks, 'id').map(cursor('webhook')),
      ...texts(deliveries, 'id').map(cursor('webhookDelivery')),
      ...texts(events, 'id').map(cursor('projectEvent')),
      ...texts(triggers, 'id').map(cursor('trigger')),
      ...texts(evaluations, 'id').map(cursor('triggerEvaluation')),
    ],
  };
}

async function ask(
  { operation, field }: (typeof FIELDS)[number],
  variables: Record<string, unknown>,
  as: Principal,
): Promise<Answer> {
  const query = documentFor(schema, operation, field, variables);
  if (operation === 'subscription') return await firstOf(query, variables, as);
  return (await (await api.post({ query, variables }, { 'x-project': as.projectId })).json()) as Answer;
}

/** The first event of a subscription, or the error that it was refused with. */
async function firstOf(query: string, variables: Record<string, unknown>, as: Principal): Promise<Answer> {
  class AsPrincipal extends WebSocket {
    constructor(url: string, protocols: string) {
      super(url, protocols, { headers: { 'x-project': as.projectId } });
    }
  }
  const url = `${api.url.replace('http', 'ws')}/graphql`;
  const client = createClient({ url, webSocketImpl: AsPrincipal, retryAttempts: 0 });
  try {
    for await (const answer of client.iterate({ query, variables })) return answer as Answer;
    return { data: { answer: null } };
  } catch (errors) {
    return { errors: errors as NonNullable<Answer['errors']> };
  } finally {
    await client.dispose();
  }
}

/** Whether an answer has no row: null, an empty list, or a member that says that there is none. */
function isNothing({ data, errors }: Answer): boolean {
  if (errors) return errors.every((error) => ['NOT_FOUND', 'INVALID_INPUT'].includes(error.extensions?.code as string));
  const answer = data.answer as null | { __typename?: string; nodes?: unknown[]; edges?: unknown[] };
  if (answer === null) return true;
  // Of several ids, each is answered by itself.
  if (Array.isArray(answer)) return answer.every((one) => one === null);
  if (answer.nodes && answer.edges) return answer.nodes.length + answer.edges.length === 0;
  return ['NotFound', 'InvalidInput'].includes(answer.__typename ?? '');
}

/** Texts of the other project in an answer, but for what the request said itself. */
function leaked(answer: Answer, variables: Record<string, unknown>): string[] {
  const [text, asked] = [JSON.stringify(answer), JSON.stringify(variables)];
  return Object.values(secrets)
    .flat()
    .filter((secret) => text.includes(secret) && !asked.includes(secret));
}

const candidates = (place: Place): string[] =>
  place.type === 'ID'
    ? [
        'dataset',
        'version',
        'prior',
        'run',
        'artifact',
        'task',
        'attempt',
        'upload',
        'upstream',
        'webhook',
        'delivery',
        'trigger',
        'evaluation',
        'sender',
        'digest',
        'name',
      ].flatMap((kind) => secrets[kind]!)
    : Object.values(secrets).flat();

/** Every row of the project that is asked about. */
async function snapshot(): Promise<string[][]> {
  const rows = async (table: string, where: RawBuilder<unknown>): Promise<string[]> => {
    const found = sql<{
      row: string;
    }>`select to_jsonb(t)::text as row from ${sql.table(table)} t where ${where} order by 1`;
    return (await found.execute(api.db)).rows.map(({ row }) => row);
  };
  const project = sql`project_id = ${LOCAL.projectId}`;
  const ofRuns = sql`run_id in (select id from runs where ${project})`;
  return await Promise.all([
    ...[
      ...['datasets', 'dataset_versions', 'priors', 'runs', 'artifacts', 'artifact_inputs', 'run_artifacts'],
      ...['uploads', 'upstream_versions', 'version_upstreams', 'project_events', 'webhooks', 'webhook_deliveries'],
    ].map((table) => rows(table, project)),
    ...['upload_files', 'upload_parts'].map((table) =>
      rows(table, sql`upload_id in (select id from uploads where ${project})`),
    ),
    ...['aliases', 'alias_versions', 'artifact_pins', 'retention_policies', 'blob_references', 'swept_objects'].map(
      (table) => rows(table, project),
    ),
    ...['stages', 'tasks', 'attempts', 'run_events'].map((table) => rows(table, ofRuns)),
  ]);
}

describe('with what another project has', () => {
  it.each(FIELDS)('$name tells nothing and changes nothing', async (one) => {
    const before = await snapshot();
    const plain = variablesFor(one.field, own);
    if (one.operation !== 'mutation') expect(leaked(await ask(one, plain, OTHER), plain)).toEqual([]);
    for (const place of placesOf(one.field)) {
      for (const value of candidates(place)) {
        const variables = variablesFor(one.field, own, { path: place.path, value });
        const answer = await ask(one, variables, OTHER);
        const said = JSON.stringify({ variables, answer });
        expect(leaked(answer, variables), said).toEqual([]);
        // A name or a key may be used in every project; an id may not.
        if (one.operation !== 'mutation' || place.type === 'ID') expect(isNothing(answer), said).toBe(true);
        if (answer.data?.answer?.__typename) expect(answer.errors).toBeUndefined();
      }
    }
    await api.control.importsIdle();
    expect(await snapshot()).toEqual(before);
  });

  it('a trigger that names it is not made', async () => {
    const named = { priorId: secrets['prior']!, launchedBy: secrets['trigger']!, eventSourceId: secrets['sender']! };
    for (const [field, ids] of Object.entries(named)) {
      const of = source(field === 'eventSourceId' ? 'EVENT' : 'RUN', {
        ...(field !== 'eventSourceId' && { outcomes: ['SUCCEEDED'] }),
        [field]: ids[0],
      });
      await expect(make(api, { source: of }, undefined, OTHER)).rejects.toMatchObject({
        ...{ code: 'NOT_FOUND', details: { path: ['source', field] } },
      });
      expect((await make(api, { source: of }, undefined, LOCAL)).source).toMatchObject({ [field]: ids[0] });
    }
  });

  it('lineage of artifacts that both have stays within the project', async () => {
    const lineage = `{ runs { nodes {
      inputs { id usedBy { runs { id } artifacts { id } } producedBy { run { id } } }
      outputs { id producedBy { run { id } task { id attempts { id } } } inputs { id } usedBy { runs { id } artifacts { id } } }
    } } }`;
    const asked = async (as: Principal) =>
      (await (await api.post({ query: lineage }, { 'x-project': as.projectId })).json()) as Answer;
    const [theirs, mine] = [await asked(OTHER), await asked(LOCAL)];
    const ids = (answer: Answer) =>
      new Set<string>(
        answer.data.runs.nodes.flatMap((run: { inputs: { id: string }[] }) => run.inputs.map((one) => one.id)),
      );
    expect([...ids(theirs)].filter((id) => ids(mine).has(id)).length).toBeGreaterThan(0);
    expect(leaked(theirs, {})).toEqual([]);
  });
});

/** Otherwise the refusals above would say nothing. */
it.each(
  FIELDS.filter(
    (one) =>
      one.operation !== 'mutation' &&
      placesOf(one.field).some((place) => place.type === 'ID') &&
      // a recipe names two things, which would be of one project each
      !['estimateRun', 'estimateDrift'].includes(one.field.name),
  ),
)('$name answers the project itself', async (one) => {
  for (const place of placesOf(one.field).filter((of) => of.type === 'ID')) {
    const answers: boolean[] = [];
    for (const value of candidates(place)) {
      const variables = variablesFor(one.field, own, { path: place.path, value });
      const answer = await ask(one, variables, LOCAL);
      answers.push(!isNothing(answer));
      if (!isNothing(answer)) expect(leaked(answer, {}), JSON.stringify(answer)).not.toEqual([]);
    }
    expect([place.path.join('.'), answers.includes(true)]).toEqual([place.path.join('.'), true]);
  }
});

function rootOf(type: string): Record<string, GraphQLField<unknown, unknown>> {
  const found = schema.getType(type);
  if (!found || !('getFields' in found)) throw new Error(`expected a root type ${type}, got none`);
  return found.getFields() as Record<string, GraphQLField<unknown, unknown>>;
}
