import { Ctx, Field, Float, ID, InputType, Int, ObjectType } from 'type-graphql';
import { EVENT_TYPES } from '../../control/webhooks/event-types.ts';
import { type WebhookDeliveryView, type WebhookTryView, type WebhookView } from '../../control/ports.ts';
import { connectionType } from '../connection.ts';
import { type ApiContext } from '../context.ts';
import { WebhookDeliveryState, WebhookState } from '../enums.ts';
import { DateTime, Json } from '../scalars.ts';
import { Run } from './run.ts';

const TYPES = `${Object.keys(EVENT_TYPES).join(', ')}; or * for all, also those of later releases`;

@ObjectType({
  description: 'A secret that signatures are made with. It was told when it was made, and is told to nobody again.',
})
export class WebhookSecret {
  @Field(() => DateTime, { description: 'When it was made.' })
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'Until when it is used; null: until it is rotated.' })
  expiresAt!: Date | null;
}

@ObjectType({ description: 'An endpoint that is told of events of the project.' })
export class Webhook {
  @Field(() => ID, { description: 'Its id.' })
  id!: string;

  @Field(() => String, { description: 'Where requests go.' })
  url!: string;

  @Field(() => String, { description: 'What it is for.' })
  description!: string;

  @Field(() => [String], { description: `What it is told of: ${TYPES}.` })
  types!: string[];

  @Field(() => [String], { nullable: true, description: 'Of events of aliases, only those of these; null: all.' })
  aliases!: string[] | null;

  @Field(() => [ID], {
    nullable: true,
    description: 'Of events that have to do with a dataset, only those of these; null: all.',
  })
  datasetIds!: string[] | null;

  @Field(() => Json, { nullable: true, description: 'What is sent instead of the CloudEvent, with {{paths}} into it.' })
  template!: WebhookView['template'];

  @Field(() => [String], { description: 'Names of the headers of its own. Their values are told to nobody.' })
  headerNames!: string[];

  @Field(() => WebhookState, { description: 'Whether it is told of anything.' })
  state!: WebhookView['state'];

  @Field(() => String, { nullable: true, description: 'Why it is DISABLED.' })
  disabledBecause!: string | null;

  @Field(() => [WebhookSecret], { description: 'One, or two while the old one is valid; newest first.' })
  secrets!: WebhookView['secrets'];

  @Field(() => String, { description: 'Who made it.' })
  createdBy!: string;

  @Field(() => DateTime, { description: 'When.' })
  createdAt!: Date;
}

export const WebhookConnection = connectionType('Webhook', () => Webhook);

@ObjectType({
  description:
    'A request and what came of it. Values of headers of its own and signatures of URLs are left out; bodies end after 8192 characters.',
})
export class WebhookTry {
  @Field(() => Int, { description: 'Counts the tries of a delivery from 1.' })
  number!: number;

  @Field(() => DateTime, { description: 'When it was sent.' })
  at!: Date;

  @Field(() => Float, { description: 'Milliseconds until the answer was there, or the try given up.' })
  ms!: number;

  @Field(() => Int, { nullable: true, description: 'HTTP status; null where nothing answered to the end.' })
  status!: number | null;

  @Field(() => String, { nullable: true, description: 'Why it failed; null where it was delivered.' })
  error!: string | null;

  @Field(() => Json, { description: 'Headers of the request.' })
  requestHeaders!: WebhookTryView['requestHeaders'];

  @Field(() => String, { description: 'Body of the request.' })
  requestBody!: string;

  @Field(() => Json, { nullable: true, description: 'Headers of the answer.' })
  responseHeaders!: WebhookTryView['responseHeaders'];

  @Field(() => String, { nullable: true, description: 'Body of the answer.' })
  responseBody!: string | null;
}

@ObjectType({ description: 'An event on its way to an endpoint. Kept for 30 days after it ended.' })
export class WebhookDelivery {
  declare webhookId: string;
  declare event: WebhookDeliveryView['event'];

  @Field(() => ID, { description: 'Its id, the webhook-id of each of its requests.' })
  id!: string;

  @Field(() => Webhook, { nullable: true, description: 'The endpoint.' })
  webhook(@Ctx() { loaders }: ApiContext): Promise<unknown> {
    return loaders.webhook.load(this.webhookId);
  }

