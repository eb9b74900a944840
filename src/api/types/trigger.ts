import { Ctx, Field, ID, Int, ObjectType } from 'type-graphql';
import { type JsonValue } from '../../base/json.ts';
import {
  type EventSourceView,
  type TriggerEvaluationView,
  type TriggerEvent as EventView,
  type TriggerTerm as Term,
  type TriggerView,
} from '../../control/ports.ts';
import { connectionType } from '../connection.ts';
import { type ApiContext } from '../context.ts';
import { ErrorCode, TriggerReason, TriggerState, TriggerVerdict } from '../enums.ts';
import { DateTime, Json } from '../scalars.ts';
import { AliasVersion } from './alias.ts';
import { Node } from './node.ts';
import { Run } from './run.ts';
import { TriggerAction, TriggerPolicy, TriggerSource } from './trigger-definition.ts';

@ObjectType({ implements: Node, description: 'A rule that launches runs, promotes what they made, or tells others.' })
export class Trigger extends Node {
  @Field(() => String, { description: 'Unique among those that are not deleted.' })
  name!: string;

  @Field(() => TriggerState, { description: 'Whether it fires.' })
  state!: TriggerView['state'];

  @Field(() => String, { nullable: true, description: 'Why it is PAUSED; null where it is not.' })
  pausedBecause!: string | null;

  @Field(() => Int, { description: 'Counts what was said of it from 1; evaluations name it.' })
  version!: number;

  @Field(() => TriggerSource, { description: 'What it looks at.' })
  source!: TriggerView['source'];

  @Field(() => String, { nullable: true, description: 'When it fires; null: always.' })
  condition!: string | null;

  @Field(() => TriggerAction, { description: 'What it does.' })
  action!: TriggerView['action'];

  @Field(() => TriggerPolicy, { description: 'How often it may fire, and what it may cost.' })
  policy!: TriggerView['policy'];

  @Field(() => String, { description: 'Who said what holds now.' })
  changedBy!: string;

  @Field(() => DateTime, { description: 'When.' })
  changedAt!: Date;

  @Field(() => DateTime, { description: 'When it was made.' })
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'Of a schedule: when it is due next.' })
  nextDueAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When it was deleted; what it did can still be asked.' })
  deletedAt!: Date | null;
}

export const TriggerConnection = connectionType('Trigger', () => Trigger);

@ObjectType({ description: 'A part of a condition, with the value that it had.' })
export class TriggerTerm {
  @Field(() => Int, { description: 'How deep it lies: 0 is the whole condition, and its parts follow it.' })
  depth!: number;

  @Field(() => String, { description: 'As it was written.' })
  text!: string;

  @Field(() => Json, { nullable: true, description: 'What it came to; null: unknown.' })
  value!: JsonValue;
}

@ObjectType({ description: 'What a trigger was evaluated for.' })
export class TriggerEvent {
  @Field(() => String, { description: 'The same however often it comes: a trigger is evaluated once for each.' })
  key!: string;

  @Field(() => String, { description: 'Its type, such as datasetVersion.ready or that of a CloudEvent.' })
  type!: string;

  @Field(() => DateTime, { description: 'When it was recorded.' })
  at!: Date;

  @Field(() => Json, { description: 'What it told.' })
  facts!: EventView['facts'];

  @Field(() => ID, { nullable: true, description: 'The run that it is about.' })
  runId!: string | null;

  @Field(() => ID, { nullable: true, description: 'The dataset version that it is about.' })
  datasetVersionId!: string | null;
}

@ObjectType({ description: 'Why an evaluation failed.' })
export class TriggerError {
  @Field(() => ErrorCode, { description: 'One of a closed set.' })
  code!: keyof typeof ErrorCode;

  @Field(() => String, { description: 'What was expected, what was received and what to do.' })
  message!: string;
}

@ObjectType({ description: 'What a trigger comes to for an event.' })
export class TriggerOutcome {
  declare tree: Term | null;
  declare launchedRunId: string | null;
  declare measuringRunId: string | null;
  declare promotedVersionId: string | null;

