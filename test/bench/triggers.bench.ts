import { type Bench } from './bench.ts';
import { driftCases } from './triggers/drift.ts';
import { eventCases } from './triggers/events.ts';
import { webhookCases } from './triggers/webhooks.ts';

export const bench: Bench = {
  about:
    'triggers: events that come again, and drift: how often it is called and how often it is found; webhooks a second, and lost ones over kills',
  async *cases(wanted) {
    for (const cases of [eventCases, driftCases, webhookCases]) yield* cases(wanted);
  },
};
