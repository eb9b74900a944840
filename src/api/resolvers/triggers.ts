import { Arg, Ctx, FieldResolver, ID, Int, Mutation, Query, Resolver, Root } from 'type-graphql';
import { type JsonObject } from '../../base/json.ts';
import { invalid } from '../../base/errors.ts';
import { type EventSourceView, type TriggerEvaluationView, type TriggerView } from '../../control/ports.ts';
import { type RunView } from '../../control/views.ts';
import { checkFirst, type Connection, decodeCursor, filteredKind, toConnection } from '../connection.ts';
import { type ApiContext } from '../context.ts';
import { TriggerVerdict } from '../enums.ts';
import { asResult } from '../errors.ts';
import { Json } from '../scalars.ts';
import { Run } from '../types/run.ts';
import {
  EventSource,
  Trigger,
  TriggerConnection,
  TriggerEvaluation,
  TriggerEvaluationConnection,
} from '../types/trigger.ts';
import { TriggerDefinitionInput, toDefinition } from '../types/trigger-definition.ts';
import {
  CreateEventSourceResult,
  CreateTriggerResult,
  DeleteTriggerResult,
  EvaluateTriggerResult,
  PauseTriggerResult,
  ResumeTriggerResult,
  RevokeEventSourceResult,
  RotateEventSourceResult,
  UpdateTriggerResult,
} from '../types/trigger-results.ts';

const FIRST = { defaultValue: 20, description: 'Rows at most, 1 to 100.' };
const AFTER = { nullable: true, description: 'endCursor of the page before.' };
const ITS_ID = { description: 'Id of the trigger.' };

/** Kept apart from the type, so that types do not import in a circle. */
@Resolver(() => Run)
export class RunTriggers {
  @FieldResolver(() => Trigger, { nullable: true, description: 'The trigger that launched it; null: none did.' })
  async trigger(@Ctx() { loaders }: ApiContext, @Root() { id }: RunView): Promise<TriggerView | null> {
    const [evaluation] = await loaders.evaluationsOfRun.load(id);
    return evaluation ? await loaders.trigger.load(evaluation.triggerId) : null;
  }

  @FieldResolver(() => TriggerEvaluation, { nullable: true, description: 'The evaluation that launched it: why.' })
  async triggerEvaluation(
    @Ctx() { loaders }: ApiContext,
    @Root() { id }: RunView,
  ): Promise<TriggerEvaluationView | null> {
    return (await loaders.evaluationsOfRun.load(id))[0] ?? null;
  }
}

@Resolver()
export class TriggerResolver {
  @Query(() => Trigger, { nullable: true, description: 'A trigger by its id or its name: give one of them.' })
  trigger(
    @Ctx() { control, principal, loaders }: ApiContext,
    @Arg('id', () => ID, { nullable: true, description: 'Its id.' }) id?: string | null,
    @Arg('name', () => String, { nullable: true, description: 'Its name.' }) name?: string | null,
  ): Promise<TriggerView | null> {
    if (id && !name) return loaders.trigger.load(id);
    if (name && !id) return control.read(principal).triggerByName(name);
    throw invalid(`expected either id or name, got ${id ? 'both' : 'neither'}: give one of them`, { path: ['id'] });
  }

  @Query(() => TriggerConnection, { description: 'The triggers of the project, newest first.' })
  async triggers(
    @Ctx() { control, principal }: ApiContext,
    @Arg('first', () => Int, FIRST) first: number,
    @Arg('after', () => String, AFTER) after?: string | null,
  ): Promise<Connection<TriggerView>> {
    const asked = { first: checkFirst(first), after: decodeCursor('trigger', after) };
    return toConnection('trigger', await control.read(principal).triggers(asked), after ?? null, ({ id }) => id);
  }

  @Query(() => TriggerEvaluationConnection, {
    description: 'What triggers came to, newest first: why they fired, and why not.',
  })
  async triggerEvaluations(
    @Ctx() { control, principal }: ApiContext,
    @Arg('first', () => Int, FIRST) first: number,
    @Arg('after', () => String, AFTER) after?: string | null,
    @Arg('triggerId', () => ID, { nullable: true, description: 'Only of this trigger.' }) triggerId?: string | null,
    @Arg('verdicts', () => [TriggerVerdict], { nullable: true, description: 'Only those that came to one of these.' })
    verdicts?: (keyof typeof TriggerVerdict)[] | null,
  ): Promise<Connection<TriggerEvaluationView>> {
    const filter = { ...(triggerId && { triggerId }), ...(verdicts && { verdicts }) };
    const kind = filteredKind('triggerEvaluation', filter);
    const asked = { first: checkFirst(first), after: decodeCursor(kind, after) };
    const page = await control.read(principal).triggerEvaluations(asked, filter);
    return toConnection(kind, page, after ?? null, ({ id }) => id);
  }

  @Query(() => [EventSource], { description: 'Who may send events, by name; revoked ones too.' })
  eventSources(@Ctx() { control, principal }: ApiContext): Promise<EventSourceView[]> {
    return control.read(principal).eventSources();
  }

  @Mutation(() => CreateTriggerResult, {
    description: 'Makes a trigger. Condition, recipe and schedule are checked here, not when it fires.',
  })
  createTrigger(
    @Ctx() { control, principal }: ApiContext,
    @Arg('name', () => String, { description: 'A name of letters a to z, digits and . _ - that no other has.' })
    name: string,
    @Arg('definition', () => TriggerDefinitionInput, { description: 'What it is.' }) definition: TriggerDefinitionInput,
  ): Promise<object> {
    return asResult('CreateTriggerSuccess', ['InvalidInput', 'NotFound'], async () => ({
      trigger: await control.createTrigger(principal, { name, definition: toDefinition(definition) }),
    }));
  }

