import { Field, Float, ID, InputType, Int, ObjectType } from 'type-graphql';
import { type JsonObject } from '../../base/json.ts';
import { type TriggerDefinition } from '../../control/ports.ts';
import { AliasChange, RunOutcome, TriggerBusy, TriggerMisfire, TriggerSourceKind } from '../enums.ts';
import { Json } from '../scalars.ts';

const optional = (description: string) => ({ nullable: true, description });

@InputType('TriggerSourceInput', {
  description: 'What a trigger looks at. Each kind needs some of the fields and takes no others.',
})
@ObjectType({ description: 'What a trigger looks at; fields that its kind does not have are null.' })
export class TriggerSource {
  @Field(() => TriggerSourceKind, { description: 'What it is.' })
  kind!: TriggerDefinition['source']['kind'];

  @Field(
    () => String,
    optional(
      'Of SCHEDULE: minute, hour, day, month and weekday, in the wall-clock time of the zone. A time that the clock passes over fires at the next minute that there is; one that it shows twice fires once.',
    ),
  )
  cron?: string | null;

  @Field(() => String, optional('Of SCHEDULE: an IANA time zone, such as Europe/Berlin.'))
  timeZone?: string | null;

  @Field(
    () => String,
    optional(
      'Name of a dataset. DATASET_VERSION and DRIFT look at its new versions, RUN at its runs; for SCHEDULE and EVENT its newest version is what `dataset` stands for in conditions and recipes.',
    ),
  )
  dataset?: string | null;

  @Field(
    () => String,
    optional(
      'Of DRIFT: what a new version is measured against: the name of an alias, or the id of a run or of a synthetic dataset.',
    ),
  )
  against?: string | null;

  @Field(() => Int, optional('Of DRIFT: samples of each class that are encoded; absent: as drift runs do.'))
  samplesPerClass?: number | null;

  @Field(() => [RunOutcome], optional('Of RUN: how the run ended.'))
  outcomes?: (keyof typeof RunOutcome)[] | null;

  @Field(() => ID, optional('Of RUN: only runs with this prior.'))
  priorId?: string | null;

  @Field(() => ID, optional('Of RUN: only runs that this trigger launched.'))
  launchedBy?: string | null;

  @Field(() => ID, optional('Of EVENT: the event source that sends.'))
  eventSourceId?: string | null;

  @Field(() => [String], optional('Of EVENT: only CloudEvents of these types.'))
  eventTypes?: string[] | null;

  @Field(() => String, optional('Of ALIAS: its name.'))
  alias?: string | null;

  @Field(() => [AliasChange], optional('Of ALIAS: what happened to it.'))
  changes?: (keyof typeof AliasChange)[] | null;
}

@InputType('TriggerLaunchInput', { description: 'A run to launch.' })
@ObjectType({ description: 'A run that a trigger launches.' })
export class TriggerLaunch {
  @Field(() => Json, {
    description:
      'A recipe, as launchRun takes it; in its texts {{dataset.versionId}} and other names stand for what is known when the trigger fires.',
  })
  recipe!: JsonObject;

  @Field(() => Int, optional('Of the run; default 0.'))
  priority?: number | null;

  @Field(() => Float, optional('US dollars that one run may cost; absent: any.'))
  costUsd?: number | null;
}

@InputType('TriggerNotifyInput', { description: 'Whom to tell.' })
@ObjectType({ description: 'Whom a trigger tells.' })
export class TriggerNotify {
  @Field(() => ID, optional('The one webhook endpoint to tell trigger.fired; absent: all that ask for the type.'))
  webhookId?: string | null;
}

@InputType('TriggerPromoteInput', { description: 'What to promote to.' })
@ObjectType({ description: 'What a trigger promotes to.' })
export class TriggerPromote {
  @Field(() => String, {
    description:
      'The alias. Its gates are asked; where they do not let it through, the trigger is SKIPPED and does nothing else.',
  })
  alias!: string;
}

