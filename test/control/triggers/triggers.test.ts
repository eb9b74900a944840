import { sql } from 'kysely';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '../../../src/base/ids.ts';
import { type JsonObject, type JsonValue } from '../../../src/base/json.ts';
import { lineagePage } from '../../../src/control/lineage.ts';
import { type FedEvent, type TriggerStore, type TriggerView } from '../../../src/control/ports.ts';
import { triggerConsumer } from '../../../src/control/triggers/consumer.ts';
import { evaluateTrigger } from '../../../src/control/triggers/evaluate.ts';
import { MOST_NESTED } from '../../../src/control/triggers/nesting.ts';
import { anyPrior, LOCAL, PRIOR, quantized, readyVersion, startWorld, type World } from '../world.ts';
import { came, end, FREELY, launch, make, notify, replay, source, taken } from './rules.ts';

let world: World;
let priorId: string;
let dataset: string;
beforeAll(async () => {
  world = await startWorld();
  priorId = (await anyPrior(world, PRIOR)).id;
}, 60_000);
afterAll(() => world?.close());
beforeEach(() => (dataset = newId('set')));
afterEach(async () => {
  await taken(world);
  await sql`update triggers set deleted_at = now(), next_due_at = null where deleted_at is null`.execute(world.db);
});

const rows = () => world.catalog.project(LOCAL.projectId);
const recipe = (more: object = {}) => ({
  datasetVersionId: '{{dataset.versionId}}',
  priorId,
  imagesPerClass: 2,
  ...more,
});
let size = 100;
const version = (images = size++) => readyVersion(world, dataset, [{ name: 'cat', images }]);
const onVersion = (of: Partial<TriggerView> = {}) =>
  make(world, { source: source('DATASET_VERSION', { dataset }), action: launch(recipe()), ...of });
const onRun = (of: Partial<TriggerView> = {}) =>
  make(world, {
    source: source('RUN', { dataset, outcomes: ['SUCCEEDED'] }),
    action: launch(recipe({ seed: 9 })),
    ...of,
  });
let requests = 0;
/** An evaluation by hand as it is fed, which the consumer of the world does not see. */
const requested = ({ id }: TriggerView, datasetVersionId: string, facts: JsonObject = {}): FedEvent => ({
  ...{ id: ++requests, projectId: LOCAL.projectId, at: new Date(Date.now() + 1000), type: 'trigger.requested' },
  ...{ of: 'project', eventId: newId('evt'), subject: id },
  payload: { key: newId('request'), type: 'datasetVersion.ready', facts, runId: null, datasetVersionId },
});
const launched = async () => {
  const { id } = await version();
  const { run } = await world.control.launchRun(LOCAL, {
    ...{ recipe: recipe({ datasetVersionId: id }), idempotencyKey: newId('key') },
  });
  return run.id;
};

