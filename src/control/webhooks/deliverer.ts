import { metrics } from '@opentelemetry/api';
import { type Clock } from '../../base/clock.ts';
import { toErrorRecord } from '../../base/errors.ts';
import { type JsonObject } from '../../base/json.ts';
import { type Log } from '../../base/log.ts';
import {
  type DueDelivery,
  type PassClaim,
  type TriedDelivery,
  type WebhookAnswer,
  type WebhookSender,
  type WebhookStore,
} from '../ports.ts';
import { type BodyOptions, cloudEvents } from './body.ts';
import { logged } from './delivery-log.ts';
import { createLanes } from './lanes.ts';
import { MOST_TRIES, waitMs } from './schedule.ts';
import { fillTemplate } from './template.ts';

export interface Deliverer {
  start(): void;
  /** Something may be due. */
  wake(): void;
  /** Lets what is being sent end, for a few seconds at most. */
  close(): Promise<void>;
}

export interface DelivererTuning {
  pollMs: number;
  claimEveryMs: number;
  /** For requests under way when the service stops. */
  closeMs: number;
}

/** Requests to one endpoint at once, so that one that hangs takes no place of others. */
const AT_ONCE = 32;
/** Deliveries of one endpoint that are read together, with what they tell; it is asked for more once half of them are through. */
const PAGE = 256;
/** Of all endpoints. */
const MOST = 4_096;
const KEEP_DAYS = 30;
const PRUNE_EVERY_MS = 3_600_000;
const TUNING: DelivererTuning = { pollMs: 1_000, claimEveryMs: 5_000, closeMs: 5_000 };

type Options = BodyOptions & { webhooks: WebhookStore; sender: WebhookSender; clock: Clock; log: Log };

/**
 * Sends what is due, one service at a time: whoever has the claim knows what is under way, so no row says so, and what a service that
 * was killed had under way is due again at once. What came of requests is recorded together, and then what is due is read anew.
 */
