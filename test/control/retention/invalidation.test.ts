/** Invalidation beside a real engine, database and store. */
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { invalidateArtifacts } from '../../../src/control/retention/invalidation.ts';
import { ended } from '../../support/engine.ts';
import { createMemoryStore } from '../../support/memory-store.ts';
import { startTestPostgres, type TestPostgres } from '../../support/postgres.ts';
import { until } from '../../support/until.ts';
import { PROJECT, retentionWorld, type RetentionWorld, signal } from './world.ts';

let postgres: TestPostgres;
beforeAll(async () => (postgres = await startTestPostgres()), 60_000);
afterAll(() => postgres?.stop());

let world: RetentionWorld;
afterEach(() => world.close());
const newWorld = async () => (world = await retentionWorld(await postgres.database(), createMemoryStore()));
const invalidate = (ids: string[]) => invalidateArtifacts(world, PROJECT, ids, 'bad encoder (ann)', signal);
const latentsOf = async (runId: string) =>
  (await world.outputs(runId)).filter(({ kind }) => kind === 'latents').map(({ id }) => id);

describe('invalidated artifacts', () => {
  it('are gone at once, are made again under their ids, and say why', async () => {
    await newWorld();
    const first = await world.run(1);
    const ids = await latentsOf(first);
    const before = await world.keys();
    const tally = await invalidate(ids);
    expect(tally.artifacts).toBe(ids.length);
    expect(tally.bytes).toBeGreaterThan(0);
    const after = await world.keys();
    expect(after.store).toEqual(after.rows);
    expect(after.store.length).toBeLessThan(before.store.length);
    expect(await invalidate(ids)).toEqual({ artifacts: 0, bytes: 0 });

    const starts = world.executor.starts.length;
    const second = await world.run(1);
    expect(world.executor.starts.length - starts).toBe(ids.length);
    const tasks = await world.db.selectFrom('tasks').selectAll().where('run_id', '=', second).execute();
    expect(tasks.map(({ cache }) => cache)).toEqual(tasks.map(() => 'STALE'));
    for (const { cache_reason } of tasks)
      expect(cache_reason).toMatch(/^it was deleted at .* by hand: bad encoder \(ann\)$/);
    expect(await world.keys()).toEqual(before);
    const rows = await world.db.selectFrom('artifacts').select(['state', 'deleted_because']).distinct().execute();
    expect(rows).toEqual([{ state: 'KEPT', deleted_because: null }]);
  });

  it('are all of them or none: one that is held, unknown or no run made keeps the others', async () => {
    await newWorld();
    const first = await world.run(1);
    const [one, other] = await latentsOf(first);
    await world.rows.pin(other!, '', 'ann');
    await expect(invalidate([one!, other!])).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: /pinned/ as never,
    });
    await expect(invalidate([one!, 'none'])).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(invalidate([one!, world.version.id])).rejects.toMatchObject({ message: /imported/ as never });
    await world.rows.unpin(other!);

    world.executor.hold = ({ task }) => task.stage === 'quantize';
    const second = await world.launch(2);
    await until(() => world.executor.held.length === 2);
    const [needed] = (await latentsOf(second)).filter((id) => id !== one && id !== other);
    await expect(invalidate([one!, needed!])).rejects.toMatchObject({ message: /a run under way needs/ as never });
    expect(await world.states(first)).toEqual(['KEPT']);
    for (const held of world.executor.held) await held.succeed();
    expect(await ended(world.db, second)).toBe('SUCCEEDED');
  });
});
