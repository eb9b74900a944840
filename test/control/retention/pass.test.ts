/** Passes of retention beside a real engine, database and store: what is needed stays, what is deleted can be made again. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { createDirectoryStore } from '../../../src/adapters/storage/directory.ts';
import { createS3Store } from '../../../src/adapters/storage/s3/store.ts';
import { PushforwardError } from '../../../src/base/errors.ts';
import { type ProjectRetention, type RetentionStore } from '../../../src/control/ports.ts';
import { createPublications, putBlob } from '../../../src/pipeline/artifacts.ts';
import { type ObjectStore } from '../../../src/pipeline/ports.ts';
import { ended, USAGE } from '../../support/engine.ts';
import { createMemoryStore } from '../../support/memory-store.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import { environmentOf, goMissing, type S3Server, startS3Server } from '../../support/s3-server.ts';
import { manifestOf } from '../../support/tasks.ts';
import { until } from '../../support/until.ts';
import { PROJECT, retentionWorld, type RetentionWorld } from './world.ts';

let postgres: TestPostgres;
const folders: string[] = [];
beforeAll(async () => (postgres = await startTestPostgres()), 60_000);
afterAll(async () => {
  await postgres?.stop();
  for (const folder of folders) await rm(folder, { recursive: true, force: true });
});

const open: RetentionWorld[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((world) => world.close()));
});

async function directory(): Promise<ObjectStore> {
  const root = await mkdtemp(join(tmpdir(), 'pushforward-retention-'));
  folders.push(root);
  return createDirectoryStore({ root, signingSecret: 'secret', publicUrl: () => 'http://127.0.0.1:1' });
}

async function newWorld(store: ObjectStore = createMemoryStore()): Promise<RetentionWorld> {
  const world = await retentionWorld(await postgres.database(), store);
  open.push(world);
  return world;
}

describe('over a directory', () => life(() => directory()));

describe.skipIf(goMissing)('over S3', () => {
  let server: S3Server;
  beforeAll(async () => {
    server = await startS3Server();
    for (const [name, value] of Object.entries(environmentOf(server.owner))) vi.stubEnv(name, value);
  }, 600_000);
  afterAll(async () => {
    vi.unstubAllEnvs();
    await server.stop();
  });
  life(async () => createS3Store({ ...(await server.bucket()), prefix: 'some/team' }));
});

function life(openStore: () => Promise<ObjectStore>) {
  it('dooms, waits, deletes what nothing else names, and makes it again when it is asked for', async () => {
    const world = await newWorld(await openStore());
    const [old, recent] = [await world.run(1), await world.run(2)];
    await world.setPolicy({ keepRuns: 1 });
    const before = await world.keys();
    expect(before.store).toEqual(before.rows);

    expect(await world.pass()).toMatchObject({ doomed: { artifacts: 8 }, deleted: { artifacts: 0 } });
    expect([await world.states(old), await world.states(recent)]).toEqual([['DOOMED'], ['KEPT']]);
    expect(await world.keys()).toEqual(before);

    world.clock.hoursAhead = 25;
    const ids = (await world.outputs(old)).map(({ id }) => id);
    const { deleted } = await world.pass();
    expect(deleted.artifacts).toBe(8);
    expect([await world.states(old), await world.states(recent)]).toEqual([['DELETED'], ['KEPT']]);
    const after = await world.keys();
    expect(after.store).toEqual(after.rows);
    // 8 manifests and the bytes that 5 tasks had for themselves.
    expect(before.store.length - after.store.length).toBe(13);
    expect(deleted.bytes).toBe(5 * `own bytes of ${ids[0]}`.length);

    const starts = world.executor.starts.length;
    const again = await world.run(1);
    expect(world.executor.starts.length - starts).toBe(5);
    expect(await world.outputs(again)).toEqual((await world.outputs(old)).map((one) => ({ ...one, state: 'KEPT' })));
    expect((await world.outputs(again)).map(({ id }) => id)).toEqual(ids);
    expect((await world.keys()).store).toEqual(before.store);
    const { store, rows } = await world.keys();
    expect(store).toEqual(rows);
  });

  it('sweeps what attempts left, and tells what is missing', async () => {
    const world = await newWorld(await openStore());
    const run = await world.run(1);
    const { store } = world;
    const put = (key: string, text: string) => store.put(`projects/${PROJECT}/${key}`, new TextEncoder().encode(text));
    const digest = (letter: string) => letter.repeat(64);
    await put(`blobs/${digest('a')}`, 'left by a loser');
    await put(`blobs/${digest('f')}`, 'left by another');
    await put('uploads/one/part', 'not ours');
    // Published by an attempt that died before anyone recorded it; it names an old blob.
    const lost = { formatVersion: 1, id: digest('b'), inputs: [], kind: 'latents' };
    const blobs = { data: { sha256: digest('f'), bytes: 15, mediaType: 'text/plain' } };
    await put(`artifacts/${digest('b')}.json`, JSON.stringify({ ...lost, blobs }));
    await put('artifacts/notes.txt', 'whose is this?');

    expect(await world.sweep()).toMatchObject({
      storeWithoutRow: { count: 0 },
      young: { count: 5 },
      rowWithoutStore: { count: 0 },
      deleted: { count: 0 },
      importing: false,
    });

    const [latents] = (await world.outputs(run)).filter(({ kind }) => kind !== 'stage');
    const { manifest } = await world.db
      .selectFrom('artifacts')
      .select('manifest')
      .where('id', '=', latents!.id)
      .executeTakeFirstOrThrow();
    await store.put(world.objects.blobKey(PROJECT, manifest.blobs['own']!.sha256), new Uint8Array(3));
    await store.delete(world.objects.manifestKey(PROJECT, latents!.id));
    world.clock.hoursAhead = 25;
    const swept = await world.sweep();
    expect(swept.storeWithoutRow.count).toBe(5);
    expect(swept.deleted.count).toBe(3);
    expect(swept.rowWithoutStore).toMatchObject({
      count: 2,
      examples: [
        { key: world.objects.manifestKey(PROJECT, latents!.id), expectedBytes: null, bytes: null },
        { key: world.objects.blobKey(PROJECT, manifest.blobs['own']!.sha256), bytes: 3 },
      ],
    });
    expect(await store.head(`projects/${PROJECT}/uploads/one/part`)).not.toBeNull();
    expect(await store.head(`projects/${PROJECT}/artifacts/notes.txt`)).not.toBeNull();
    // The run makes good what was damaged.
    await world.run(1);
    expect((await world.sweep()).rowWithoutStore.count).toBe(0);
  });
}

describe('a run', () => {
  it('that finds what is doomed saves it, with all that it was made from', async () => {
    const world = await newWorld();
    const [old] = [await world.run(1), await world.run(2)];
    await world.setPolicy({ keepRuns: 1 });
    await world.pass();
    expect(await world.states(old)).toEqual(['DOOMED']);
    const starts = world.executor.starts.length;
    await world.run(1);
    expect(world.executor.starts.length).toBe(starts);
    expect(await world.states(old)).toEqual(['KEPT']);
    world.clock.hoursAhead = 25;
    await world.pass();
    expect(await world.states(old)).toEqual(['KEPT']);
  });

  it('that needs what is being deleted waits until it is gone, and makes it again', async () => {
    const world = await newWorld();
    const [old] = [await world.run(1), await world.run(2)];
    await world.setPolicy({ keepRuns: 1, graceHours: 0 });
    await world.rows.mark((await world.rows.policy())!, world.clock.now(), new AbortController().signal);
    const { keys, sweep } = await world.rows.deleteDoomed(world.clock.now(), world.clock.now(), 100);
    expect(keys.length).toBe(13);
    const verify = vi.spyOn(world.publications, 'verify');
    const starts = world.executor.starts.length;
    const id = await world.launch(1);
    // It finds them again and again, and may not have them.
    await until(() => verify.mock.calls.length > 5);
    expect(await world.outputs(id)).toEqual([]);
    for (const key of keys) await world.store.delete(key);
    await world.rows.confirmGone(sweep, keys);
    await until(async () => (await world.states(old))[0] === 'KEPT' && (await world.outputs(id)).length === 8);
    expect(world.executor.starts.length - starts).toBe(5);
    const after = await world.keys();
    expect(after.store).toEqual(after.rows);
  });

  it('in flight holds what it read and wrote, also where it began long ago', async () => {
    const world = await newWorld();
    world.executor.hold = (order) => order.task.stage === 'report';
    const id = await world.launch(1);
    await until(() => world.executor.held.length > 0);
    await world.setPolicy({ keepDays: 1, graceHours: 0, kinds: [{ kind: 'latents', days: 1, cutLineage: true }] });
    world.clock.hoursAhead = 1000;
    expect(await world.pass()).toMatchObject({ doomed: { artifacts: 0 } });
    await world.executor.held[0]!.succeed();
    expect(await ended(world.db, id)).toBe('SUCCEEDED');
    expect(await world.states(id)).toEqual(['KEPT']);
  });

  it('is not launched on what is deleted', async () => {
    const world = await newWorld();
    await world.setPolicy({ keepDays: 1, graceHours: 0 });
    await world.db
      .updateTable('artifacts')
      .set({ state: 'DELETED', deleted_at: new Date() })
      .where('id', '=', world.version.id)
      .execute();
    await expect(world.launch(1)).rejects.toMatchObject({
      code: 'ARTIFACT_DELETED',
      details: { role: 'datasetVersion', artifactId: world.version.id },
    });
    expect(await world.db.selectFrom('runs').select('id').execute()).toEqual([]);
  });

  it('saves the version that it is launched on', async () => {
    const world = await newWorld();
    await world.db
      .updateTable('artifacts')
      .set({ state: 'DOOMED', doomed_at: new Date() })
      .where('id', '=', world.version.id)
      .execute();
    await world.run(1);
    const rows = await world.db.selectFrom('artifacts').select('state').distinct().execute();
    expect(rows).toEqual([{ state: 'KEPT' }]);
  });
});

describe('beside others', () => {
  const put = (world: RetentionWorld, key: string) => world.store.put(`projects/${PROJECT}/${key}`, new Uint8Array(3));

  it('a pass waits for one that is under way, if it has the patience', async () => {
    const world = await newWorld();
    const claim = await world.retention.claimPass(PROJECT);
    await expect(world.pass()).rejects.toMatchObject({ code: 'NOT_READY' });
    const waiting = world.pass({ patienceMs: 20_000 });
    await claim!.release();
    expect(await waiting).toMatchObject({ deleted: { artifacts: 0 } });
  });

  it('a pass whose claim is lost stops where it is, and the next one goes on', async () => {
    const world = await newWorld();
    await world.setPolicy({ keepRuns: 1, graceHours: 0 });
    const [old] = [await world.run(1), await world.run(2)];
    const lost = new AbortController();
    let deletions = 0;
    const broken = world.pass({
      retention: {
        ...world.retention,
        claimPass: async () => ({ lost: lost.signal, release: async () => {} }),
        project: () => ({
          ...world.rows,
          async deleteDoomed(...of) {
            const condemned = await world.rows.deleteDoomed(...of);
            lost.abort();
            return condemned;
          },
        }),
      },
      store: { ...world.store, delete: async (key) => (deletions++, await world.store.delete(key)) },
    });
    await expect(broken).rejects.toMatchObject({
      code: 'DATABASE_UNAVAILABLE',
      message: expect.stringContaining('the next pass goes on') as string,
    });
    expect([await world.states(old), deletions]).toEqual([['DELETED'], 0]);
    await world.hourPasses();
    await world.pass();
    const { store, rows } = await world.keys();
    expect(store).toEqual(rows);
  });

  it('blobs that nobody names stay while an import is under way, which may be about to name them', async () => {
    const world = await newWorld();
    const key = `blobs/${'a'.repeat(64)}`;
    await put(world, key);
    world.clock.hoursAhead = 25;
    const importing = { state: 'IMPORTING' as const, ended_at: null };
    const version = { id: 'v', project_id: PROJECT, dataset_id: `${PROJECT}_dataset`, number: 2, source: '{}' };
    await world.db
      .insertInto('dataset_versions')
      .values({ ...version, ...importing })
      .execute();
    expect(await world.sweep()).toMatchObject({
      importing: true,
      storeWithoutRow: { count: 1 },
      deleted: { count: 0 },
    });
    await world.db.updateTable('dataset_versions').set({ state: 'FAILED' }).where('id', '=', 'v').execute();
    expect(await world.sweep()).toMatchObject({ importing: false, deleted: { count: 1, bytes: 3 } });
    expect(await world.store.head(`projects/${PROJECT}/${key}`)).toBeNull();
  });

  it('what was written since the oldest attempt began stays while that runs', async () => {
    const world = await newWorld();
    world.executor.hold = (order) => order.task.stage === 'report';
    const id = await world.launch(1);
    await until(() => world.executor.held.length > 0);
    await put(world, `blobs/${'a'.repeat(64)}`);
    // What a pod is told, which holds a token.
    const order = 'orders/pf-1-report-abc/0.json';
    await put(world, order);
    world.clock.hoursAhead = 100;
    expect(await world.sweep(1)).toMatchObject({ storeWithoutRow: { count: 0 }, young: { count: 2 } });
    await world.executor.held[0]!.succeed();
    expect(await ended(world.db, id)).toBe('SUCCEEDED');
    expect(await world.sweep(1)).toMatchObject({ deleted: { count: 2 }, rowWithoutStore: { count: 0 } });
    expect(await world.store.head(`projects/${PROJECT}/${order}`)).toBeNull();
  });

  it('what a task in flight makes again keeps the blobs that are left of it', async () => {
    const world = await newWorld();
    const old = await world.run(1);
    await world.run(2);
    await world.setPolicy({ keepRuns: 1, graceHours: 0 });
    // Decided and begun: the manifests are gone, the blobs are orphans of an hour ago.
    await world.rows.mark((await world.rows.policy())!, world.clock.now(), new AbortController().signal);
    const { keys, sweep } = await world.rows.deleteDoomed(world.clock.now(), world.clock.now(), 100);
    const manifests = keys.filter((key) => key.endsWith('.json'));
    for (const key of manifests) await world.store.delete(key);
    await world.rows.confirmGone(sweep, manifests);
    await sql`delete from swept_objects where gone_at is null`.execute(world.db);
    world.clock.hoursAhead = 25;

    world.executor.hold = () => true;
    await world.launch(1);
    await until(() => world.executor.held.length === 2);
    // The blobs of the two tasks that are being carried out stay, those of the others go.
    expect(await world.sweep()).toMatchObject({ storeWithoutRow: { count: 5 }, deleted: { count: 3 } });
    world.executor.hold = () => false;
    for (const held of world.executor.held) await held.succeed();
    await until(async () => (await world.states(old)).join() === 'KEPT');
    const after = await world.keys();
    expect(after.store).toEqual(after.rows);
  });

  it('an attempt that relied on a blob that went is found wanting and tried again', async () => {
    const world = await newWorld();
    const blob = await putBlob(world.store, PROJECT, new TextEncoder().encode('found'), 'text/plain');
    world.executor.hold = (order) => order.task.stage === 'report';
    const id = await world.launch(1);
    const held = await until(() => world.executor.held[0]);
    // It finds its bytes there, left by someone long ago, so it writes none; a sweep comes before it has published.
    world.clock.hoursAhead = 25;
    expect(await world.sweep()).toMatchObject({ deleted: { count: 1 } });
    const manifest = { ...manifestOf(held.order.task), blobs: { own: blob } };
    await createPublications(world.store).publish(PROJECT, manifest);
    held.settle({ kind: 'succeeded', result: { manifest, metrics: {}, usage: USAGE } });
    const failed = () => world.db.selectFrom('attempts').select('failure').where('state', '=', 'FAILED').execute();
    expect(await until(async () => (await failed())[0]?.failure)).toMatchObject({
      error: { code: 'CORRUPT_ARTIFACT' },
    });
    // The next attempt is held until someone wrote the bytes again.
    const next = await until(() => world.executor.held[1]);
    await putBlob(world.store, PROJECT, new TextEncoder().encode('found'), 'text/plain');
    await next.succeed();
    expect(await ended(world.db, id)).toBe('SUCCEEDED');
    const { store, rows } = await world.keys();
    expect(rows.filter((key) => !store.includes(key))).toEqual([]);
  });

  it('a store that does not delete ends the pass; the next one goes on', async () => {
    const world = await newWorld();
    await world.run(1);
    await world.run(2);
    await world.setPolicy({ keepRuns: 1, graceHours: 0 });
    const away = async () => {
      throw new PushforwardError('STORE_UNAVAILABLE', 'away');
    };
    await expect(world.pass({ store: { ...world.store, delete: away } })).rejects.toMatchObject({ message: 'away' });
    expect(await world.retention.projects()).toEqual([{ projectId: PROJECT, interrupted: true }]);
    await world.hourPasses();
    await world.pass();
    expect(await world.retention.projects()).toEqual([{ projectId: PROJECT, interrupted: false }]);
    const after = await world.keys();
    expect(after.store).toEqual(after.rows);
  });

  it('whoever began to delete and hung sends nothing to the store once another may have taken over', async () => {
    const world = await newWorld();
    for (const seed of [1, 2, 3]) await world.run(seed);
    await world.setPolicy({ keepRuns: 1, graceHours: 0 });
    const deleted: string[] = [];
    const hangs = async (key: string) => {
      deleted.push(key);
      world.clock.hoursAhead += 1;
    };
    await expect(world.pass({ store: { ...world.store, delete: hangs } })).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
    });
    // One batch was under way when it hung; no other followed.
    expect(deleted).toHaveLength(16);
  });
});

/** Dies at its nth call, before or after it was carried out, and answers nothing from then on. */
function mortal(at: { call: number; when: 'before' | 'after' }) {
  let calls = 0;
  let dead = false;
  const die = () => {
    dead = true;
    throw new Error('died');
  };
  const method =
    <Args extends unknown[], T>(of: (...args: Args) => Promise<T>) =>
    async (...args: Args): Promise<T> => {
      if (dead) throw new Error('dead');
      const mine = ++calls === at.call;
      if (mine && at.when === 'before') die();
      const answer = await of(...args);
      if (mine) die();
      return answer;
    };
  return {
    died: () => dead,
    over(world: RetentionWorld): { retention: RetentionStore; store: ObjectStore } {
      const { rows, store, retention } = world;
      const decisions = ['mark', 'deleteDoomed', 'condemnOrphans', 'confirmGone', 'takeInterrupted', 'swept'] as const;
      const wrapped = Object.fromEntries(decisions.map((name) => [name, method(rows[name] as never)]));
      const project = (): ProjectRetention => ({ ...rows, ...wrapped });
      return { retention: { ...retention, project }, store: { ...store, delete: method((key) => store.delete(key)) } };
    },
  };
}