  @Field(() => String, { description: 'The event, the id of its CloudEvent: the same at every endpoint.' })
  get eventId(): string {
    return this.event.id;
  }

  @Field(() => String, { description: 'Its type.' })
  get type(): string {
    return this.event.type;
  }

  @Field(() => String, { description: 'What it happened to: a run, a dataset, an alias.' })
  get subject(): string {
    return this.event.subject;
  }

  @Field(() => Run, { nullable: true, description: 'The run, of events of one.' })
  async run(@Ctx() { loaders }: ApiContext): Promise<unknown> {
    return this.event.runId === null ? null : await loaders.run.load(this.event.runId);
  }

  @Field(() => WebhookDeliveryState, { description: 'Where it stands.' })
  state!: WebhookDeliveryView['state'];

  @Field(() => Int, { description: 'Requests so far.' })
  tries!: number;

  @Field(() => DateTime, {
    nullable: true,
    description: 'When it is tried next, if none of its run is ahead of it; null once it has ended.',
  })
  nextTryAt!: Date | null;

  @Field(() => String, {
    nullable: true,
    description: 'Why the last try failed; null where it did not, and before it.',
  })
  error!: string | null;

  @Field(() => DateTime, { description: 'When it was made.' })
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'When it was delivered or given up.' })
  endedAt!: Date | null;

  @Field(() => [WebhookTry], { description: 'Every request, in order.' })
  log(@Ctx() { loaders }: ApiContext): Promise<WebhookTryView[]> {
    return loaders.triesOfDelivery.load(this.id);
  }
}

export const WebhookDeliveryConnection = connectionType('WebhookDelivery', () => WebhookDelivery);

@InputType({ description: 'A header of requests to an endpoint.' })
export class WebhookHeaderInput {
  @Field(() => String, { description: 'Such as Authorization.' })
  name!: string;

  @Field(() => String, { description: 'Kept as a secret.' })
  value!: string;
}

@InputType({ description: 'What of an endpoint may be changed. What is absent stays.' })
export class WebhookChangesInput {
  @Field(() => String, {
    nullable: true,
    description: 'Where requests go: https, to a public address, unless the service allows another.',
  })
  url?: string | null;

  @Field(() => String, { nullable: true, description: 'What it is for.' })
  description?: string | null;

  @Field(() => [String], { nullable: true, description: `What it is told of: ${TYPES}.` })
  types?: string[] | null;

  @Field(() => [String], { nullable: true, description: 'Of events of aliases, only those of these; null: all.' })
  aliases?: string[] | null;

  @Field(() => [ID], {
    nullable: true,
    description: 'Of events that have to do with a dataset, only those of these; null: all.',
  })
  datasetIds?: string[] | null;

  @Field(() => Json, {
    nullable: true,
    description:
      'JSON of another shape to send, in whose texts {{data.run.id}} stands for what the CloudEvent has there; null: the CloudEvent as it is. webhookPreview shows what it makes.',
  })
  template?: WebhookView['template'];

  @Field(() => [WebhookHeaderInput], { nullable: true, description: 'Headers of its own, instead of those before.' })
  headers?: WebhookHeaderInput[] | null;
}

@InputType({ description: 'An endpoint.' })
export class CreateWebhookInput extends WebhookChangesInput {
  @Field(() => String, {
    description: 'Where requests go: https, to a public address, unless the service allows another.',
  })
  declare url: string;

  @Field(() => [String], { description: `What it is told of: ${TYPES}.` })
  declare types: string[];
}

@InputType({ description: 'Which deliveries. What is absent does not count.' })
export class WebhookDeliveryFilterInput {
  @Field(() => ID, { nullable: true, description: 'To this endpoint.' })
  webhookId?: string | null;

  @Field(() => [WebhookDeliveryState], {
    nullable: true,
    description: 'In one of these states; DEAD ones are dead letters.',
  })
  states?: WebhookDeliveryView['state'][] | null;

  @Field(() => [String], { nullable: true, description: 'Of these types.' })
  types?: string[] | null;

  @Field(() => ID, { nullable: true, description: 'Of events of this run.' })
  runId?: string | null;
}
