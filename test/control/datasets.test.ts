import { randomUUID } from 'node:crypto';
import { mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../src/base/clock.ts';
import { PushforwardError } from '../../src/base/errors.ts';
import { createControl } from '../../src/control/control.ts';
import { LOCAL, importedFrom, readyVersion, startWorld, type World } from './world.ts';

let world: World;
beforeAll(async () => (world = await startWorld()), 60_000);
afterAll(() => world?.close());

const version = async (id: string) => (await world.control.read(LOCAL).datasetVersionsById([id]))[0]!.version;

describe('an import', () => {
  it('is recorded at once and read in the background', async () => {
    world.importer.contents.set(world.folder, [
      { name: 'cat', images: 3 },
      { name: 'dog', images: 4 },
    ]);
    const request = { name: 'pets', path: world.folder, idempotencyKey: 'pets-1' };
    const first = await world.control.importDataset(LOCAL, request);
    expect(first).toMatchObject({ reused: false, version: { state: 'IMPORTING', number: 1 } });

    const again = await world.control.importDataset(LOCAL, request);
    expect(again).toMatchObject({ reused: true, version: { id: first.version.id } });

    await world.control.importsIdle();
    expect(await version(first.version.id)).toMatchObject({
      state: 'READY',
      images: 7,
      reused: false,
      classes: [
        { name: 'cat', images: 3 },
        { name: 'dog', images: 4 },
      ],
    });
  });

  it('of the same bytes ends as the version that is there, of other bytes as a new one', async () => {
    const first = await readyVersion(world, 'twice', [{ name: 'cat', images: 5 }]);
    const same = await readyVersion(world, 'twice', [{ name: 'cat', images: 5 }]);
    const sameAgain = await readyVersion(world, 'twice', [{ name: 'cat', images: 5 }]);
    const other = await readyVersion(world, 'twice', [{ name: 'cat', images: 6 }]);
    expect(same).toMatchObject({ id: first.id, reused: true, number: 1 });
    expect(sameAgain).toMatchObject({ id: first.id, reused: true });
    expect(other).toMatchObject({ reused: false, number: 2 });
    const { items } = await world.catalog.project(LOCAL.projectId).projectEvents({ first: 9, after: null }, null);
    const told = items.filter(({ subject }) => subject === first.datasetId);
    expect(told.map(({ type, payload }) => [type, payload['datasetVersionId'], payload['reused']])).toEqual([
      ['datasetVersion.ready', other.id, false],
      ['datasetVersion.ready', first.id, true],
      ['datasetVersion.ready', first.id, true],
      ['datasetVersion.ready', first.id, false],
    ]);
    const { datasetId } = first;
    const page = (before: number | null) => ({ datasetId, before, first: 10 });
    const listed = await world.control.read(LOCAL).versionsOfDatasets([page(null), page(2)]);
    expect(listed.map((one) => one.id)).toEqual([other.id, first.id]);
    expect(await world.control.read(LOCAL).versionsOfDatasets([page(2)])).toMatchObject([{ id: first.id }]);
    expect(world.importer.previous.at(-1)).toBe(first.artifactId);
  });

  it('of the same images elsewhere moves where the version is read from, and nothing else', async () => {
    const elsewhere = join(world.folder, 'elsewhere');
    await mkdir(elsewhere);
    const before = await readyVersion(world, 'moved', [{ name: 'cat', images: 5 }]);
    world.importer.contents.set(elsewhere, [{ name: 'cat', images: 5 }]);
    await world.control.importDataset(LOCAL, { name: 'moved', path: elsewhere, idempotencyKey: 'moved' });
    await world.control.importsIdle();
    const { source, artifactId, ...same } = await version(before.id);
    expect(before).toMatchObject(same);
    expect([before.source.path, source.path]).toEqual([world.folder, elsewhere]);
    expect(artifactId).not.toBe(before.artifactId);
    expect((await world.control.read(LOCAL).artifactsById([artifactId!])).map((one) => one.id)).toEqual([artifactId]);
  });

  it('refuses a key that was used for another request', async () => {
    await world.control.importDataset(LOCAL, { name: 'keyed', path: world.folder, idempotencyKey: 'once' });
    const other = world.control.importDataset(LOCAL, { name: 'other', path: world.folder, idempotencyKey: 'once' });
    await expect(other).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT', details: { path: ['idempotencyKey'] } });
    await world.control.importsIdle();
  });

  it('of another split is another request, under its key as under way', async () => {
    let release = () => {};
    world.importer.gate.hold = new Promise((go) => (release = go));
    const ask = (split: string | null, idempotencyKey: string) =>
      world.control.importDataset(LOCAL, { name: 'splits', path: world.folder, split, idempotencyKey });
    const first = await ask('train', 'splits-train');
    expect(first.version.source.split).toBe('train');
    expect((await ask('train', 'splits-joined')).version.id).toBe(first.version.id);
    expect((await ask('test', 'splits-test')).version.id).not.toBe(first.version.id);
    await expect(ask('test', 'splits-train')).rejects.toMatchObject({ code: 'IDEMPOTENCY_CONFLICT' });
    await expect(ask('a/b', 'splits-path')).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      details: { path: ['split'] },
    });
    world.importer.gate.hold = null;
    release();
    await world.control.importsIdle();
  });

  it('that fails keeps its reason, and the next one has its chance', async () => {
    world.importer.contents.set(world.folder, new PushforwardError('CORRUPT_IMAGE', 'expected an image: remove it'));
    const { version: failed } = await world.control.importDataset(LOCAL, {
      name: 'broken',
      path: world.folder,
      idempotencyKey: 'broken',
    });
    await world.control.importsIdle();
    expect(await version(failed.id)).toMatchObject({ state: 'FAILED', error: { code: 'CORRUPT_IMAGE' } });
    expect(await readyVersion(world, 'broken', [{ name: 'cat', images: 1 }])).toMatchObject({
      state: 'READY',
      number: 2,
    });
  });

  it('that a service left behind is taken up by the next', async () => {
    let release = () => {};
    world.importer.gate.hold = new Promise((resolve) => (release = resolve));
    const first = createControl(world.options);
    const { version: pending } = await first.importDataset(LOCAL, {
      name: 'resumed',
      path: world.folder,
      idempotencyKey: 'resumed',
    });
    await expect.poll(async () => (await version(pending.id)).progress.images).toBe(1);
    await first.close();
    expect((await version(pending.id)).state).toBe('IMPORTING');

    const second = createControl(world.options);
    await second.start();
    release();
    world.importer.gate.hold = null;
    await second.importsIdle();
    expect((await version(pending.id)).state).toBe('READY');
    await second.close();
  });

  it('waits for a database that is away', async () => {
    let failures = 2;
    const slept: number[] = [];
    const control = createControl({
      ...world.options,
      clock: { ...systemClock, sleep: async (ms) => void slept.push(ms) },
      catalog: {
        ...world.catalog,
        pendingImports: async () => {
          if (failures-- > 0) throw new PushforwardError('DATABASE_UNAVAILABLE', 'away');
          return world.catalog.pendingImports();
        },
      },
    });
    const { version: late } = await control.importDataset(LOCAL, {
      name: 'late',
      path: world.folder,
      idempotencyKey: 'late',
    });
    await control.importsIdle();
    expect(slept).toEqual([2000, 2000]);
    expect((await version(late.id)).state).toBe('READY');
    await control.close();
  });

  it('is read anew where what it relied on was deleted under it', async () => {
    const path = join(world.folder, 'swept');
    await mkdir(path);
    const classes = [{ name: 'cat', images: 77 }];
    world.importer.contents.set(path, classes);
    const key = world.objects.manifestKey('default', importedFrom(path, classes, null).manifest.id);
    const swept = { project_id: 'default', key, sweep: 's', condemned_at: new Date() };
    await world.db.insertInto('swept_objects').values(swept).execute();
    const read = world.importer.previous.length;
    const { version: asked } = await world.control.importDataset(LOCAL, {
      name: 'swept',
      path,
      idempotencyKey: 'swept',
    });
    await expect.poll(() => world.importer.previous.length, { timeout: 20_000 }).toBe(read + 2);
    expect(await version(asked.id)).toMatchObject({ state: 'IMPORTING', error: null });
    await world.db.deleteFrom('swept_objects').execute();
    await world.control.importsIdle();
    expect(await version(asked.id)).toMatchObject({ state: 'READY', images: 77, error: null });
  });

  it('one under way of the same source is joined', async () => {
    let release = () => {};
    world.importer.gate.hold = new Promise((resolve) => (release = resolve));
    const path = world.folder;
    const [one, two] = await Promise.all(
      ['a', 'b'].map((key) =>
        world.control.importDataset(LOCAL, { name: 'joined', path, idempotencyKey: `joined-${key}` }),
      ),
    );
    expect(one!.version.id).toBe(two!.version.id);
    expect([one!.reused, two!.reused].sort()).toEqual([false, true]);
    release();
    world.importer.gate.hold = null;
    await world.control.importsIdle();
  });
});

