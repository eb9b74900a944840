/** Triggers of tests, and the ways to see what they came to. */
import { type JsonObject } from '../../../src/base/json.ts';
import { newId } from '../../../src/base/ids.ts';
import {
  type TriggerDefinition,
  type TriggerEvaluationView,
  type TriggerPolicy,
  type TriggerSource,
  type TriggerSourceKind,
  type TriggerView,
} from '../../../src/control/ports.ts';
import { until } from '../../support/until.ts';
import { LOCAL, reported, type World } from '../world.ts';

export function source(kind: TriggerSourceKind, of: Partial<TriggerSource> = {}): TriggerSource {
  return {
    ...{ kind, cron: null, timeZone: null, dataset: null, against: null, samplesPerClass: null, outcomes: null },
    ...{ priorId: null, launchedBy: null, eventSourceId: null, eventTypes: null, alias: null, changes: null },
    ...of,
  };
}

export const FREELY: TriggerPolicy = {
  ...{ cooldownSeconds: null, rateMax: null, rateSeconds: null, maxInFlight: null },
  ...{ whenBusy: 'SKIP', monthlyUsd: null, misfire: 'ONE' },
};

export const notify = { launch: null, notify: { webhookId: null }, promote: null };

/** Launches its recipe. */
export const launch = (recipe: JsonObject): TriggerDefinition['action'] => ({
  ...notify,
  ...{ notify: null, launch: { recipe, priority: 0, costUsd: null } },
});

export function make(
  world: World,
  of: Partial<TriggerDefinition> & Pick<TriggerDefinition, 'source'>,
  name = newId('t').replace('_', '-'),
  principal = LOCAL,
): Promise<TriggerView> {
  const definition = { condition: null, action: notify, policy: FREELY, ...of };
  return world.control.createTrigger(principal, { name, definition });
}

/** What a trigger came to, oldest first, once there are so many that are decided. */
export async function came(
  world: World,
  { id }: { id: string },
  count: number,
  { projectId } = LOCAL,
): Promise<TriggerEvaluationView[]> {
  return await until(async () => {
    wake(world);
    const page = { first: 100, after: null };
    const { items } = await world.catalog.project(projectId).triggerEvaluations(page, { triggerId: id });
    const decided = items.filter(({ verdict }) => verdict !== 'PENDING');
    return decided.length >= count ? items.reverse() : null;
  }, `${count} evaluations`);
}

/** The feed is looked at now. */
export function wake({ engine }: World): void {
  for (const listener of engine.listeners) listener('');
}

/** Everything that was fed has been taken, by whoever wants it. */
export async function taken(world: World, limitMs?: number): Promise<void> {
  const isThrough = async () => {
    wake(world);
    return (await world.db.selectFrom('feed_events').select('id').limit(1).execute()).length === 0;
  };
  await until(isThrough, 'nothing that waits', limitMs);
}

/** Has every event of the project, and of its runs, come again, the last first. */
export async function replay({ db }: World): Promise<void> {
  const events = await db.selectFrom('project_events').select('id').orderBy('created_at', 'desc').execute();
  const runs = await db.selectFrom('run_events').select(['run_id', 'sequence']).orderBy('at', 'desc').execute();
  const rows = [
    ...runs.map((one) => ({ ...one, consumer: 'triggers' })),
    ...events.map(({ id }) => ({ project_event_id: id, consumer: 'triggers' })),
  ];
  await db.insertInto('feed_events').values(rows).execute();
}

/** A run that ends as it is told. */
export async function end(world: World, runId: string, state: 'SUCCEEDED' | 'FAILED' | 'CANCELLED'): Promise<void> {
  if (state !== 'SUCCEEDED') return await world.engine.end(runId, 'QUEUED', state);
  await reported(world, runId, `dataset of ${runId}`);
  await world.engine.change(runId, async (tx) => {
    await tx.updateRun('RUNNING', { state: 'SUCCEEDED', ended: true });
    await tx.appendEvents([{ type: 'run.succeeded', payload: {} }]);
  });
}
