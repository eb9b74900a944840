import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createCatalog } from '../../../src/adapters/database/catalog.ts';
import { openDatabase } from '../../../src/adapters/database/connection.ts';
import { type ImportOrder, type ProjectCatalog } from '../../../src/control/ports.ts';
import { startTestPostgres, type TestDatabase, type TestPostgres } from '../../support/postgres.ts';
import { manifestOf, taskOf } from '../../support/tasks.ts';

let postgres: TestPostgres;
let database: TestDatabase;
let rows: ProjectCatalog;

beforeAll(async () => {
  postgres = await startTestPostgres();
}, 60_000);
afterAll(() => postgres.stop());
beforeEach(async () => {
  database = await postgres.database();
  const catalog = createCatalog(database.db, database.objects);
  await catalog.ensureProject({ id: 'project_1', name: 'one' });
  rows = catalog.project('project_1');
});

let ids = 0;
const order = (idempotencyKey: string, more: Partial<ImportOrder> & { path?: string; asked?: string } = {}) => {
  const { path = '/data', asked = path, ...rest } = more;
  return {
    datasetVersionId: `version_${++ids}`,
    newDatasetId: `dataset_${ids}`,
    datasetName: 'letters',
    source: { path, asked, classes: null, split: null, upstreamVersionId: null },
    uploadId: null,
    idempotencyKey,
    ...rest,
  };
};
const imported = (digest: string) => {
  const manifest = manifestOf(taskOf({ stage: 'import', options: { digest } }));
  return { digest, images: 1, newImages: 1, classes: [{ name: 'a\0', images: 1 }], manifest };
};

describe('the key of an import', () => {
  it('that joined one under way answers with it for good', async () => {
    const first = await rows.createImport(order('K1'));
    const joined = await rows.createImport(order('K2', { asked: '/link' }));
    expect(joined).toEqual({ datasetVersionId: first.datasetVersionId, created: false });
    await rows.finishImport(first.datasetVersionId, imported('d'));
    for (const key of ['K1', 'K2']) expect(await rows.createImport(order(key))).toEqual({ ...first, created: false });
    expect(await rows.datasetVersionByKey('K2')).toMatchObject({
      version: { id: first.datasetVersionId, state: 'READY' },
      source: { asked: '/link' },
      datasetName: 'letters',
    });
    expect((await rows.createImport(order('K3'))).created).toBe(true);
  });

  it('keeps what it was used for, also once the same images were seen elsewhere', async () => {
    const first = await rows.createImport(order('K1'));
    await rows.finishImport(first.datasetVersionId, imported('d'));
    const moved = await rows.createImport(order('K2', { path: '/moved' }));
    await rows.finishImport(moved.datasetVersionId, imported('d'));
    const found = (await rows.datasetVersionByKey('K1'))!;
    expect([found.source.path, found.version.source.path]).toEqual(['/data', '/moved']);
    expect((await rows.datasetVersionByKey('K2'))!.version.id).toBe(first.datasetVersionId);
  });

  it('makes one import, however often and for whatever it is used at once', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, i) => rows.createImport(order('K', { datasetName: `set ${i}` }))),
    );
    expect(new Set(answers.map((of) => of.datasetVersionId)).size).toBe(1);
    expect(answers.filter((of) => of.created)).toHaveLength(1);
    expect((await rows.datasets({ first: 30, after: null })).items).toHaveLength(1);
  });

  it('is of its project alone', async () => {
    const catalog = createCatalog(database.db, database.objects);
    await catalog.ensureProject({ id: 'project_2', name: 'two' });
    await rows.createImport(order('K'));
    expect(await catalog.project('project_2').datasetVersionByKey('K')).toBeNull();
    expect((await catalog.project('project_2').createImport(order('K'))).created).toBe(true);
  });
});

describe('the catalog', () => {
  it('names an outage', async () => {
    const db = openDatabase({ url: 'postgres://x:y@127.0.0.1:1/none' });
    const away = createCatalog(db, database.objects);
    const asked = [
      away.ping(),
      away.ensureProject({ id: 'p', name: 'p' }),
      away.pendingImports(),
      away.project('p').runsById(['r']),
      away.project('p').createImport(order('K')),
    ];
    for (const one of asked) await expect(one).rejects.toMatchObject({ code: 'DATABASE_UNAVAILABLE' });
    await db.destroy();
  });

  it('records a failure with NUL, and refuses a name with one', async () => {
    const { datasetVersionId } = await rows.createImport(order('K'));
    await rows.failImport(datasetVersionId, { code: 'CORRUPT_IMAGE', message: 'a\0b' });
    const [found] = await rows.datasetVersionsById([datasetVersionId]);
    expect(found!.version).toMatchObject({ state: 'FAILED', error: { message: 'a\ufffdb' } });
    const named = rows.createImport(order('L', { datasetName: 'a\0b' }));
    await expect(named).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});
