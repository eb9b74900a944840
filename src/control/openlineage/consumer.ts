import { metrics } from '@opentelemetry/api';
import { PushforwardError, toErrorRecord } from '../../base/errors.ts';
import { type JsonObject } from '../../base/json.ts';
import { type Log } from '../../base/log.ts';
import { type FeedConsumerOfEach } from '../feed.ts';
import { type Catalog, type FedRunEvent, type LineageSink } from '../ports.ts';
import { isEnd, openLineageEvent, type Producer, TOLD_TYPES, toldAs } from './events.ts';
import { facetsOf } from './facets.ts';
import { runFacts, runResults } from './facts.ts';

export interface OpenLineageOptions {
  /** Where events go; none: nowhere. */
  sinks: readonly LineageSink[];
  /** Of jobs. */
  namespace: string;
  /** Of this release. */
  version: string;
  /** Where an object of the store lies: a path, or `s3://bucket/key`. */
  placeOf: (key: string) => string;
}

/** A consumer of the feed for each sink, so that one which is away holds up no other. */
export function openLineageConsumers(
  of: { catalog: Catalog; log: Log },
  { sinks, namespace, version, placeOf }: OpenLineageOptions,
): FeedConsumerOfEach[] {
  const name = `urn:pushforward:${version}`;
  const producer: Producer = { namespace, version, producer: name, facet: facetsOf(name) };
  const outcomes = metrics.getMeter('pushforward.openlineage').createCounter('pushforward.openlineage.events', {
    description: 'OpenLineage events that were sent, could not be for now, or were given up',
  });

  return sinks.map((sink) => ({
    name: `openlineage.${sink.name}`,
    types: TOLD_TYPES,
    async take(event, signal) {
      if (event.of === 'project') return { kind: 'done' };
      const count = (outcome: 'sent' | 'failed' | 'skipped') => outcomes.add(1, { transport: sink.name, outcome });
      const skipped = (reason: string, body?: JsonObject) => {
        count('skipped');
        of.log.error('an OpenLineage event was given up', {
          ...{ transport: sink.name, runId: event.runId, sequence: event.sequence, type: event.type, reason },
          ...(body && { eventType: body['eventType'] }),
        });
        return { kind: 'done' } as const;
      };
      const body = await told(event).catch((error: unknown) => {
        // What is not there now may be there later; what cannot be told would hold up all that follows.
        if (error instanceof PushforwardError && error.code === 'DATABASE_UNAVAILABLE') throw error;
        return toErrorRecord(error).message;
      });
      if (body === null) return { kind: 'done' };
      if (typeof body === 'string') return skipped(body);
      const sent = await sink.send(body, signal);
      if (sent.kind === 'refused') return skipped(sent.reason, body);
      count(sent.kind === 'sent' ? 'sent' : 'failed');
      return sent.kind === 'sent' ? { kind: 'done' } : { kind: 'later', reason: sent.reason, afterMs: sent.afterMs };
    },
  }));

  /** The event as OpenLineage has it; null where it has none. */
  async function told(event: FedRunEvent): Promise<JsonObject | null> {
    if (!TOLD_TYPES.has(event.type)) return null;
    const facts = await runFacts(of.catalog, placeOf, event);
    const as = toldAs(event, facts.run);
    if (as === null) return null;
    const results = isEnd(as) ? await runResults(of.catalog, placeOf, facts) : null;
    return openLineageEvent({ event, told: as, facts, results }, producer);
  }
}
