/** Which imports run when, and what ends them. The importer is scripted, the database is real. */
import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/base/clock.ts';
import { PushforwardError } from '../../src/base/errors.ts';
import { type Control, type ControlOptions, createControl } from '../../src/control/control.ts';
import { type Principal } from '../../src/control/identity.ts';
import { type ProjectCatalog } from '../../src/control/ports.ts';
import { until } from '../support/until.ts';
import { importedFrom, LOCAL, startWorld, type World } from './world.ts';

const OTHER: Principal = { projectId: 'other', actor: 'other' };
const CATS = [{ name: 'cat', images: 3 }];

let world: World;
let open: Control[];
/** Per path of an import under way: lets it go. */
let held: Map<string, () => void>;
beforeAll(async () => {
  world = await startWorld();
  for (const { projectId } of [OTHER, { projectId: 'third' }])
    await world.catalog.ensureProject({ id: projectId, name: projectId });
}, 60_000);
afterAll(() => world?.close());
beforeEach(() => {
  open = [];
  held = new Map();
  return async () => {
    for (const letGo of held.values()) letGo();
    await Promise.all(open.map((control) => control.close()));
    await world.db.updateTable('dataset_versions').set({ state: 'FAILED' }).where('state', '=', 'IMPORTING').execute();
  };
});

function service(more: Partial<ControlOptions> = {}): Control {
  const control = createControl({ ...world.options, ...more });
  open.push(control);
  return control;
}

/** The rows of every project with some of their methods replaced. */
const withRows = (replace: (rows: ProjectCatalog) => Partial<ProjectCatalog>): Partial<ControlOptions> => ({
  catalog: {
    ...world.catalog,
    project: (id) => {
      const rows = world.catalog.project(id);
      return { ...rows, ...replace(rows) };
    },
  },
});

/** A folder to import, and what is there: `hold` keeps an import in it until the test, or its signal, ends it. */
async function folder(what: 'hold' | (() => Promise<typeof CATS>)): Promise<string> {
  const path = join(world.folder, randomUUID());
  await mkdir(path);
  const hold = (signal: AbortSignal) =>
    new Promise<typeof CATS>((resolve, reject) => {
      held.set(path, () => resolve(CATS));
      signal.addEventListener('abort', () => {
        held.delete(path);
        reject(signal.reason as Error);
      });
    });
  world.importer.contents.set(path, what === 'hold' ? hold : what);
  return path;
}

async function asked(control: Control, path: string, principal = LOCAL): Promise<string> {
  const { version } = await control.importDataset(principal, { name: path, path, idempotencyKey: randomUUID() });
  return version.id;
}

const version = async (id: string, principal = LOCAL) =>
  (await world.control.read(principal).datasetVersionsById([id]))[0]!.version;
const deaths = async (id: string) =>
  (await world.db.selectFrom('dataset_versions').select('deaths').where('id', '=', id).executeTakeFirstOrThrow())
    .deaths;
const setDeaths = (id: string, count: number) =>
  world.db.updateTable('dataset_versions').set({ deaths: count }).where('id', '=', id).execute();

function fakeClock() {
  const slept: number[] = [];
  const clock: Clock = { ...systemClock, sleep: async (ms) => void slept.push(ms) };
  return { clock, slept };
}

const away = () => new PushforwardError('STORE_UNAVAILABLE', 'expected the store to answer, got nothing: wait');

describe('an outage', () => {
  it('of the store is waited out, longer each time', async () => {
    let failures = 3;
    const path = await folder(async () => {
      if (failures-- > 0) throw away();
      return CATS;
    });
    const { clock, slept } = fakeClock();
    const control = service({ clock });
    const id = await asked(control, path);
    await control.importsIdle();
    expect(await version(id)).toMatchObject({ state: 'READY', images: 3, error: null });
    expect(slept).toEqual([1000, 2000, 4000]);
    expect(failures).toBe(-1);
  });

  it('that lasts for an hour is the end of the import', async () => {
    const path = await folder(async () => {
      throw away();
    });
    const { clock, slept } = fakeClock();
    const control = service({ clock });
    const id = await asked(control, path);
    await control.importsIdle();
    expect(await version(id)).toMatchObject({ state: 'FAILED', error: { code: 'STORE_UNAVAILABLE' } });
    const minutes = slept.reduce((sum, ms) => sum + ms, 0) / 60_000;
    expect([minutes > 45, minutes < 75]).toEqual([true, true]);
  });

  it('of the database does not make an import read again what it has read', async () => {
    let reads = 0;
    const path = await folder(async () => {
      reads += 1;
      return CATS;
    });
    let failures = 2;
    const { clock, slept } = fakeClock();
    const control = service({
      clock,
      ...withRows((rows) => ({
        finishImport: async (...of) => {
          if (failures-- > 0) throw new PushforwardError('DATABASE_UNAVAILABLE', 'expected an answer: wait');
          await rows.finishImport(...of);
        },
      })),
    });
    const id = await asked(control, path);
    await control.importsIdle();
    expect(await version(id)).toMatchObject({ state: 'READY', images: 3 });
    expect([reads, slept]).toEqual([1, [1000, 2000]]);
  });

  it('ends at once where the import is cancelled meanwhile', async () => {
    let reads = 0;
    const path = await folder(async () => {
      reads += 1;
      throw away();
    });
    const control = service();
    const id = await asked(control, path);
    await until(async () => reads > 0 && (await deaths(id)) === 0);
    expect(await control.cancelImport(LOCAL, id)).toMatchObject({ state: 'FAILED', error: { code: 'CANCELLED' } });
    await control.importsIdle();
  });
});

