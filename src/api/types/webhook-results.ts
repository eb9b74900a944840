import { Field, ID, Int, ObjectType } from 'type-graphql';
import { result } from './results.ts';
import { InvalidInput, NotFound, NotReady } from './user-errors.ts';
import { Webhook, WebhookDelivery } from './webhook.ts';

const SECRET = { description: 'whsec_ and the key in base 64, to verify signatures with. It is told this once.' };

@ObjectType({ description: 'The endpoint is told of events from now on.' })
export class CreateWebhookSuccess {
  @Field(() => Webhook, { description: 'The endpoint.' })
  webhook!: unknown;

  @Field(() => String, SECRET)
  secret!: string;
}

@ObjectType({ description: 'The endpoint is changed.' })
export class UpdateWebhookSuccess {
  @Field(() => Webhook, { description: 'The endpoint.' })
  webhook!: unknown;
}

@ObjectType({ description: 'The endpoint is gone, with its deliveries.' })
export class DeleteWebhookSuccess {
  @Field(() => ID, { description: 'Its id.' })
  id!: string;
}

@ObjectType({ description: 'Requests have a signature of the new secret, and of the old one until it expires.' })
export class RotateWebhookSecretSuccess {
  @Field(() => Webhook, { description: 'The endpoint.' })
  webhook!: unknown;

  @Field(() => String, SECRET)
  secret!: string;
}

@ObjectType({ description: 'The delivery goes as soon as none of its run is ahead of it.' })
export class SendWebhookSuccess {
  @Field(() => WebhookDelivery, { description: 'Ask for it by its id until it has ended.' })
  delivery!: unknown;
}

@ObjectType({ description: 'The deliveries go again, each from the beginning of its tries.' })
export class RedeliverWebhooksSuccess {
  @Field(() => Int, { description: 'How many.' })
  count!: number;
}

export const CreateWebhookResult = result('CreateWebhookResult', 'What came of making an endpoint.', () => [
  CreateWebhookSuccess,
  InvalidInput,
  NotFound,
]);

export const UpdateWebhookResult = result('UpdateWebhookResult', 'What came of changing an endpoint.', () => [
  UpdateWebhookSuccess,
  InvalidInput,
  NotFound,
]);

export const DeleteWebhookResult = result('DeleteWebhookResult', 'What came of deleting an endpoint.', () => [
  DeleteWebhookSuccess,
  NotFound,
]);

export const RotateWebhookSecretResult = result('RotateWebhookSecretResult', 'What came of a rotation.', () => [
  RotateWebhookSecretSuccess,
  InvalidInput,
  NotFound,
]);

export const SendWebhookResult = result('SendWebhookResult', 'What came of asking for a request.', () => [
  SendWebhookSuccess,
  NotFound,
  NotReady,
]);

export const RedeliverWebhooksResult = result('RedeliverWebhooksResult', 'What came of asking for requests.', () => [
  RedeliverWebhooksSuccess,
  InvalidInput,
  NotFound,
  NotReady,
]);
