import { Arg, Ctx, Float, ID, Int, Mutation, Query, Resolver } from 'type-graphql';
import { type JsonValue } from '../../base/json.ts';
import { type WebhookDeliveryView, type WebhookSettings, type WebhookView } from '../../control/ports.ts';
import { checkFirst, type Connection, decodeCursor, filteredKind, toConnection } from '../connection.ts';
import { type ApiContext } from '../context.ts';
import { WebhookDeliveryState } from '../enums.ts';
import { asResult } from '../errors.ts';
import { DateTime, Json } from '../scalars.ts';
import {
  CreateWebhookInput,
  Webhook,
  WebhookChangesInput,
  WebhookConnection,
  WebhookDelivery,
  WebhookDeliveryConnection,
  WebhookDeliveryFilterInput,
} from '../types/webhook.ts';
import {
  CreateWebhookResult,
  DeleteWebhookResult,
  RedeliverWebhooksResult,
  RotateWebhookSecretResult,
  SendWebhookResult,
  UpdateWebhookResult,
} from '../types/webhook-results.ts';

const FIRST = { defaultValue: 20, description: 'Rows at most, 1 to 100.' };
const AFTER = { nullable: true, description: 'endCursor of the page before.' };
const ENDPOINT = { description: 'Id of the endpoint.' };

@Resolver()
export class WebhookResolver {
  @Query(() => WebhookConnection, { description: 'The endpoints of the project, newest first.' })
  async webhooks(
    @Ctx() { control, principal }: ApiContext,
    @Arg('first', () => Int, FIRST) first: number,
    @Arg('after', () => String, AFTER) after?: string | null,
  ): Promise<Connection<WebhookView>> {
    const asked = { first: checkFirst(first), after: decodeCursor('webhook', after) };
    return toConnection('webhook', await control.read(principal).webhooks(asked), after ?? null, ({ id }) => id);
  }

  @Query(() => Webhook, { nullable: true, description: 'An endpoint, or null.' })
  webhook(@Ctx() { loaders }: ApiContext, @Arg('id', () => ID, ENDPOINT) id: string): Promise<unknown> {
    return loaders.webhook.load(id);
  }

  @Query(() => WebhookDeliveryConnection, { description: 'What was or is on its way to endpoints, newest first.' })
  async webhookDeliveries(
    @Ctx() { control, principal }: ApiContext,
    @Arg('first', () => Int, FIRST) first: number,
    @Arg('after', () => String, AFTER) after?: string | null,
    @Arg('filter', () => WebhookDeliveryFilterInput, { nullable: true, description: 'Which; absent: all.' })
    filter?: WebhookDeliveryFilterInput | null,
  ): Promise<Connection<WebhookDeliveryView>> {
    const given = Object.fromEntries(Object.entries(filter ?? {}).filter(([, value]) => value !== null));
    const kind = filteredKind('webhookDelivery', given);
    const asked = { first: checkFirst(first), after: decodeCursor(kind, after) };
    const page = await control.read(principal).webhookDeliveries(asked, given);
    return toConnection(kind, page, after ?? null, ({ id }) => id);
  }

  @Query(() => WebhookDelivery, { nullable: true, description: 'A delivery, or null.' })
  webhookDelivery(
    @Ctx() { loaders }: ApiContext,
    @Arg('id', () => ID, { description: 'Its id.' }) id: string,
  ): Promise<unknown> {
    return loaders.webhookDelivery.load(id);
  }

  @Query(() => Json, { description: 'The body that a template makes of a sample event. Nothing is sent.' })
  webhookPreview(
    @Ctx() { control, principal }: ApiContext,
    @Arg('type', () => String, { description: 'Type of the event.' }) type: string,
    @Arg('template', () => Json, { nullable: true, description: 'Absent: the CloudEvent as it is.' })
    template?: JsonValue,
  ): JsonValue {
    return control.webhooks.preview(principal, type, template ?? null);
  }

  @Mutation(() => CreateWebhookResult, {
    description:
      'Makes an endpoint. Requests are signed as Standard Webhooks has it; the body is a CloudEvent that schema/webhooks describes, or what a template makes of it.',
  })
  createWebhook(
    @Ctx() { control, principal }: ApiContext,
    @Arg('input', () => CreateWebhookInput, { description: 'The endpoint.' }) input: CreateWebhookInput,
  ): Promise<object> {
    return asResult('CreateWebhookSuccess', ['InvalidInput', 'NotFound'], () =>
      control.webhooks.create(principal, { ...NOTHING_ELSE, ...settingsOf(input), url: input.url, types: input.types }),
    );
  }

  @Mutation(() => UpdateWebhookResult, { description: 'Changes an endpoint, also for what waits for it.' })
  updateWebhook(
    @Ctx() { control, principal }: ApiContext,
    @Arg('id', () => ID, ENDPOINT) id: string,
    @Arg('changes', () => WebhookChangesInput, { description: 'What to change.' }) changes: WebhookChangesInput,
  ): Promise<object> {
    return asResult('UpdateWebhookSuccess', ['InvalidInput', 'NotFound'], async () => ({
      webhook: await control.webhooks.update(principal, id, settingsOf(changes)),
    }));
  }