describe('a trigger', () => {
  it('launches what its recipe says for a new version, once, however often and in whatever order the event comes', async () => {
    const trigger = await onVersion({ condition: 'dataset.newImages >= 10 && dataset.classes == 1' });
    const { id } = await version(50);
    await version(55);
    const [fired, not] = await came(world, trigger, 2);
    expect(fired).toMatchObject({
      ...{ verdict: 'FIRED', triggerVersion: 1, chain: [trigger.id], reason: null },
      event: { type: 'datasetVersion.ready', datasetVersionId: id },
      tree: { value: true, terms: [{ text: 'dataset.newImages >= 10', value: true }, { value: true }] },
    });
    expect(not).toMatchObject({
      ...{ verdict: 'NOT_MET', launchedRunId: null },
      detail: 'dataset.newImages >= 10 is false (dataset.newImages is 5)',
    });
    const [run] = await rows().runsById([fired!.launchedRunId!]);
    expect(run).toMatchObject({ datasetVersionId: id, recipe: { imagesPerClass: 2 } });
    for (let i = 0; i < 3; i++) await replay(world);
    await taken(world);
    expect(await came(world, trigger, 2)).toEqual([fired, not]);
    const edges = await lineagePage(
      rows(),
      { from: { kind: 'RUN', id: run!.id }, direction: 'UPSTREAM', depth: 1 },
      { first: 100, after: null },
    );
    expect(edges.items).toContainEqual({ kind: 'TRIGGER_EVALUATION', id: fired!.id, depth: 1 });
    const down = {
      from: { kind: 'TRIGGER_EVALUATION' as const, id: fired!.id },
      direction: 'DOWNSTREAM' as const,
      depth: 1,
    };
    expect((await lineagePage(rows(), down, { first: 10, after: null })).items).toMatchObject([
      { kind: 'RUN', id: run!.id },
    ]);
  });

  it('takes the same images for nothing new', async () => {
    await version(50);
    const trigger = await onVersion();
    await version(50);
    await taken(world);
    expect(await came(world, trigger, 0)).toEqual([]);
  });

  it('finds the run that it launched before its service died, whatever caps say by then', async () => {
    const { id } = await version();
    const trigger = await onVersion({ policy: { ...FREELY, maxInFlight: 1 } });
    const event = {
      key: 'any',
      type: 'datasetVersion.ready',
      at: new Date(),
      facts: {},
      runId: null,
      datasetVersionId: id,
    };
    const request = { projectId: LOCAL.projectId, trigger, event, chain: [], measuringRunId: null, dryRun: false };
    const first = await evaluateTrigger(world.options, request);
    expect(first.verdict).toBe('FIRED');
    const detail = `run ${first.launchedRunId} was launched for this event before`;
    expect(await evaluateTrigger(world.options, request)).toEqual({ ...first, detail });
    expect(await rows().runs({ first: 10, after: null }, { datasetVersionId: id })).toMatchObject({ items: [{}] });
  });

  it('has fired where it launched before its service died, though it was changed and paused by then', async () => {
    const { id } = await version(50);
    const trigger = await onVersion({ condition: 'dataset.images == 50' });
    const event = {
      key: 'any',
      type: 'datasetVersion.ready',
      at: new Date(),
      facts: {},
      runId: null,
      datasetVersionId: id,
    };
    const request = { projectId: LOCAL.projectId, trigger, event, chain: [], measuringRunId: null, dryRun: false };
    const { launchedRunId } = await evaluateTrigger(world.options, request);
    const definition = {
      source: trigger.source,
      condition: 'dataset.images > 50',
      action: trigger.action,
      policy: FREELY,
    };
    await world.control.updateTrigger(LOCAL, { id: trigger.id, name: null, definition });
    const changed = await world.control.pauseTrigger(LOCAL, trigger.id, null);
    expect(await evaluateTrigger(world.options, { ...request, trigger: changed })).toMatchObject({
      ...{ verdict: 'FIRED', launchedRunId },
    });
    const { items } = await rows().runs({ first: 10, after: null }, { datasetVersionId: id });
    expect(items.map((run) => run.id)).toEqual([launchedRunId]);
  });

  it('is asked as it is when its turn comes, not as it was when the page was read', async () => {
    const { id } = await version();
    const [paused, gone] = [await onVersion(), await onVersion()];
    const triggers: TriggerStore = {
      ...world.options.triggers,
      async evaluated(...asked) {
        if (asked[0] === paused.id) await world.control.pauseTrigger(LOCAL, paused.id, 'meanwhile');
        else await world.control.deleteTrigger(LOCAL, gone.id);
        return await world.options.triggers.evaluated(...asked);
      },
    };
    await triggerConsumer({ ...world.options, triggers }).takeAll([requested(paused, id), requested(gone, id)]);
    expect(await came(world, paused, 1)).toMatchObject([{ verdict: 'SKIPPED', reason: 'PAUSED', detail: 'meanwhile' }]);
    expect(await came(world, gone, 0)).toEqual([]);
    const { items } = await rows().runs({ first: 10, after: null }, { datasetVersionId: id });
    expect(items).toEqual([]);
  });

  it('waits for nothing once it is changed or deleted, though it began to wait before', async () => {
    const [changed, gone] = [await onVersion(), await onVersion()];
    const { source: of, condition, action, policy } = changed;
    const definition = { source: of, condition, action, policy };
    await world.control.updateTrigger(LOCAL, { id: changed.id, name: null, definition });
    await world.control.deleteTrigger(LOCAL, gone.id);
    for (const trigger of [changed, gone]) {
      const event = { key: 'any', type: 'any', at: new Date(), facts: {}, runId: null, datasetVersionId: null };
      const nothing = { tree: null, error: null, launchedRunId: null, measuringRunId: null, promotedVersionId: null };
      const waits = { verdict: 'PENDING', reason: 'QUEUED', detail: null } as const;
      const by = { projectId: LOCAL.projectId, triggerId: trigger.id, triggerVersion: 1, chain: [trigger.id] };
      await world.options.triggers.record({ ...nothing, ...waits, ...by, id: newId('teval'), event }, null);
    }
    expect(await came(world, changed, 1)).toMatchObject([{ verdict: 'SKIPPED', reason: 'SUPERSEDED' }]);
    expect(await came(world, gone, 1)).toMatchObject([{ verdict: 'SKIPPED', reason: 'DELETED' }]);
  });

  it('holds up no other with an event that cannot be kept, and says that it failed', async () => {
    const { id } = await version();
    const [one, other] = [await onVersion({ action: notify }), await onVersion({ action: notify })];
    // What came before depths were bounded; neither JSON.stringify nor Postgres takes so many.
    let deep: JsonValue = [];
    for (let i = 0; i < 100_000; i++) deep = [deep];
    await triggerConsumer(world.options).takeAll([requested(one, id, { deep }), requested(other, id)]);
    expect(await came(world, one, 1)).toMatchObject([
      { verdict: 'FAILED', reason: null, error: { code: 'INTERNAL' }, event: { facts: {}, datasetVersionId: id } },
    ]);
    expect(await came(world, other, 1)).toMatchObject([{ verdict: 'FIRED' }]);
  });

  it('tells what it did to webhooks, in the transaction that keeps it', async () => {
    const trigger = await make(world, { source: source('DATASET_VERSION', { dataset }), action: notify });
    const { id } = await version();
    const [fired] = await came(world, trigger, 1);
    const { items } = await rows().projectEvents({ first: 100, after: null }, ['trigger.fired']);
    expect(items.filter(({ subject }) => subject === trigger.id)).toMatchObject([
      {
        payload: {
          triggerId: trigger.id,
          evaluationId: fired!.id,
          datasetVersionId: id,
          webhookId: null,
          launchedRunId: null,
        },
      },
    ]);
  });

  it('keeps what failed, and why', async () => {
    const trigger = await onVersion({ action: launch({ ...recipe(), classes: ['dog'] }) });
    await version();
    expect(await came(world, trigger, 1)).toMatchObject([
      { verdict: 'FAILED', error: { code: 'INVALID_INPUT' }, detail: expect.stringMatching(/got "dog"/) as string },
    ]);
  });

  it('is SKIPPED while it is paused, and makes up for nothing', async () => {
    const trigger = await onVersion();
    await world.control.pauseTrigger(LOCAL, trigger.id, 'the labels are wrong');
    await version();
    expect(await came(world, trigger, 1)).toMatchObject([
      { verdict: 'SKIPPED', reason: 'PAUSED', detail: 'the labels are wrong', tree: null },
    ]);
    expect(await world.control.resumeTrigger(LOCAL, trigger.id)).toMatchObject({
      state: 'ACTIVE',
      pausedBecause: null,
    });
    await version();
    expect(await came(world, trigger, 2)).toMatchObject([{ verdict: 'SKIPPED' }, { verdict: 'FIRED' }]);
  });

  it('is another version once it is changed, and no more once it is deleted', async () => {
    const trigger = await onVersion();
    const { source: of, action, policy } = trigger;
    const change = (condition: string) =>
      world.control.updateTrigger(LOCAL, {
        id: trigger.id,
        name: null,
        definition: { source: of, condition, action, policy },
      });
    expect(await change('dataset.images > 1000')).toMatchObject({ version: 2, condition: 'dataset.images > 1000' });
    await expect(change('dataset.images > "many"')).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    await version();
    expect(await came(world, trigger, 1)).toMatchObject([{ verdict: 'NOT_MET', triggerVersion: 2 }]);
    await world.control.deleteTrigger(LOCAL, trigger.id);
    await version();
    await taken(world);
    expect(await came(world, trigger, 1)).toHaveLength(1);
    await expect(world.control.pauseTrigger(LOCAL, trigger.id, null)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await rows().triggersById([trigger.id])).toMatchObject([{ deletedAt: expect.any(Date) as Date }]);
  });
});

