import { Field, ID, ObjectType } from 'type-graphql';
import { result } from './results.ts';
import { EventSource, Trigger, TriggerOutcome } from './trigger.ts';
import { InvalidInput, NotFound, NotReady } from './user-errors.ts';

@ObjectType({ description: 'The trigger is evaluated from now on.' })
export class CreateTriggerSuccess {
  @Field(() => Trigger, { description: 'The trigger.' })
  trigger!: unknown;
}

@ObjectType({ description: 'The next version of the trigger holds from now on.' })
export class UpdateTriggerSuccess {
  @Field(() => Trigger, { description: 'The trigger.' })
  trigger!: unknown;
}

@ObjectType({ description: 'Events are SKIPPED from now on.' })
export class PauseTriggerSuccess {
  @Field(() => Trigger, { description: 'The trigger.' })
  trigger!: unknown;
}

@ObjectType({ description: 'It fires again for what comes.' })
export class ResumeTriggerSuccess {
  @Field(() => Trigger, { description: 'The trigger.' })
  trigger!: unknown;
}

@ObjectType({ description: 'The trigger is gone; its evaluations stay.' })
export class DeleteTriggerSuccess {
  @Field(() => ID, { description: 'Its id.' })
  id!: string;
}

@ObjectType({ description: 'It was evaluated, or will be at once.' })
export class EvaluateTriggerSuccess {
  @Field(() => Trigger, { description: 'The trigger.' })
  trigger!: unknown;

  @Field(() => TriggerOutcome, {
    nullable: true,
    description:
      'What a dry run came to: FIRED where it would fire; PENDING where a drift run measures, ask again when it has ended. Null unless it was a dry run.',
  })
  outcome!: unknown;

  @Field(() => String, {
    nullable: true,
    description: 'Key of the event by which its evaluation can be told. Null for a dry run.',
  })
  eventKey!: string | null;
}

@ObjectType({ description: 'The event source takes events. The secret is told this once.' })
export class CreateEventSourceSuccess {
  @Field(() => EventSource, { description: 'The source.' })
  eventSource!: unknown;

  @Field(() => String, { description: 'whsec_ and base 64.' })
  secret!: string;
}

@ObjectType({ description: 'It takes events that are signed with the new secret. It is told this once.' })
export class RotateEventSourceSuccess {
  @Field(() => EventSource, { description: 'The source.' })
  eventSource!: unknown;

  @Field(() => String, { description: 'whsec_ and base 64.' })
  secret!: string;
}

@ObjectType({ description: 'It takes no events any more.' })
export class RevokeEventSourceSuccess {
  @Field(() => EventSource, { description: 'The source.' })
  eventSource!: unknown;
}

export const CreateTriggerResult = result('CreateTriggerResult', 'What came of creating a trigger.', () => [
  CreateTriggerSuccess,
  InvalidInput,
  NotFound,
]);

export const UpdateTriggerResult = result('UpdateTriggerResult', 'What came of changing a trigger.', () => [
  UpdateTriggerSuccess,
  InvalidInput,
  NotFound,
  NotReady,
]);

export const PauseTriggerResult = result('PauseTriggerResult', 'What came of pausing a trigger.', () => [
  PauseTriggerSuccess,
  InvalidInput,
  NotFound,
]);

export const ResumeTriggerResult = result('ResumeTriggerResult', 'What came of resuming a trigger.', () => [
  ResumeTriggerSuccess,
  NotFound,
]);

export const DeleteTriggerResult = result('DeleteTriggerResult', 'What came of deleting a trigger.', () => [
  DeleteTriggerSuccess,
  NotFound,
]);

export const EvaluateTriggerResult = result('EvaluateTriggerResult', 'What came of evaluating a trigger.', () => [
  EvaluateTriggerSuccess,
  InvalidInput,
  NotFound,
]);

export const CreateEventSourceResult = result('CreateEventSourceResult', 'What came of an event source.', () => [
  CreateEventSourceSuccess,
  InvalidInput,
]);

export const RotateEventSourceResult = result('RotateEventSourceResult', 'What came of a new secret.', () => [
  RotateEventSourceSuccess,
  InvalidInput,
  NotFound,
]);

export const RevokeEventSourceResult = result('RevokeEventSourceResult', 'What came of revoking a source.', () => [
  RevokeEventSourceSuccess,
  NotFound,
]);