export function createDeliverer(of: Options, tuning: DelivererTuning = TUNING): Deliverer {
  const { webhooks, sender, clock, log } = of;
  const stopping = new AbortController();
  const closed = new AbortController();
  let wakeUp = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  /** What has yet to be recorded. It outlives a claim: a database that was away is told of it later. */
  let ended: TriedDelivery[] = [];
  const outcomes = metrics.getMeter('pushforward.webhooks').createCounter('pushforward.webhooks.tries', {
    description: 'Requests to endpoints',
  });

  async function serve(): Promise<void> {
    while (!stopping.signal.aborted) {
      let claim: PassClaim | null = null;
      try {
        claim = await webhooks.claim();
        if (claim) await deliver(AbortSignal.any([claim.lost, closed.signal]));
      } catch (error) {
        log.warn('webhooks wait for the database', { error: toErrorRecord(error) });
      } finally {
        await claim?.release().catch(() => {});
      }
      await clock.sleep(tuning.claimEveryMs, stopping.signal);
    }
  }

  async function deliver(signal: AbortSignal): Promise<void> {
    const underWay = new Map<string, { webhookId: string; done: Promise<void> }>();
    const lane = createLanes(AT_ONCE);
    let prunedAt = -Infinity;
    try {
      while (!signal.aborted) {
        // Armed before anything is read: what comes meanwhile wakes the sleep below.
        wakeUp = new AbortController();
        for (const id of await recorded()) underWay.delete(id);
        if (stopping.signal.aborted && underWay.size === 0) return;
        const due = stopping.signal.aborted ? [] : await dueBut(underWay);
        for (const [delivery, body] of await bodiesOf(due)) {
          const done = lane(delivery.webhookId, () => attempt(delivery, body, signal)).then((one) => {
            ended.push(one);
            wakeUp.abort();
          });
          underWay.set(delivery.id, { webhookId: delivery.webhookId, done });
        }
        if (clock.now().getTime() - prunedAt > PRUNE_EVERY_MS) {
          prunedAt = clock.now().getTime();
          await webhooks.prune(KEEP_DAYS);
        }
        await clock.sleep(tuning.pollMs, AbortSignal.any([wakeUp.signal, signal]));
      }
    } finally {
      // Of the claim alone: whoever has it next may send the same again, but not while we still do.
      await Promise.all([...underWay.values()].map(({ done }) => done));
      // What was cut short is tried again; what arrived need not be.
      ended = ended.filter(({ then }) => !signal.aborted || then.state === 'DELIVERED');
      await recorded().catch(() => {});
    }
  }

  async function recorded(): Promise<string[]> {
    const now = [...ended];
    await webhooks.record(now);
    ended = ended.slice(now.length);
    return now.map(({ id }) => id);
  }

  async function dueBut(underWay: ReadonlyMap<string, { webhookId: string }>): Promise<DueDelivery[]> {
    if (underWay.size >= MOST) return [];
    const perWebhook = Map.groupBy(underWay.values(), ({ webhookId }) => webhookId);
    const full = [...perWebhook].filter(([, all]) => all.length > PAGE / 2).map(([id]) => id);
    return await webhooks.due({ deliveryIds: [...underWay.keys()], webhookIds: full }, PAGE);
  }

  /** What cannot be told is a try that failed: it must not hold up others, nor be lost. */
  async function bodiesOf(due: readonly DueDelivery[]): Promise<[DueDelivery, JsonObject | Error][]> {
    const found: [DueDelivery, JsonObject | Error][] = [];
    for (const [projectId, ofProject] of Map.groupBy(due, (one) => one.projectId)) {
      const events = ofProject.map(({ event }) => event);
      const bodies = await cloudEvents(of, projectId, events).catch((error: unknown) => {
        const { code, message } = toErrorRecord(error);
        if (code === 'DATABASE_UNAVAILABLE') throw error;
        return ofProject.map(() => new Error(message));
      });
      found.push(...ofProject.map((delivery, at): [DueDelivery, JsonObject | Error] => [delivery, bodies[at]!]));
    }
    return found;
  }

  async function attempt(
    delivery: DueDelivery,
    event: JsonObject | Error,
    signal: AbortSignal,
  ): Promise<TriedDelivery> {
    const at = clock.now();
    const { id, url, secrets, template } = delivery;
    const body =
      event instanceof Error ? '' : JSON.stringify(template === null ? event : fillTemplate(template, event));
    const headers = {
      'content-type': template === null ? 'application/cloudevents+json; charset=utf-8' : 'application/json',
      ...delivery.headers,
    };
    const answer: WebhookAnswer =
      event instanceof Error
        ? { ms: 0, requestHeaders: {}, result: { kind: 'failed', reason: event.message } }
        : await sender.send({ id, url, headers, body, secrets }, signal);
    return outcomeOf(delivery, at, body, answer);
  }

  function outcomeOf(
    delivery: DueDelivery,
    at: Date,
    body: string,
    { ms, requestHeaders, result }: WebhookAnswer,
  ): TriedDelivery {
    const { id, webhookId, tries, failures } = delivery;
    const status = result.kind === 'answered' ? result.status : null;
    const delivered = status !== null && status >= 200 && status < 300;
    const error = delivered ? null : result.kind === 'failed' ? result.reason : reasonOf(result.status);
    const dead = !delivered && (status === GONE || failures + 1 >= MOST_TRIES);
    const tried = logged({ number: tries + 1, at, ms, status, error, requestHeaders, requestBody: body, result });
    outcomes.add(1, { outcome: delivered ? 'delivered' : dead ? 'dead' : 'failed' });
    if (delivered) return { id, webhookId, tried, then: { state: 'DELIVERED' } };
    if (!dead) {
      const asked = result.kind === 'answered' ? result.retryAfterMs : null;
      return { id, webhookId, tried, then: { state: 'PENDING', afterMs: waitMs(failures + 1, asked, Math.random()) } };
    }
    log.error('a webhook was given up', { deliveryId: id, webhookId, type: delivery.event.type, reason: error });
    const disable = status === GONE ? `it answered 410 at ${at.toISOString()}: nobody is there any more` : null;
    return { id, webhookId, tried, then: { state: 'DEAD', disable } };
  }

  return {
    start() {
      running = serve();
    },
    wake: () => wakeUp.abort(),
    async close() {
      stopping.abort();
      wakeUp.abort();
      const patience = new AbortController();
      void clock.sleep(tuning.closeMs, patience.signal).then(() => closed.abort());
      await running;
      patience.abort();
    },
  };
}

const GONE = 410;

function reasonOf(status: number): string {
  if (status >= 300 && status < 400)
    return `expected 2xx, got ${status}: redirects are not followed, name the URL that it leads to`;
  return `expected 2xx, got ${status}`;
}
