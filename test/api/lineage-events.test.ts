import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { newId } from '../../src/base/ids.ts';
import { LOCAL } from '../control/world.ts';
import { startTestApi, type TestApi } from './client.ts';

let api: TestApi;
let place: string;
beforeAll(async () => {
  api = await startTestApi();
  await api.catalog.ensureProject({ id: 'other', name: 'Other project' });
  vi.spyOn(api.control, 'authenticate').mockImplementation(async ({ headers }) =>
    headers['x-project'] === 'other' ? { projectId: 'other', actor: 'stranger' } : LOCAL,
  );
}, 60_000);
afterAll(() => api.close());
beforeEach(() => void (place = `s3://lake/${newId('set')}`));

const hourAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000).toISOString();
function event(version: string, more: object = {}) {
  const facet = { _producer: 'https://p', _schemaURL: 'https://s' };
  return {
    ...{ eventType: 'COMPLETE', eventTime: hourAgo(1), producer: 'https://github.com/some/tool' },
    schemaURL: 'https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent',
    run: { runId: crypto.randomUUID() },
    job: { namespace: 'airflow', name: 'clean_images' },
    outputs: [
      {
        ...{ namespace: 's3://lake', name: `/${place.slice('s3://lake/'.length)}/` },
        facets: {
          version: { ...facet, datasetVersion: version },
          schema: { ...facet, fields: [{ name: 'image', type: 'binary' }] },
        },
      },
    ],
    ...more,
  };
}