  @Field(() => TriggerVerdict, { description: 'What it came to.' })
  verdict!: TriggerEvaluationView['verdict'];

  @Field(() => TriggerReason, { nullable: true, description: 'Why it is SKIPPED or PENDING.' })
  reason!: TriggerEvaluationView['reason'];

  @Field(() => String, { nullable: true, description: 'The same in words; of NOT_MET, what decided.' })
  detail!: string | null;

  @Field(() => TriggerEvent, { description: 'What it was evaluated for.' })
  event!: EventView;

  @Field(() => [TriggerTerm], {
    description:
      'The condition, its parts, and theirs, each with its value. Empty where there is none, or it was not asked.',
  })
  get terms(): TriggerTerm[] {
    return this.tree ? [...flat(this.tree, 0)] : [];
  }

  @Field(() => TriggerError, { nullable: true, description: 'Why it FAILED.' })
  error!: TriggerEvaluationView['error'];

  @Field(() => Run, { nullable: true, description: 'The run that it launched.' })
  launchedRun(@Ctx() { loaders }: ApiContext): Promise<unknown> | null {
    return this.launchedRunId === null ? null : loaders.run.load(this.launchedRunId);
  }

  @Field(() => Run, { nullable: true, description: 'The drift run whose figures it goes by.' })
  measuringRun(@Ctx() { loaders }: ApiContext): Promise<unknown> | null {
    return this.measuringRunId === null ? null : loaders.run.load(this.measuringRunId);
  }

  @Field(() => AliasVersion, { nullable: true, description: 'What it promoted.' })
  promoted(@Ctx() { loaders }: ApiContext): Promise<unknown> | null {
    return this.promotedVersionId === null ? null : loaders.aliasVersion.load(this.promotedVersionId);
  }
}

function* flat(term: Term, depth: number): Generator<TriggerTerm> {
  yield { depth, text: term.text, value: term.value };
  for (const one of term.terms) yield* flat(one, depth + 1);
}

@ObjectType({
  implements: Node,
  description:
    'A trigger and an event, and what came of it: why it fired, or why not. Those that launched nothing are forgotten after 90 days.',
})
export class TriggerEvaluation extends TriggerOutcome {
  declare triggerId: string;

  @Field(() => ID, { description: 'Unique in the project.' })
  id!: string;

  @Field(() => Trigger, { description: 'The trigger, as it is now.' })
  trigger(@Ctx() { loaders }: ApiContext): Promise<unknown> {
    return loaders.trigger.load(this.triggerId);
  }

  @Field(() => Int, { description: 'The version of the trigger that was evaluated.' })
  triggerVersion!: number;

  @Field(() => [ID], { description: 'Ids of the triggers that led here, the first one first; it is the last.' })
  chain!: string[];

  @Field(() => DateTime, { description: 'When it was first evaluated.' })
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'When it was decided; null while it is PENDING.' })
  endedAt!: Date | null;
}

export const TriggerEvaluationConnection = connectionType('TriggerEvaluation', () => TriggerEvaluation);

@ObjectType({ description: 'A secret of an event source; what it is was told when it was made.' })
export class EventSecret {
  @Field(() => DateTime, { description: 'When it was made.' })
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'Until when it is valid; null: until it is rotated.' })
  expiresAt!: Date | null;
}

@ObjectType({ description: 'Who may send CloudEvents to POST /api/v1/events/ID, signed as Standard Webhooks has it.' })
export class EventSource {
  @Field(() => ID, { description: 'Its id, which the address ends in.' })
  id!: string;

  @Field(() => String, { description: 'Unique in the project.' })
  name!: string;

  @Field(() => [EventSecret], { description: 'Secrets that are valid now, newest first.' })
  secrets!: EventSourceView['secrets'];

  @Field(() => DateTime, { nullable: true, description: 'Since when it takes nothing; null: it does.' })
  revokedAt!: Date | null;

  @Field(() => String, { description: 'Who made it.' })
  createdBy!: string;

  @Field(() => DateTime, { description: 'When.' })
  createdAt!: Date;
}