describe('of runs', () => {
  it('goes by how they ended and by their figures', async () => {
    const trigger = await onRun({ condition: 'run.w2 <= 2 && run.state == "SUCCEEDED"', action: notify });
    const [good, failed] = [await launched(), await launched()];
    await quantized(world, good, ['cat']);
    await end(world, good, 'SUCCEEDED');
    await end(world, failed, 'FAILED');
    await taken(world);
    expect(await came(world, trigger, 1)).toMatchObject([{ verdict: 'FIRED', event: { runId: good } }]);
  });

  it('promotes what passes the gates of an alias, and tells why where it does not', async () => {
    const alias = newId('a').replace('_', '-');
    const trigger = await onRun({ action: { ...notify, promote: { alias } } });
    await end(world, await launched(), 'SUCCEEDED');
    expect(await came(world, trigger, 1)).toMatchObject([
      { verdict: 'FIRED', promotedVersionId: expect.any(String) as string },
    ]);
    const gate = { figure: 'COST', scope: 'OVERALL', against: 'NOTHING', atMost: -1, atLeast: null } as const;
    await world.control.setAliasGates(LOCAL, { alias, gates: [gate] });
    await end(world, await launched(), 'SUCCEEDED');
    const [, refused] = await came(world, trigger, 2);
    expect(refused).toMatchObject({
      verdict: 'SKIPPED',
      reason: 'GATES',
      detail: expect.stringMatching(/COST is/) as string,
    });
    expect((await rows().aliasByName(alias))!.current!.number).toBe(1);
  });

  it('promotes nothing anew where it launched before its service died, as others may have by then', async () => {
    const alias = newId('a').replace('_', '-');
    const [runId, later] = [await launched(), await launched()];
    for (const id of [runId, later]) await end(world, id, 'SUCCEEDED');
    const trigger = await onRun({ action: { ...launch(recipe({ seed: 9 })), promote: { alias } } });
    const event = { key: 'any', type: 'run.succeeded', at: new Date(), facts: {}, runId, datasetVersionId: null };
    const evaluate = () =>
      evaluateTrigger(world.options, {
        ...{ projectId: LOCAL.projectId, trigger, event, chain: [], measuringRunId: null, dryRun: false },
      });
    const { promotedVersionId, launchedRunId } = await evaluate();
    expect(promotedVersionId).not.toBeNull();
    expect(await evaluate()).toMatchObject({ verdict: 'FIRED', promotedVersionId, launchedRunId });
    const [made] = await rows().artifactsByRun([later], 'OUTPUT', ['syntheticDataset']);
    await world.control.promoteArtifact(LOCAL, { alias, artifactId: made!.artifact.id, override: null });
    expect(await evaluate()).toMatchObject({ verdict: 'FIRED', promotedVersionId: null, launchedRunId });
    expect((await rows().aliasByName(alias))!.current!.number).toBe(2);
  });

  it('ends a loop where it would launch what launches it, and names the way', async () => {
    const [a, b] = [
      await onRun({ action: launch(recipe({ seed: 1 })) }),
      await onRun({ action: launch(recipe({ seed: 2 })) }),
    ];
    const first = await launched();
    await end(world, first, 'SUCCEEDED');
    const [ofA] = await came(world, a, 1);
    // What A launched ends: B fires for it, A does not.
    await end(world, ofA!.launchedRunId!, 'SUCCEEDED');
    const again = (await came(world, a, 2)).find(({ event }) => event.runId === ofA!.launchedRunId);
    expect(again).toMatchObject({
      verdict: 'SKIPPED',
      reason: 'LOOP',
      detail: `it led to this event itself: ${a.name} -> ${a.name}`,
    });
    const ofB = (await came(world, b, 2)).find(({ event }) => event.runId === ofA!.launchedRunId);
    expect(ofB).toMatchObject({ verdict: 'FIRED', chain: [a.id, b.id] });
    await end(world, ofB!.launchedRunId!, 'SUCCEEDED');
    for (const one of [a, b]) {
      const last = (await came(world, one, 3)).find(({ event }) => event.runId === ofB!.launchedRunId);
      expect(last).toMatchObject({ verdict: 'SKIPPED', reason: 'LOOP' });
    }
  });

  it('ends a loop that leads over an alias', async () => {
    const alias = newId('a').replace('_', '-');
    const promoting = await onRun({ action: { ...notify, promote: { alias } } });
    const launching = await make(world, {
      source: source('ALIAS', { alias, changes: ['PROMOTED'] }),
      action: launch(recipe({ seed: 3 })),
    });
    await end(world, await launched(), 'SUCCEEDED');
    const [fired] = await came(world, launching, 1);
    expect(fired).toMatchObject({ verdict: 'FIRED', chain: [promoting.id, launching.id] });
    await end(world, fired!.launchedRunId!, 'SUCCEEDED');
    expect((await came(world, promoting, 2))[1]).toMatchObject({ verdict: 'SKIPPED', reason: 'LOOP' });
  });

  it('hears what one trigger launched alone, where it asks for that', async () => {
    const first = await onVersion();
    const second = await onRun({
      source: source('RUN', { outcomes: ['SUCCEEDED'], launchedBy: first.id }),
      action: notify,
    });
    await end(world, await launched(), 'SUCCEEDED');
    const [fired] = await came(world, first, 1);
    await end(world, fired!.launchedRunId!, 'SUCCEEDED');
    expect(await came(world, second, 1)).toMatchObject([{ event: { runId: fired!.launchedRunId } }]);
  });
});

