import { newId } from '../../base/ids.ts';
import { type FeedConsumerOfAll } from '../feed.ts';
import {
  type Catalog,
  type FedEvent,
  keyOf,
  type NewDelivery,
  type Subscription,
  type ToldEvent,
  type WebhookStore,
} from '../ports.ts';
import { ANY_TYPE, EVENT_TYPES } from './event-types.ts';

/** Turns what is fed into deliveries, one for each endpoint that wants it; what is fed again makes none twice. */
export function webhookConsumer(of: { catalog: Catalog; webhooks: WebhookStore }, wake: () => void): FeedConsumerOfAll {
  return {
    name: 'webhooks',
    types: new Set(Object.keys(EVENT_TYPES)),
    async takeAll(events) {
      const subscriptions = await of.webhooks.subscriptions([...new Set(events.map(({ projectId }) => projectId))]);
      const wanted = events.flatMap((event) =>
        subscriptions.filter((one) => wants(one, event)).map((subscription) => ({ event, subscription })),
      );
      const datasets = await datasetsOf(
        of.catalog,
        wanted.filter(({ subscription }) => subscription.datasetIds !== null).map(({ event }) => event),
      );
      const deliveries = wanted
        .filter(({ event, subscription: { datasetIds } }) => {
          const dataset = datasets.get(event);
          return datasetIds === null || dataset === undefined || datasetIds.includes(dataset);
        })
        .map(({ event, subscription }): NewDelivery => ({
          ...{ id: newId('msg'), projectId: event.projectId, webhookId: subscription.id, key: keyOf(event) },
          event: told(event),
        }));
      await of.webhooks.add(deliveries);
      if (deliveries.length > 0) wake();
    },
  };
}

function wants({ id, projectId, types, aliases, createdAt }: Subscription, event: FedEvent): boolean {
  if (event.projectId !== projectId || event.at < createdAt) return false;
  // The action of a trigger may name its one endpoint, which then need not ask for the type.
  const named = event.type === 'trigger.fired' ? event.payload['webhookId'] : null;
  if (typeof named === 'string') return named === id;
  if (!types.includes(event.type) && !types.includes(ANY_TYPE)) return false;
  const alias = event.payload['alias'];
  return aliases === null || typeof alias !== 'string' || aliases.includes(alias);
}

/** The dataset that an event has to do with; none for those that have to do with no dataset. */
async function datasetsOf(catalog: Catalog, events: readonly FedEvent[]): Promise<Map<FedEvent, string>> {
  const found = new Map<FedEvent, string>();
  for (const [projectId, ofProject] of Map.groupBy(events, (event) => event.projectId)) {
    const rows = catalog.project(projectId);
    const artifactIds = ofProject.map(({ payload }) => payload['artifactId']).filter((id) => typeof id === 'string');
    const artifacts = new Map((await rows.artifactsById(artifactIds)).map(({ id, runId }) => [id, runId]));
    const runOf = (event: FedEvent) =>
      event.of === 'run' ? event.runId : (artifacts.get(event.payload['artifactId'] as string) ?? null);
    const runs = await rows.runsById(ofProject.flatMap((event) => runOf(event) ?? []));
    const versionOf = new Map(runs.map((run) => [run.id, run.datasetVersionId]));
    const versions = await rows.datasetVersionsById([...new Set(versionOf.values())]);
    const datasetOf = new Map(versions.map(({ askedId, version }) => [askedId, version.datasetId]));
    for (const event of ofProject) {
      const own = event.payload['datasetId'];
      const dataset = typeof own === 'string' ? own : datasetOf.get(versionOf.get(runOf(event) ?? '') ?? '');
      if (dataset !== undefined) found.set(event, dataset);
    }
  }
  return found;
}

function told(event: FedEvent): ToldEvent {
  const { type, at, payload } = event;
  return event.of === 'run'
    ? { id: `${event.runId}/${event.sequence}`, type, at, subject: event.runId, runId: event.runId, payload }
    : { id: event.eventId, type, at, subject: event.subject, runId: null, payload };
}