const send = (body: unknown, headers: Record<string, string> = {}, query = '') =>
  fetch(`${api.url}/api/v1/lineage${query}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: body instanceof Uint8Array ? new Uint8Array(body) : JSON.stringify(body),
  });
const told = async (...of: Parameters<typeof send>) => {
  const response = await send(...of);
  const { versions } = (await response.json()) as { versions: { id: string }[] };
  return { status: response.status, id: versions[0]?.id };
};
const known = async (as = 'default') =>
  (await api.db.selectFrom('upstream_versions').where('project_id', '=', as).select('id').execute()).length;

async function imported(from = place): Promise<string> {
  const { version } = await api.control.importDataset(LOCAL, {
    name: newId('set'),
    path: from,
    idempotencyKey: newId('key'),
  });
  await api.control.importsIdle();
  return version.id;
}
const walk = async (node: string, direction = 'UPSTREAM') =>
  ((await api.operation('Lineage', { node, direction, depth: 3 })).data.lineage.nodes as { kind: string; id: string }[])
    .filter(({ kind }) => kind !== 'ARTIFACT')
    .map(({ id }) => id);

describe('POST /api/v1/lineage', () => {
  it('keeps a version once, however often it is told', async () => {
    const first = await told(event('1'));
    expect(first).toEqual({ status: 201, id: expect.stringMatching(/^ups_[0-9a-f]{40}$/) as string });
    expect(await told(event('1'))).toEqual({ status: 200, id: first.id });
    expect(await told(event('2'))).toMatchObject({ status: 201 });
    const all = (await api.operation('UpstreamVersions', { first: 2 })).data.upstreamVersions.nodes;
    expect(all).toMatchObject([
      { version: '2' },
      {
        id: first.id,
        version: '1',
        namespace: 's3://lake',
        place,
        job: { namespace: 'airflow', name: 'clean_images' },
      },
    ]);
    const fields = await api.query(
      'query($id: ID!) { node(id: $id) { ... on UpstreamVersion { fields { name type } } } }',
      {
        id: first.id,
      },
    );
    expect(fields.data.node).toEqual({ fields: [{ name: 'image', type: 'binary' }] });
  });

  it('takes it compressed, and one of two senders at once', async () => {
    expect(await told(gzipSync(JSON.stringify(event('1'))), { 'content-encoding': 'gzip' })).toMatchObject({
      status: 201,
    });
    const both = await Promise.all([told(event('2')), told(event('2'))]);
    expect(both.map(({ status }) => status).sort()).toEqual([200, 201]);
  });

  it('answers what tells of no version, and keeps nothing', async () => {
    const before = await known();
    expect(await told(event('1', { eventType: 'START' }))).toEqual({ status: 200, id: undefined });
    expect(await known()).toBe(before);
  });

  it('refuses what is no event, what is too large, and what a page of another site sends', async () => {
    const before = await known();
    const wrong = await send(event('1', { run: { runId: 'x' } }));
    expect([wrong.status, await wrong.json()]).toEqual([
      400,
      {
        code: 'INVALID_INPUT',
        message: expect.stringMatching(/^expected a UUID at run.runId .*, got "x": send/) as string,
      },
    ]);
    expect((await send({ ...event('1'), padding: 'x'.repeat(5 * 1024 * 1024) })).status).toBe(413);
    const bomb = gzipSync(JSON.stringify({ ...event('1'), padding: 'x'.repeat(5 * 1024 * 1024) }));
    expect((await send(bomb, { 'content-encoding': 'gzip' })).status).toBe(413);
    expect((await send(new TextEncoder().encode('{'))).status).toBe(400);
    expect((await send(event('1'), { 'content-type': 'text/plain' })).status).toBe(400);
    expect((await send(event('1'), { origin: 'https://evil.example' })).status).toBe(403);
    expect(await known()).toBe(before);
  });

  it('keeps it in the project of the caller, and in no other', async () => {
    const version = await imported();
    const theirs = await told(event('1'), { 'x-project': 'other' }, '?project=other');
    expect(theirs.status).toBe(201);
    expect(await walk(version)).toEqual([]);
    expect((await api.operation('Lineage', { node: theirs.id, direction: 'DOWNSTREAM' })).errors).toMatchObject([
      { extensions: { code: 'NOT_FOUND' } },
    ]);
    const [mine, foreign] = [await known(), await known('other')];
    for (const query of ['?project=default', '?project=none']) {
      const refused = await send(event('2'), { 'x-project': 'other' }, query);
      expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([403, 'FORBIDDEN']);
    }
    expect((await send(event('2'), {}, '?project=a&project=b')).status).toBe(400);
    expect([await known(), await known('other')]).toEqual([mine, foreign]);
  });
});

describe('a dataset version', () => {
  it('comes from the upstream version that lay there when it was imported', async () => {
    const old = await told(event('old', { eventTime: hourAgo(2) }));
    const newer = await told(event('newer', { eventTime: hourAgo(1) }));
    await told(event('to come', { eventTime: hourAgo(-1) }));
    await told({ ...event('elsewhere'), outputs: [{ ...event('elsewhere').outputs[0], name: 'elsewhere' }] });
    const version = await imported();
    expect(await walk(version)).toEqual([newer.id]);
    expect(await walk(newer.id!, 'DOWNSTREAM')).toEqual([version]);
    expect(await walk(old.id!, 'DOWNSTREAM')).toEqual([]);
    const { data } = await api.operation('Lineage', { node: version, direction: 'UPSTREAM' });
    expect(data.lineage.nodes).toContainEqual(
      expect.objectContaining({
        ...{ kind: 'UPSTREAM_VERSION', depth: 1 },
        node: expect.objectContaining({ namespace: 's3://lake', upstreamVersion: 'newer' }) as object,
      }),
    );
  });

  it('comes from the same one when the events come late, in any order', async () => {
    const version = await imported();
    expect(await walk(version)).toEqual([]);
    const newer = await told(event('newer', { eventTime: hourAgo(1) }));
    expect(await walk(version)).toEqual([newer.id]);
    await told(event('old', { eventTime: hourAgo(2) }));
    expect(await walk(version)).toEqual([newer.id]);
    const newest = await told(event('newest', { eventTime: hourAgo(0.5) }));
    expect(await walk(version)).toEqual([newest.id]);
  });

  it('comes from the upstream version that the import names, wherever that lies and whatever is told later', async () => {
    const other = await told({
      ...event('1'),
      outputs: [{ ...event('1').outputs[0], namespace: 'postgres://db:5432' }],
    });
    await told(event('1'));
    const importing = (upstreamVersionId: string, idempotencyKey: string) =>
      api.operation('ImportDataset', { input: { name: 'named', path: place, upstreamVersionId, idempotencyKey } });
    const key = newId('key');
    const { version } = (await importing(other.id!, key)).data.importDataset;
    await api.control.importsIdle();
    await told(event('2'));
    expect(await walk(version.id)).toEqual([other.id]);
    const another = await importing((await told(event('1'))).id!, key);
    expect(another.data.importDataset).toMatchObject({ __typename: 'IdempotencyConflict' });
    expect((await importing('ups_none', newId('key'))).data.importDataset).toMatchObject({
      ...{ __typename: 'NotFound', message: expect.stringMatching(/^expected an upstream version of this/) as string },
    });
    const theirs = await told(event('1'), { 'x-project': 'other' });
    expect((await importing(theirs.id!, newId('key'))).data.importDataset).toMatchObject({ __typename: 'NotFound' });
  });

  it('that was found again elsewhere comes from both places', async () => {
    const name = newId('set');
    const from = async (path: string) => {
      const { version } = await api.control.importDataset(LOCAL, { name, path, idempotencyKey: newId('key') });
      await api.control.importsIdle();
      return version.id;
    };
    const [here, there] = [place, `${place}-copy`];
    const first = await told(event('1'));
    const version = await from(here);
    const copy = await told({
      ...event('1'),
      outputs: [{ ...event('1').outputs[0], name: there.slice('s3://lake/'.length) }],
    });
    await from(there);
    expect((await walk(version)).sort()).toEqual([first.id, copy.id].sort());
  });
});