describe('a path', () => {
  const request = (path: string) => ({ name: 'path', path, idempotencyKey: `path ${path}` });

  it('is absolute and can be read', async () => {
    await expect(world.control.importDataset(LOCAL, request('relative'))).rejects.toMatchObject({
      code: 'INVALID_INPUT',
    });
    await expect(world.control.importDataset(LOCAL, request('/no/such/folder'))).rejects.toMatchObject({
      code: 'SOURCE_UNREADABLE',
    });
  });

  it('lies within the import roots, also behind a link', async () => {
    const inside = join(world.folder, 'inside');
    await mkdir(inside);
    const control = createControl({ ...world.options, importRoots: [inside] });
    await symlink('/etc', join(inside, 'link'));
    for (const path of ['/etc', join(inside, 'link'), `${inside}/..`]) {
      await expect(control.importDataset(LOCAL, request(path))).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
    }
    await expect(control.importDataset(LOCAL, request(inside))).resolves.toMatchObject({ reused: false });
    await control.importsIdle();
    await control.close();
  });
});

describe('an s3:// source', () => {
  const accepts = async (importRoots: string[] | null, path: string) => {
    const control = createControl({ ...world.options, importRoots });
    try {
      const { version } = await control.importDataset(LOCAL, { name: 's3', path, idempotencyKey: randomUUID() });
      await control.importsIdle();
      return version.source.path;
    } finally {
      await control.close();
    }
  };

  it('is named without a slash at its end, and is looked for only by the import', async () => {
    expect(await accepts(null, 's3://photos/team/set/')).toBe('s3://photos/team/set');
    expect(await accepts(null, 's3://photos/')).toBe('s3://photos');
  });

  it.each([
    ['s3://photos', 's3://photos/team/set'],
    ['s3://photos/team', 's3://photos/team'],
    ['s3://photos/team/', 's3://photos/team/set.tar'],
  ])('may lie below the import root %s: %s', async (root, path) => {
    expect(await accepts(['/data', root], path)).toBe(path);
  });

  it.each([
    [['s3://photos/team'], 's3://photos/teams/set'],
    [['s3://photos/team'], 's3://photos'],
    [['s3://photos/team'], 's3://photo/team/set'],
    [['/data'], 's3://photos/team'],
    [[], 's3://photos/team'],
    [null, 's3://photos/team/../other'],
    [null, 's3://photos//team'],
  ])('with the import roots %j is UNSAFE_PATH at %s', async (roots, path) => {
    await expect(accepts(roots, path)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
  });

  it.each(['s3://', 's3:photos', 's3://Photos/x', 's3://ph', 'gs://photos/x', 'http://photos/x'])(
    'is INVALID_INPUT as %s',
    async (path) => {
      await expect(accepts(null, path)).rejects.toMatchObject({
        code: 'INVALID_INPUT',
        message: /s3:\/\/bucket/ as never,
      });
    },
  );

  it.each([
    's3://store/team/projects',
    's3://store/team/projects/other/uploads/1/a.tar',
    's3://store/team',
    's3://store',
  ])('may not reach the objects of projects: %s', async (path) => {
    const own = { ...world.options, ownObjects: ['s3://store/team/projects'], importRoots: ['s3://store'] };
    const control = createControl(own);
    try {
      const importing = (from: string) =>
        control.importDataset(LOCAL, { name: 's3', path: from, idempotencyKey: randomUUID() });
      await expect(importing(path)).rejects.toMatchObject({ code: 'UNSAFE_PATH', message: /own objects/ as never });
      await expect(importing('s3://store/team/projects-of-mine')).resolves.toMatchObject({});
      await control.importsIdle();
    } finally {
      await control.close();
    }
  });

  it('may not reach the folder of the state of the service, by whatever name', async () => {
    const state = join(world.folder, 'state');
    await mkdir(join(state, 'store'), { recursive: true });
    const link = join(world.folder, `link-${randomUUID()}`);
    await symlink(state, link);
    const control = createControl({ ...world.options, ownObjects: [link] });
    try {
      for (const path of [state, link, join(link, 'store'), join(state, '..', 'state', 'store')]) {
        const importing = control.importDataset(LOCAL, { name: 'own', path, idempotencyKey: randomUUID() });
        await expect(importing).rejects.toMatchObject({ code: 'UNSAFE_PATH', message: /own objects/ as never });
      }
    } finally {
      await control.close();
    }
  });

  it('may not be a folder around that of the state, unless it is hidden there', async () => {
    const root = join(world.folder, randomUUID());
    const importing = async (state: string, path: string) => {
      await mkdir(join(root, state), { recursive: true });
      const control = createControl({ ...world.options, ownObjects: [join(root, state)] });
      try {
        const { version } = await control.importDataset(LOCAL, { name: 'own', path, idempotencyKey: randomUUID() });
        await control.importsIdle();
        return version.source.path;
      } finally {
        await control.close();
      }
    };
    const refused = { code: 'UNSAFE_PATH', message: /holds them in .*service\/state: name the folders/ as never };
    for (const path of [root, join(root, 'service')]) {
      await expect(importing('service/state', path)).rejects.toMatchObject(refused);
    }
    expect(await importing('.pushforward', root)).toBe(root);
    expect(await importing('.hidden/state', root)).toBe(root);
    await mkdir(join(root, 'images'));
    expect(await importing('service/state', join(root, 'images'))).toBe(join(root, 'images'));
  });

  it('root opens no folder of this machine', async () => {
    await expect(accepts(['s3://photos'], world.folder)).rejects.toMatchObject({ code: 'UNSAFE_PATH' });
  });
});

it('a project sees nothing of another', async () => {
  const mine = await readyVersion(world, 'mine', [{ name: 'cat', images: 5 }]);
  const others = world.control.read({ projectId: 'other', actor: 'x' });
  expect(await others.datasetVersionsById([mine.id])).toEqual([]);
  expect(await others.datasetsById([mine.datasetId])).toEqual([]);
  expect(await others.versionsOfDatasets([{ datasetId: mine.datasetId, before: null, first: 10 }])).toEqual([]);
  expect(await others.newestVersions([mine.datasetId])).toEqual([]);
  expect(await others.artifactsById([mine.artifactId!])).toEqual([]);
  expect((await others.datasets({ first: 10, after: null })).items).toEqual([]);
});
