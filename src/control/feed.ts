import { type Clock } from '../base/clock.ts';
import { toErrorRecord } from '../base/errors.ts';
import { type Log } from '../base/log.ts';
import { mapLimited } from '../base/map-limited.ts';
import { type EngineControl, type EventFeed, type FedEvent, type FeedClaim, keyOf } from './ports.ts';

/** Something that is told what happens: one event after another, or all that waits at once. */
export type FeedConsumer = FeedConsumerOfEach | FeedConsumerOfAll;

interface AnyFeedConsumer {
  /** What waits for it is kept under this name. */
  name: string;
  /** Types of the events that it takes; null: all. */
  types: ReadonlySet<string> | null;
}

export interface FeedConsumerOfEach extends AnyFeedConsumer {
  /** Those of one key (`keyOf`) come one after another, in their order; those of several at once. One may come twice. */
  take(event: FedEvent, signal: AbortSignal): Promise<Taken>;
}

export interface FeedConsumerOfAll extends AnyFeedConsumer {
  /** In the order that each key has them in. All come again where it throws. */
  takeAll(events: readonly FedEvent[]): Promise<void>;
}

/** LATER: it comes again, and so do those of its key behind it; not before `afterMs`, if that is known. */
export type Taken = { kind: 'done' } | Later;

interface Progress {
  done: readonly FedEvent[];
  later: Later | null;
}

interface Later {
  kind: 'later';
  reason: string;
  afterMs: number | null;
}

export interface FeedRunner {
  start(): void;
  /** Lets consumers take what waits, for a few seconds at most, then ends. */
  close(): Promise<void>;
}

export interface FeedTuning {
  pollMs: number;
  /** Between the tries of one that is not there, doubled each time. */
  backoffMs: number;
  longestBackoffMs: number;
  /** For what waits when the service stops. */
  closeMs: number;
}

const PAGE = 200;
/** Keys whose events are taken at once. */
const KEYS = 8;
const CLAIM_EVERY_MS = 5_000;
const FORGET_EVERY_MS = 3_600_000;
/** A receiver may ask for more; it does not get it. */
const LONGEST_WAIT_MS = 3_600_000;
const TUNING: FeedTuning = { pollMs: 1_000, backoffMs: 1_000, longestBackoffMs: 300_000, closeMs: 5_000 };

/**
 * Hands consumers what the feed has for them, one service at a time for each. One that is not there, or slow, hurts neither runs nor other
 * consumers: what it has yet to take waits in the database.
 */
export function createFeedRunner(
  of: { feed: EventFeed; engine: Pick<EngineControl, 'events'>; clock: Clock; log: Log },
  consumers: readonly FeedConsumer[],
  tuning: FeedTuning = TUNING,
): FeedRunner {
  const { feed, engine, clock, log } = of;
  const stopping = new AbortController();
  const closed = new AbortController();
  let running: Promise<unknown> = Promise.resolve();

  const register = ({ name, types }: FeedConsumer) => feed.register(name, types && [...types]);

  async function serve(consumer: FeedConsumer): Promise<void> {
    let registered = false;
    while (!stopping.signal.aborted) {
      let claim: FeedClaim | null = null;
      try {
        if (!registered) await register(consumer);
        registered = true;
        claim = await feed.claim(consumer.name);
        if (claim) await drain(consumer, claim.lost);
      } catch (error) {
        log.warn('a consumer of events waits for the database', {
          consumer: consumer.name,
          error: toErrorRecord(error),
        });
      } finally {
        await claim?.release().catch(() => {});
      }
      await clock.sleep(CLAIM_EVERY_MS, stopping.signal);
    }
  }

  /** Until the claim is lost, or the service stops and nothing waits that could be taken. */
  async function drain(consumer: FeedConsumer, lost: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([lost, closed.signal]);
    let wakeUp = new AbortController();
    const unsubscribe = engine.events.subscribe(() => wakeUp.abort());
    try {
      for (let failures = 0; !signal.aborted;) {
        // Armed before the read: an event that is written during it wakes the sleep below.
        wakeUp = new AbortController();
        const stops = stopping.signal.aborted;
        const events = await feed.waiting(consumer.name, PAGE);
        const { done, later } = await takeAll(consumer, events, signal);
        await feed.done(consumer.name, done);
        failures = later ? failures + 1 : 0;
        if (!later && events.length === PAGE) continue;
        if (stops) return;
        if (later) await waitFor(consumer, later, failures, signal);
        else await clock.sleep(tuning.pollMs, AbortSignal.any([wakeUp.signal, stopping.signal, signal]));
      }
    } finally {
      unsubscribe();
    }
  }

  async function waitFor({ name }: FeedConsumer, later: Later, failures: number, signal: AbortSignal): Promise<void> {
    const ms = backoffMs(failures - 1, later.afterMs);
    log.warn('a consumer of events could not take one: it comes again', {
      ...{ consumer: name, reason: later.reason, afterMs: Math.round(ms) },
    });
    await clock.sleep(ms, AbortSignal.any([stopping.signal, signal]));
  }

  async function takeAll(consumer: FeedConsumer, events: readonly FedEvent[], signal: AbortSignal): Promise<Progress> {
    const failed = (error: unknown): Later => ({ kind: 'later', reason: toErrorRecord(error).message, afterMs: null });
    if ('takeAll' in consumer) {
      if (events.length === 0) return { done: [], later: null };
      return await consumer.takeAll(events).then(
        () => ({ done: events, later: null }),
        (error: unknown) => ({ done: [], later: failed(error) }),
      );
    }
    const done: FedEvent[] = [];
    let later: Later | null = null;
    await mapLimited([...Map.groupBy(events, keyOf).values()], KEYS, async (ofKey) => {
      for (const event of ofKey) {
        if (signal.aborted) return;
        const taken = await consumer.take(event, signal).catch(failed);
        if (taken.kind === 'later') return void (later = taken);
        done.push(event);
      }
    });
    return { done, later };
  }

  /** With jitter, so that the services that wait for one receiver do not come back together. */
  function backoffMs(failures: number, askedMs: number | null): number {
    const ms = Math.min(tuning.backoffMs * 2 ** failures, tuning.longestBackoffMs) * (0.5 + Math.random() / 2);
    return Math.max(ms, Math.min(askedMs ?? 0, LONGEST_WAIT_MS));
  }

  async function forget(): Promise<void> {
    while (!stopping.signal.aborted) {
      try {
        // First, since a service that was away for a week would forget its own, with all that waited for them.
        for (const own of consumers) await register(own);
        for (const { consumer, events } of await feed.forgetAbandoned()) {
          log.warn('a consumer of events that no service has was forgotten, with what waited for it', {
            consumer,
            events,
          });
        }
      } catch (error) {
        log.warn('consumers of events could not be looked at', { error: toErrorRecord(error) });
      }
      await clock.sleep(FORGET_EVERY_MS, stopping.signal);
    }
  }

  return {
    start() {
      running = Promise.all([forget(), ...consumers.map(serve)]);
    },
    async close() {
      stopping.abort();
      const patience = new AbortController();
      void clock.sleep(tuning.closeMs, patience.signal).then(() => closed.abort());
      await running;
      patience.abort();
    },
  };
}
