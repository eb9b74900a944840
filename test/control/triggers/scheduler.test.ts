import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../../src/base/log.ts';
import { type Misfire, type TriggerStore, type TriggerView } from '../../../src/control/ports.ts';
import { tellDue } from '../../../src/control/triggers/scheduler.ts';
import { LOCAL, startWorld, type World } from '../world.ts';
import { came, FREELY, make, source, taken } from './rules.ts';

let world: World;
/** By a clock of the test. The world's own looks at real time, before which nothing here is due. */
let now: Date;
let store: TriggerStore;
beforeAll(async () => {
  world = await startWorld();
  store = { ...world.options.triggers, now: async () => now };
}, 60_000);
afterAll(() => world?.close());

const nightly = source('SCHEDULE', { cron: '30 2 * * *', timeZone: 'Europe/Berlin' });

/** Made as the clock of the test says. */
async function scheduled(misfire: Misfire): Promise<TriggerView> {
  const trigger = await make(world, { source: nightly, policy: { ...FREELY, misfire } });
  const firstDue = new Date('2126-03-29T01:30:00Z');
  await world.db.updateTable('triggers').set({ next_due_at: firstDue }).where('id', '=', trigger.id).execute();
  return trigger;
}

const dueAt = async (trigger: TriggerView, count: number) =>
  (await came(world, trigger, count)).map(({ verdict, event }) => [
    verdict,
    event.facts['dueAt'],
    event.facts['missed'],
  ]);

describe('a schedule', () => {
  it('fires once for each time, whoever looks and how often', async () => {
    const trigger = await scheduled('ONE');
    now = new Date('2126-03-29T01:29:59Z');
    await tellDue(store, silentLog);
    now = new Date('2126-03-29T01:30:00Z');
    await Promise.all(Array.from({ length: 5 }, () => tellDue(store, silentLog)));
    now = new Date('2126-03-30T01:30:20Z');
    expect(await tellDue(store, silentLog)).toBeGreaterThan(23 * 3_600_000);
    await taken(world);
    expect(await dueAt(trigger, 2)).toEqual([
      ['FIRED', '2126-03-29T01:30:00.000Z', 0],
      ['FIRED', '2126-03-30T01:30:00.000Z', 0],
    ]);
    await world.control.deleteTrigger(LOCAL, trigger.id);
  });

  it.each([
    ['SKIP', []],
    ['ONE', [['FIRED', '2126-04-02T00:30:00.000Z', 4]]],
  ] as const)('that was not looked at for days goes by %s', async (misfire, expected) => {
    const trigger = await scheduled(misfire);
    now = new Date('2126-04-02T12:00:00Z');
    await tellDue(store, silentLog);
    await taken(world);
    expect(await dueAt(trigger, expected.length)).toEqual(expected);
    await world.control.deleteTrigger(LOCAL, trigger.id);
  });

  it('that was paused goes by its misfire policy as it is resumed', async () => {
    const trigger = await scheduled('ALL');
    await world.control.pauseTrigger(LOCAL, trigger.id, null);
    now = new Date('2126-04-01T12:00:00Z');
    await tellDue(store, silentLog);
    await taken(world);
    expect(await dueAt(trigger, 0)).toEqual([]);
    await world.control.resumeTrigger(LOCAL, trigger.id);
    await tellDue(store, silentLog);
    expect((await dueAt(trigger, 4)).map(([verdict]) => verdict)).toEqual(Array(4).fill('FIRED'));
    expect((await store.due(now, 10)).map(({ id }) => id)).not.toContain(trigger.id);
    await world.control.deleteTrigger(LOCAL, trigger.id);
  });
});

it('forgets what launched nothing after a while, and the events of it', async () => {
  const trigger = await scheduled('ONE');
  now = new Date('2126-03-29T01:30:00Z');
  await tellDue(store, silentLog);
  await came(world, trigger, 1);
  await taken(world);
  expect(await store.prune(1)).toBe(0);
  for (const [table, column] of [
    ['trigger_evaluations', 'ended_at'],
    ['project_events', 'created_at'],
  ] as const)
    await world.db
      .updateTable(table)
      .set({ [column]: new Date('2026-01-01') })
      .execute();
  expect(await store.prune(1)).toBeGreaterThan(0);
  expect(await came(world, trigger, 0)).toEqual([]);
  expect(await world.db.selectFrom('project_events').select('id').where('type', '=', 'trigger.due').execute()).toEqual(
    [],
  );
});