describe('a policy', () => {
  it('rests after it has fired', async () => {
    const trigger = await onVersion({ action: notify, policy: { ...FREELY, cooldownSeconds: 3600 } });
    await version();
    await came(world, trigger, 1);
    await version();
    expect((await came(world, trigger, 2))[1]).toMatchObject({ verdict: 'SKIPPED', reason: 'COOLDOWN' });
    await sql`update trigger_evaluations set ended_at = ended_at - interval '2 hours' where trigger_id = ${trigger.id}`.execute(
      world.db,
    );
    await version();
    expect((await came(world, trigger, 3))[2]).toMatchObject({ verdict: 'FIRED' });
  });

  it('fires as often as it may, of many that come at once', async () => {
    const trigger = await onVersion({ action: notify, policy: { ...FREELY, rateMax: 2, rateSeconds: 3600 } });
    for (let i = 0; i < 5; i++) await version();
    const verdicts = (await came(world, trigger, 5)).map(({ verdict, reason }) => reason ?? verdict);
    expect(verdicts.sort()).toEqual(['FIRED', 'FIRED', 'RATE', 'RATE', 'RATE']);
  });

  it('launches no more than may be in flight', async () => {
    const trigger = await onVersion({ policy: { ...FREELY, maxInFlight: 1 } });
    await version();
    await version();
    const [one, two] = await came(world, trigger, 2);
    expect([one!.verdict, two!.reason]).toEqual(['FIRED', 'IN_FLIGHT']);
    await end(world, one!.launchedRunId!, 'CANCELLED');
    await version();
    expect((await came(world, trigger, 3))[2]).toMatchObject({ verdict: 'FIRED' });
  });

  it('lets the newest wait for a run to end, and evaluates it then', async () => {
    const trigger = await onVersion({ policy: { ...FREELY, maxInFlight: 1, whenBusy: 'QUEUE_NEWEST' } });
    for (let i = 0; i < 3; i++) await version();
    await taken(world);
    const [one, two, three] = await came(world, trigger, 2);
    expect([one, two, three]).toMatchObject([
      { verdict: 'FIRED' },
      { verdict: 'SKIPPED', reason: 'SUPERSEDED' },
      { verdict: 'PENDING', reason: 'QUEUED' },
    ]);
    await end(world, one!.launchedRunId!, 'FAILED');
    const [, , last] = await came(world, trigger, 3);
    expect(last).toMatchObject({ id: three!.id, verdict: 'FIRED', reason: null, chain: [trigger.id] });
  });

  it('keeps to what its runs may cost in a month, and to what the project may', async () => {
    const trigger = await onVersion({ policy: { ...FREELY, monthlyUsd: 0.0005 } });
    await version();
    const [one] = await came(world, trigger, 1);
    await quantized(world, one!.launchedRunId!, ['cat']);
    await version();
    expect((await came(world, trigger, 2))[1]).toMatchObject({ verdict: 'SKIPPED', reason: 'BUDGET' });
    await world.control.budgetProject(LOCAL, 0);
    try {
      const other = await onVersion();
      await version();
      expect(await came(world, other, 1)).toMatchObject([{ verdict: 'SKIPPED', reason: 'BUDGET' }]);
    } finally {
      await world.control.budgetProject(LOCAL, null);
    }
  });
});