@InputType('TriggerActionInput', { description: 'What to do; one of them or several, promotions first.' })
@ObjectType({ description: 'What a trigger does.' })
export class TriggerAction {
  @Field(() => TriggerLaunch, optional('Launches a run, once for each version of the trigger and event.'))
  launch?: TriggerLaunch | null;

  @Field(() => TriggerNotify, optional('Tells the event trigger.fired to webhooks.'))
  notify?: TriggerNotify | null;

  @Field(() => TriggerPromote, optional('Of RUN: promotes what the run made.'))
  promote?: TriggerPromote | null;
}

@InputType('TriggerPolicyInput', { description: 'How often a trigger may fire, and what it may cost.' })
@ObjectType({ description: 'How often a trigger may fire, and what it may cost.' })
export class TriggerPolicy {
  @Field(() => Int, optional('After it has fired, it does not fire for so many seconds.'))
  cooldownSeconds?: number | null;

  @Field(() => Int, optional('It fires at most so often in rateSeconds.'))
  rateMax?: number | null;

  @Field(() => Int, optional('The seconds of rateMax, up to now.'))
  rateSeconds?: number | null;

  @Field(() => Int, optional('Runs of it in flight at most.'))
  maxInFlight?: number | null;

  @Field(() => TriggerBusy, optional('What happens to events over maxInFlight; default SKIP.'))
  whenBusy?: keyof typeof TriggerBusy | null;

  @Field(
    () => Float,
    optional(
      'US dollars that all its runs may cost in a month (UTC), drift runs too. The budget of the project holds beside it.',
    ),
  )
  monthlyUsd?: number | null;

  @Field(
    () => TriggerMisfire,
    optional(
      'Of SCHEDULE: what happens to times that passed while the service was down or the trigger paused; default ONE.',
    ),
  )
  misfire?: keyof typeof TriggerMisfire | null;
}

@InputType({ description: 'What a trigger is.' })
export class TriggerDefinitionInput {
  @Field(() => TriggerSource, { description: 'What it looks at.' })
  source!: TriggerSource;

  @Field(
    () => String,
    optional(
      'When it fires, such as `run.w2 <= 12 && cost.spentThisMonthUsd < 50`; absent: always. What is unknown is not true.',
    ),
  )
  condition?: string | null;

  @Field(() => TriggerAction, { description: 'What it does.' })
  action!: TriggerAction;

  @Field(() => TriggerPolicy, optional('How often; absent: as often as its source.'))
  policy?: TriggerPolicy | null;
}

/** With null for what was left out. */
export function toDefinition({ source, condition, action, policy }: TriggerDefinitionInput): TriggerDefinition {
  const { launch, notify, promote } = action;
  return {
    source: {
      ...{ kind: source.kind, cron: source.cron ?? null, timeZone: source.timeZone ?? null },
      ...{ dataset: source.dataset ?? null, against: source.against ?? null, outcomes: source.outcomes ?? null },
      ...{ samplesPerClass: source.samplesPerClass ?? null, priorId: source.priorId ?? null },
      ...{ launchedBy: source.launchedBy ?? null, eventSourceId: source.eventSourceId ?? null },
      ...{ eventTypes: source.eventTypes ?? null, alias: source.alias ?? null, changes: source.changes ?? null },
    },
    condition: condition ?? null,
    action: {
      launch: launch
        ? { recipe: launch.recipe, priority: launch.priority ?? 0, costUsd: launch.costUsd ?? null }
        : null,
      notify: notify ? { webhookId: notify.webhookId ?? null } : null,
      promote: promote ? { alias: promote.alias } : null,
    },
    policy: {
      ...{ cooldownSeconds: policy?.cooldownSeconds ?? null, rateMax: policy?.rateMax ?? null },
      ...{ rateSeconds: policy?.rateSeconds ?? null, maxInFlight: policy?.maxInFlight ?? null },
      ...{ whenBusy: policy?.whenBusy ?? 'SKIP', monthlyUsd: policy?.monthlyUsd ?? null },
      misfire: policy?.misfire ?? 'ONE',
    },
  };
}
