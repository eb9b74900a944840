import { invalid, notFound, PushforwardError } from '../../base/errors.ts';
import { newId } from '../../base/ids.ts';
import { type JsonObject, type JsonValue } from '../../base/json.ts';
import { type Principal } from '../identity.ts';
import {
  type Catalog,
  type DeliveryState,
  type WebhookDeliveryView,
  type WebhookSender,
  type WebhookSettings,
  type WebhookView,
} from '../ports.ts';
import { newSigningSecret } from '../signing-secret.ts';
import { EVENT_TYPES, type EventType, PING } from './event-types.ts';
import { sampleEvent } from './samples.ts';
import { checkSettings } from './settings.ts';
import { checkTemplate, fillTemplate } from './template.ts';

export interface WithSecret {
  webhook: WebhookView;
  /** Told this once. */
  secret: string;
}

/** The use cases of webhooks. What has an id that the project has not is NOT_FOUND. */
export interface WebhookControl {
  /** @throws INVALID_INPUT, LIMIT_EXCEEDED */
  create(principal: Principal, settings: WebhookSettings): Promise<WithSecret>;
  /** What is not named stays. @throws INVALID_INPUT */
  update(principal: Principal, id: string, changes: Partial<WebhookSettings>): Promise<WebhookView>;
  delete(principal: Principal, id: string): Promise<void>;
  /** What waits for it goes on. */
  enable(principal: Principal, id: string): Promise<WebhookView>;
  /** What waits for it waits on; of what happens from then on it is told nothing. */
  disable(principal: Principal, id: string, because: string | null): Promise<WebhookView>;
  /** Requests have a signature of both secrets until the old one expires. @throws INVALID_INPUT */
  rotate(principal: Principal, id: string, keepHours: number): Promise<WithSecret>;
  /** Sends a `ping`. @throws NOT_READY where it is DISABLED */
  test(principal: Principal, id: string): Promise<WebhookDeliveryView>;
  /** @throws NOT_READY where the endpoint is DISABLED */
  redeliver(principal: Principal, deliveryId: string): Promise<WebhookDeliveryView>;
  /** @returns how many go again */
  redeliverSince(
    principal: Principal,
    id: string,
    of: { since: Date; states: readonly DeliveryState[] },
  ): Promise<number>;
  /** The body that a template makes of a sample event. @throws INVALID_INPUT */
  preview(principal: Principal, type: string, template: JsonValue): JsonValue;
}

const MOST_WEBHOOKS = 100;
const MOST_KEEP_HOURS = 168;

export function createWebhookControl(
  of: { catalog: Pick<Catalog, 'project'>; sender: Pick<WebhookSender, 'checkUrl'> },
  wake: () => void,
): WebhookControl {
  const rows = (principal: Principal) => of.catalog.project(principal.projectId);
  const found = (webhook: WebhookView | null, id: string): WebhookView => {
    if (webhook) return webhook;
    throw notFound('webhook', id);
  };
  const read = async (principal: Principal, id: string) =>
    found((await rows(principal).webhooksById([id]))[0] ?? null, id);
  const readEnabled = async (principal: Principal, id: string) => {
    const webhook = await read(principal, id);
    if (webhook.state === 'ENABLED') return webhook;
    throw new PushforwardError(
      'NOT_READY',
      `expected a webhook that is ENABLED, got ${id}, which is DISABLED (${webhook.disabledBecause}): enable it first`,
      { path: ['id'] },
    );
  };

  const checkDatasets = async (principal: Principal, ids: readonly string[] | null) => {
    const known = new Set((await rows(principal).datasetsById(ids ?? [])).map(({ id }) => id));
    const unknown = ids?.find((id) => !known.has(id));
    if (unknown !== undefined) throw notFound('dataset', unknown);
  };

  return {
    async create(principal, settings) {
      const checked = checkSettings(of.sender, settings, principal.projectId);
      await checkDatasets(principal, checked.datasetIds);
      const count = await rows(principal).countWebhooks();
      if (count >= MOST_WEBHOOKS) {
        throw new PushforwardError(
          'LIMIT_EXCEEDED',
          `expected ${MOST_WEBHOOKS} webhooks in a project at most, got one more: delete one`,
        );
      }
      const secret = newSigningSecret();
      return { webhook: await rows(principal).createWebhook(newId('whk'), checked, secret, principal.actor), secret };
    },

    async update(principal, id, changes) {
      const before = await read(principal, id);
      const checked = checkSettings(of.sender, { ...before, headers: {}, ...changes }, principal.projectId);
      await checkDatasets(principal, checked.datasetIds);
      const named = Object.keys(changes).map((name) => [name, checked[name as keyof WebhookSettings]]);
      return found(await rows(principal).updateWebhook(id, Object.fromEntries(named)), id);
    },

    async delete(principal, id) {
      if (!(await rows(principal).deleteWebhook(id))) throw notFound('webhook', id);
    },

    async enable(principal, id) {
      const webhook = found(await rows(principal).setWebhookState(id, 'ENABLED', null), id);
      wake();
      return webhook;
    },

    async disable(principal, id, because) {
      const reason = because?.trim() || `${principal.actor} disabled it`;
      if (reason.length > 1000) {
        throw invalid(`expected a reason of 1000 characters at most, got ${reason.length}: shorten it`, {
          path: ['reason'],
        });
      }
      return found(await rows(principal).setWebhookState(id, 'DISABLED', reason), id);
    },

    async rotate(principal, id, keepHours) {
      if (!(keepHours >= 0 && keepHours <= MOST_KEEP_HOURS)) {
        throw invalid(
          `expected the old secret to stay valid for 0 to ${MOST_KEEP_HOURS} hours, got ${keepHours}: choose a value between`,
          { path: ['keepHours'] },
        );
      }
      const secret = newSigningSecret();
      const webhook = await rows(principal).rotateWebhookSecret(id, secret, keepHours * 3_600_000);
      return { webhook: found(webhook, id), secret };
    },

    async test(principal, id) {
      const webhook = await readEnabled(principal, id);
      const event = {
        ...{ id: newId('evt'), type: PING, at: new Date(), subject: webhook.id, runId: null },
        payload: { webhookId: webhook.id },
      };
      const delivery = await rows(principal).addTestDelivery(webhook.id, event);
      wake();
      return delivery;
    },

    async redeliver(principal, deliveryId) {
      const [delivery] = await rows(principal).webhookDeliveriesById([deliveryId]);
      if (!delivery) throw notFound('delivery', deliveryId);
      await readEnabled(principal, delivery.webhookId);
      const again = await rows(principal).redeliver(deliveryId);
      wake();
      return again ?? delivery;
    },

    async redeliverSince(principal, id, { since, states }) {
      await readEnabled(principal, id);
      if (states.length === 0 || states.includes('PENDING')) {
        throw invalid('expected states DEAD or DELIVERED, got another or none: what is PENDING goes anyway', {
          path: ['states'],
        });
      }
      const count = await rows(principal).redeliverSince(id, since, states);
      wake();
      return count;
    },

    preview(principal, type, template) {
      if (!Object.hasOwn(EVENT_TYPES, type)) {
        throw invalid(`expected one of ${Object.keys(EVENT_TYPES).join(', ')}, got ${type}: name one`, {
          path: ['type'],
        });
      }
      const sample = sampleEvent(type as EventType, principal.projectId);
      if (template === null) return sample;
      checkTemplate(template, new Map<string, JsonObject>([[type, sample]]));
      return fillTemplate(template, sample);
    },
  };
}