describe('by hand', () => {
  const byHand = (trigger: TriggerView, dryRun = true, given: JsonObject | null = null) =>
    world.control.evaluateTrigger(LOCAL, { id: trigger.id, dryRun, given });

  it('tells what it would do, and does nothing', async () => {
    const { id } = await version(70);
    const trigger = await onVersion({
      condition:
        'age.lastFiredHours > 1 || !has(age.lastFiredHours) && age.promotedHours["nowhere"] > 3 || cost.spentThisMonthUsd >= 0',
    });
    const found = await byHand(trigger);
    expect(found).toMatchObject({
      ...{ kind: 'DRY_RUN', event: { datasetVersionId: id } },
      outcome: { verdict: 'FIRED', launchedRunId: null, tree: { value: true } },
    });
    expect(await came(world, trigger, 0)).toEqual([]);
    await expect(byHand(trigger, true, { datasetVersionId: 'none' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    let data: JsonValue = 1;
    for (let i = 0; i < MOST_NESTED; i++) data = { data };
    await expect(byHand(trigger, false, { data })).rejects.toMatchObject({
      ...{ code: 'INVALID_INPUT', details: { path: ['event'] } },
    });
  });

  it('is evaluated as for any other event, where it is asked for', async () => {
    const { id } = await version();
    const trigger = await onVersion();
    await byHand(trigger, false);
    expect(await came(world, trigger, 1)).toMatchObject([{ verdict: 'FIRED', event: { datasetVersionId: id } }]);
  });
});

it('estimates what it would launch', async () => {
  const trigger = await onVersion({ condition: 'has(cost.estimateUsd) || !has(cost.budgetUsd)' });
  await version();
  expect(await came(world, trigger, 1)).toMatchObject([
    { verdict: 'FIRED', tree: { terms: [{ value: false }, { value: true }] } },
  ]);
});