describe('imports at once', () => {
  it('are those of two projects; one of the same project waits for the one before', async () => {
    const control = service();
    const mine = await folder('hold');
    const first = await asked(control, mine);
    const second = await asked(control, await folder(async () => CATS));
    await until(() => held.has(mine));
    const others = await asked(control, await folder(async () => CATS), OTHER);
    await until(async () => (await version(others, OTHER)).state === 'READY');
    expect([(await version(first)).state, (await version(second)).state]).toEqual(['IMPORTING', 'IMPORTING']);
    held.get(mine)!();
    await control.importsIdle();
    expect([(await version(first)).state, (await version(second)).state]).toEqual(['READY', 'READY']);
  });

  it('go on where one has to be read anew, which is told with its reason', async () => {
    const swept = await folder(async () => CATS);
    const key = world.objects.manifestKey('default', importedFrom(swept, CATS, null).manifest.id);
    const row = { project_id: 'default', key, sweep: 's', condemned_at: new Date() };
    await world.db.insertInto('swept_objects').values(row).execute();
    const told: unknown[] = [];
    const log = { ...world.options.log, warn: (_: string, fields?: object) => void told.push(fields) };
    const control = service({ log: { ...log, with: () => log as never } as never });
    const id = await asked(control, swept);
    const next = await asked(control, await folder(async () => CATS));
    await until(async () => (await version(next)).state === 'READY');
    expect((await version(id)).state).toBe('IMPORTING');
    expect(told[0]).toMatchObject({ code: 'STORE_UNAVAILABLE', error: expect.stringContaining(key) as string });
    await world.db.deleteFrom('swept_objects').execute();
    await control.importsIdle();
    expect((await version(id)).state).toBe('READY');
  });
});

describe('cancelled', () => {
  it('an import under way is FAILED and lets go, and the next one begins', async () => {
    const control = service();
    const path = await folder('hold');
    const id = await asked(control, path);
    const next = await asked(control, await folder(async () => CATS));
    await until(() => held.has(path));
    const answer = await control.cancelImport(LOCAL, id);
    expect(answer).toMatchObject({ id, state: 'FAILED', error: { code: 'CANCELLED' } });
    await control.importsIdle();
    expect(held.has(path)).toBe(false);
    expect(await version(id)).toEqual(answer);
    expect((await version(next)).state).toBe('READY');
    expect(await control.cancelImport(LOCAL, next)).toMatchObject({ state: 'READY', error: null });
  });

  it('one that waits never begins', async () => {
    const control = service();
    const path = await folder('hold');
    await asked(control, path);
    let read = false;
    const waiting = await asked(
      control,
      await folder(async () => {
        read = true;
        return CATS;
      }),
    );
    await until(() => held.has(path));
    await control.cancelImport(LOCAL, waiting);
    held.get(path)!();
    await control.importsIdle();
    expect([read, (await version(waiting)).state]).toEqual([false, 'FAILED']);
  });

  it('of another project is none', async () => {
    const control = service();
    const path = await folder('hold');
    const id = await asked(control, path);
    await expect(control.cancelImport(OTHER, id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await until(() => held.has(path));
    expect((await version(id)).state).toBe('IMPORTING');
  });
});

describe('a service that dies during an import', () => {
  it('is counted before it begins; one that stops alive is not', async () => {
    const control = service();
    const path = await folder('hold');
    const id = await asked(control, path);
    await until(() => held.has(path));
    expect(await deaths(id)).toBe(1);
    await control.close();
    expect([await deaths(id), (await version(id)).state]).toEqual([0, 'IMPORTING']);
  });

  it('three times is the end of the import', async () => {
    const path = await folder('hold');
    const first = service();
    const id = await asked(first, path);
    await until(() => held.has(path));
    await first.close();
    await setDeaths(id, 3);
    const second = service();
    await second.start();
    await second.importsIdle();
    expect(await version(id)).toMatchObject({
      state: 'FAILED',
      error: { code: 'WORKER_LOST', message: expect.stringMatching(/died during it 3 times: .*memory/) as string },
    });
  });

  it('twice lets it run alone, so that no other shares the blame', async () => {
    const [suspect, innocent] = [await folder('hold'), await folder('hold')];
    const first = service();
    const id = await asked(first, suspect);
    await until(() => held.has(suspect));
    await first.close();
    await setDeaths(id, 2);
    const second = service();
    const other = await asked(second, innocent, OTHER);
    await until(() => held.has(suspect));
    expect([held.has(innocent), await deaths(id), await deaths(other)]).toEqual([false, 3, 0]);
    held.get(suspect)!();
    await until(() => held.has(innocent));
    held.get(innocent)!();
    await second.importsIdle();
    expect([(await version(id)).state, (await version(other, OTHER)).state]).toEqual(['READY', 'READY']);
  });
});