  @Mutation(() => DeleteWebhookResult, { description: 'Deletes an endpoint with its deliveries.' })
  deleteWebhook(@Ctx() { control, principal }: ApiContext, @Arg('id', () => ID, ENDPOINT) id: string): Promise<object> {
    return asResult('DeleteWebhookSuccess', ['NotFound'], async () => {
      await control.webhooks.delete(principal, id);
      return { id };
    });
  }

  @Mutation(() => UpdateWebhookResult, { description: 'Lets an endpoint be told again. What waited for it goes on.' })
  enableWebhook(@Ctx() { control, principal }: ApiContext, @Arg('id', () => ID, ENDPOINT) id: string): Promise<object> {
    return asResult('UpdateWebhookSuccess', ['InvalidInput', 'NotFound'], async () => ({
      webhook: await control.webhooks.enable(principal, id),
    }));
  }

  @Mutation(() => UpdateWebhookResult, {
    description:
      'Tells an endpoint nothing until it is enabled. What waits for it waits on; what happens meanwhile it is never told.',
  })
  disableWebhook(
    @Ctx() { control, principal }: ApiContext,
    @Arg('id', () => ID, ENDPOINT) id: string,
    @Arg('reason', () => String, { nullable: true, description: 'Why.' }) reason?: string | null,
  ): Promise<object> {
    return asResult('UpdateWebhookSuccess', ['InvalidInput', 'NotFound'], async () => ({
      webhook: await control.webhooks.disable(principal, id, reason ?? null),
    }));
  }

  @Mutation(() => RotateWebhookSecretResult, {
    description: 'Makes a new secret. Both are used until the old one expires; one that was older goes at once.',
  })
  rotateWebhookSecret(
    @Ctx() { control, principal }: ApiContext,
    @Arg('id', () => ID, ENDPOINT) id: string,
    @Arg('keepHours', () => Float, {
      defaultValue: 24,
      description: 'How long the old secret stays valid, 0 to 168 hours.',
    })
    keepHours: number,
  ): Promise<object> {
    return asResult('RotateWebhookSecretSuccess', ['InvalidInput', 'NotFound'], () =>
      control.webhooks.rotate(principal, id, keepHours),
    );
  }

  @Mutation(() => SendWebhookResult, { description: 'Sends an event of the type ping to an endpoint.' })
  testWebhook(@Ctx() { control, principal }: ApiContext, @Arg('id', () => ID, ENDPOINT) id: string): Promise<object> {
    return asResult('SendWebhookSuccess', ['NotFound', 'NotReady'], async () => ({
      delivery: await control.webhooks.test(principal, id),
    }));
  }

  @Mutation(() => SendWebhookResult, {
    description: 'Sends a delivery again, whatever became of it, with the same webhook-id.',
  })
  redeliverWebhook(
    @Ctx() { control, principal }: ApiContext,
    @Arg('deliveryId', () => ID, { description: 'Id of the delivery.' }) deliveryId: string,
  ): Promise<object> {
    return asResult('SendWebhookSuccess', ['NotFound', 'NotReady'], async () => ({
      delivery: await control.webhooks.redeliver(principal, deliveryId),
    }));
  }

  @Mutation(() => RedeliverWebhooksResult, { description: 'The same for all deliveries to an endpoint since a time.' })
  redeliverWebhooks(
    @Ctx() { control, principal }: ApiContext,
    @Arg('id', () => ID, ENDPOINT) id: string,
    @Arg('since', () => DateTime, { description: 'Those that were made since then.' }) since: Date,
    @Arg('states', () => [WebhookDeliveryState], {
      defaultValue: ['DEAD'],
      description: 'Those that are DEAD, DELIVERED, or both.',
    })
    states: WebhookDeliveryView['state'][],
  ): Promise<object> {
    return asResult('RedeliverWebhooksSuccess', ['InvalidInput', 'NotFound', 'NotReady'], async () => ({
      count: await control.webhooks.redeliverSince(principal, id, { since, states }),
    }));
  }
}

const NOTHING_ELSE = { description: '', aliases: null, datasetIds: null, template: null, headers: {} };

/** What is null is as if it were absent, but for what may be null. */
function settingsOf(input: WebhookChangesInput): Partial<WebhookSettings> {
  const { url, description, types, aliases, datasetIds, template, headers } = input;
  return {
    ...(typeof url === 'string' && { url }),
    ...(typeof description === 'string' && { description }),
    ...(types && { types }),
    ...(aliases !== undefined && { aliases }),
    ...(datasetIds !== undefined && { datasetIds }),
    ...(template !== undefined && { template }),
    ...(headers && { headers: Object.fromEntries(headers.map(({ name, value }) => [name, value])) }),
  };
}