  @Mutation(() => UpdateTriggerResult, {
    description: 'Says anew what a trigger is, as its next version. What an earlier version waited for is SKIPPED.',
  })
  updateTrigger(
    @Ctx() { control, principal }: ApiContext,
    @Arg('id', () => ID, ITS_ID) id: string,
    @Arg('definition', () => TriggerDefinitionInput, { description: 'What it is from now on.' })
    definition: TriggerDefinitionInput,
    @Arg('name', () => String, { nullable: true, description: 'Another name; absent: as before.' })
    name?: string | null,
  ): Promise<object> {
    return asResult('UpdateTriggerSuccess', ['InvalidInput', 'NotFound', 'NotReady'], async () => ({
      trigger: await control.updateTrigger(principal, { id, name: name ?? null, definition: toDefinition(definition) }),
    }));
  }

  @Mutation(() => PauseTriggerResult, {
    description: 'Has a trigger not fire. Events meanwhile are SKIPPED and not made up for.',
  })
  pauseTrigger(
    @Ctx() { control, principal }: ApiContext,
    @Arg('id', () => ID, ITS_ID) id: string,
    @Arg('reason', () => String, { nullable: true, description: 'Why, for whoever asks.' }) reason?: string | null,
  ): Promise<object> {
    return asResult('PauseTriggerSuccess', ['InvalidInput', 'NotFound'], async () => ({
      trigger: await control.pauseTrigger(principal, id, reason ?? null),
    }));
  }

  @Mutation(() => ResumeTriggerResult, {
    description: 'Has a paused trigger fire again. Times of a schedule that passed meanwhile go by its misfire policy.',
  })
  resumeTrigger(@Ctx() { control, principal }: ApiContext, @Arg('id', () => ID, ITS_ID) id: string): Promise<object> {
    return asResult('ResumeTriggerSuccess', ['NotFound'], async () => ({
      trigger: await control.resumeTrigger(principal, id),
    }));
  }

  @Mutation(() => DeleteTriggerResult, { description: 'Deletes a trigger. Runs that it launched go on.' })
  deleteTrigger(@Ctx() { control, principal }: ApiContext, @Arg('id', () => ID, ITS_ID) id: string): Promise<object> {
    return asResult('DeleteTriggerSuccess', ['NotFound'], async () => {
      await control.deleteTrigger(principal, id);
      return { id };
    });
  }

  @Mutation(() => EvaluateTriggerResult, {
    description:
      'Evaluates a trigger by hand. A dry run tells what it would do, with the values that decide, and launches nothing but the drift run that it may need.',
  })
  evaluateTrigger(
    @Ctx() { control, principal }: ApiContext,
    @Arg('id', () => ID, ITS_ID) id: string,
    @Arg('dryRun', () => Boolean, { defaultValue: true, description: 'False: as if the event had come.' })
    dryRun: boolean,
    @Arg('event', () => Json, {
      nullable: true,
      description:
        'Of DATASET_VERSION and DRIFT {datasetVersionId}, of RUN {runId}, of EVENT {type, source, subject, data}; absent: the newest that there is.',
    })
    event?: JsonObject | null,
  ): Promise<object> {
    return asResult('EvaluateTriggerSuccess', ['InvalidInput', 'NotFound'], async () => {
      const found = await control.evaluateTrigger(principal, { id, dryRun, given: checkEvent(event ?? null) });
      return found.kind === 'DRY_RUN'
        ? { trigger: found.trigger, outcome: { ...found.outcome, event: found.event }, eventKey: null }
        : { trigger: found.trigger, outcome: null, eventKey: found.key };
    });
  }

  @Mutation(() => CreateEventSourceResult, {
    description: 'Makes a sender of events known, and a secret that it signs them with.',
  })
  createEventSource(
    @Ctx() { control, principal }: ApiContext,
    @Arg('name', () => String, { description: 'A name of letters a to z, digits and . _ - that no other has.' })
    name: string,
  ): Promise<object> {
    return asResult('CreateEventSourceSuccess', ['InvalidInput'], () => control.createEventSource(principal, name));
  }

  @Mutation(() => RotateEventSourceResult, {
    description: 'Makes a new secret; the one before stays valid for a while.',
  })
  rotateEventSource(
    @Ctx() { control, principal }: ApiContext,
    @Arg('id', () => ID, { description: 'Id of the event source.' }) id: string,
    @Arg('overlapHours', () => Int, {
      defaultValue: 24,
      description: 'Hours that the secret before stays valid, 0 to 720.',
    })
    overlapHours: number,
  ): Promise<object> {
    return asResult('RotateEventSourceSuccess', ['InvalidInput', 'NotFound'], () =>
      control.rotateEventSource(principal, id, overlapHours),
    );
  }

  @Mutation(() => RevokeEventSourceResult, { description: 'Has a source take no event any more, for good.' })
  revokeEventSource(
    @Ctx() { control, principal }: ApiContext,
    @Arg('id', () => ID, { description: 'Id of the event source.' }) id: string,
  ): Promise<object> {
    return asResult('RevokeEventSourceSuccess', ['NotFound'], async () => ({
      eventSource: await control.revokeEventSource(principal, id),
    }));
  }
}

function checkEvent(event: unknown): JsonObject | null {
  if (event === null || (typeof event === 'object' && !Array.isArray(event))) return event as JsonObject | null;
  throw invalid(
    `expected an object in event, got ${Array.isArray(event) ? 'a list' : JSON.stringify(event)}: give its facts by name`,
    {
      path: ['event'],
    },
  );
}