describe('a pass that dies', () => {
  it.each(['before', 'after'] as const)('%s any step is carried on by the next one', async (when) => {
    const world = await newWorld();
    await world.setPolicy({ keepRuns: 1, graceHours: 0 });
    let deaths = 0;
    for (let call = 1; ; call++) {
      const [old] = [await world.run(1), await world.run(2)];
      const orphan = `projects/${PROJECT}/blobs/${'e'.repeat(64)}`;
      await world.store.put(orphan, new Uint8Array(5));
      world.clock.hoursAhead += 25;
      const one = mortal({ call, when });
      await world.pass(one.over(world)).catch((error: Error) => expect(error.message).toMatch(/^(died|dead)$/));
      // Whatever lies there is known, or goes; whatever is known lies there.
      const between = await world.keys();
      const pending = await world.db.selectFrom('swept_objects').select('key').where('gone_at', 'is', null).execute();
      const going = new Set([...pending.map(({ key }) => key), orphan]);
      expect(between.store.filter((key) => !going.has(key))).toEqual(between.rows);

      await world.hourPasses();
      await world.pass();
      // The day's sweep of the one that died may be done.
      await world.sweep(24);
      expect(await world.states(old)).toEqual(['DELETED']);
      const after = await world.keys();
      expect(after.store).toEqual(after.rows);
      if (!one.died()) break;
      deaths++;
    }
    expect(deaths).toBeGreaterThan(8);
  });
});

it('passes and runs of the same recipes, all at once, lose nothing that is kept', async () => {
  const world = await newWorld();
  await world.setPolicy({ keepRuns: 1, graceHours: 0 });
  let running = true;
  let passes = 0;
  const deleted = { artifacts: 0 };
  const sweeping = (async () => {
    while (running) {
      deleted.artifacts += (await world.pass()).deleted.artifacts;
      passes++;
    }
  })();
  const runs = await Promise.all(
    [1, 2, 3].map(async (seed) => {
      const ids: string[] = [];
      for (let round = 0; round < 12; round++) ids.push(await world.run(seed));
      return ids;
    }),
  ).finally(() => (running = false));
  await sweeping;
  expect(runs.flat()).toHaveLength(36);
  expect([passes, deleted.artifacts].every((count) => count > 3)).toBe(true);
  const { store, rows } = await world.keys();
  expect(rows.filter((key) => !store.includes(key))).toEqual([]);
  // What is left over without a row is swept once it is old.
  world.clock.hoursAhead = 25;
  await world.hourPasses();
  await world.sweep();
  const after = await world.keys();
  expect(after.store).toEqual(after.rows);
}, 120_000);
