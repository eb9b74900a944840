import { Arg, Ctx, Field, Float, Int, ObjectType } from 'type-graphql';
import { classFigures, type ClassFigures as Figures, overallFigures } from '../../control/figures.ts';
import { DRIFT_REPORT, driftFigures, type DriftFigures, isDrift } from '../../control/drift.ts';
import { type RunView, type StageView } from '../../control/views.ts';
import { checkFirst, connectionType } from '../connection.ts';
import { type ApiContext } from '../context.ts';
import { RunKind, RunState } from '../enums.ts';
import { DateTime, Json } from '../scalars.ts';
import { Artifact } from './artifact.ts';
import { DatasetVersion } from './dataset.ts';
import { Drift } from './drift.ts';
import { RunEventPage } from './event.ts';
import { Failure } from './failure.ts';
import { ClassFigures, OverallFigures } from './figures.ts';
import { Node } from './node.ts';
import { Prior } from './prior.ts';
import { Stage } from './stage.ts';

@ObjectType({ description: 'Everything a run was asked to do.' })
export class Recipe {
  @Field(() => Json, { description: 'Validated, with all defaults filled in.' })
  canonical!: unknown;

  @Field(() => String, { description: 'SHA-256 of its canonical JSON, lower-case hex.' })
  digest!: string;
}

@ObjectType({ description: 'What a run may use; null: no limit of its own.' })
export class RunLimits {
  @Field(() => Int, { nullable: true, description: 'Seconds that an attempt at a task may run.' })
  taskSeconds!: number | null;

  @Field(() => Int, { nullable: true, description: 'Seconds that the run may take from its start.' })
  runSeconds!: number | null;

  @Field(() => Int, { nullable: true, description: 'How often a task may fail; null: as the service is set.' })
  maxAttempts!: number | null;

  @Field(() => Float, { nullable: true, description: 'US dollars that it may cost.' })
  costUsd!: number | null;
}

@ObjectType({ implements: Node, description: 'A recipe being carried out.' })
export class Run extends Node {
  declare recipe: RunView['recipe'];
  declare recipeDigest: string;
  declare datasetVersionId: string;
  declare priorId: string;
  declare traceparent: string | null;
  declare retriedRunId: string | null;

  @Field(() => RunState, { description: 'Where it stands.' })
  state!: RunView['state'];

  @Field(() => RunKind, { description: 'What it is for.' })
  get kind(): keyof typeof RunKind {
    return isDrift(this.recipe) ? 'DRIFT' : 'DISTILLATION';
  }

  @Field(() => Recipe, { name: 'recipe', description: 'What it was asked to do.' })
  get recipeAndDigest(): Recipe {
    return { canonical: this.recipe, digest: this.recipeDigest };
  }

  @Field(() => DatasetVersion, { description: 'The dataset version that it distils, or asks about.' })
  datasetVersion(@Ctx() { loaders }: ApiContext): Promise<unknown> {
    return loaders.datasetVersion.load(this.datasetVersionId);
  }

  @Field(() => Prior, { description: 'The prior that it uses.' })
  prior(@Ctx() { loaders }: ApiContext): Promise<unknown> {
    return loaders.prior.load(this.priorId);
  }

  @Field(() => [Stage], { description: 'Its stages in the order they run.' })
  stages(@Ctx() { loaders }: ApiContext): Promise<StageView[]> {
    return loaders.stagesOfRun.load(this.id);
  }

  @Field(() => [ClassFigures], {
    description: 'Figures of each class that has been surveyed or quantized, in label order.',
  })
  async classFigures(@Ctx() { loaders }: ApiContext): Promise<Figures[]> {
    return classFigures(await loaders.figureTasksOfRun.load(this.id));
  }

  @Field(() => OverallFigures, {
    nullable: true,
    description: 'Means over the classes; null until one has been surveyed or quantized.',
  })
  async overall(@Ctx() { loaders }: ApiContext): Promise<unknown> {
    return overallFigures(classFigures(await loaders.figureTasksOfRun.load(this.id)));
  }

  @Field(() => Drift, { nullable: true, description: 'What a drift run found; null until it has.' })
  async drift(@Ctx() { loaders }: ApiContext): Promise<DriftFigures | null> {
    if (this.kind !== 'DRIFT') return null;
    const [artifact] = await loaders.outputsOfRun.load({ runId: this.id, kinds: [DRIFT_REPORT] });
    return artifact ? driftFigures(artifact) : null;
  }

  @Field(() => Float, { description: 'Cost of all attempts so far in `currency`, failed ones too.' })
  costUsd!: number;

  @Field(() => String, { description: 'Currency of every cost: USD.' })
  get currency(): string {
    return 'USD';
  }

  @Field(() => [Artifact], { description: 'Artifacts that it was given: dataset version and prior.' })
  inputs(@Ctx() { loaders }: ApiContext): Promise<unknown[]> {
    return loaders.inputsOfRun.load(this.id);
  }

  @Field(() => [Artifact], { description: 'Artifacts of its tasks and stages, made or found, oldest first.' })
  outputs(
    @Ctx() { loaders }: ApiContext,
    @Arg('kinds', () => [String], { nullable: true, description: 'Only artifacts of these kinds.' })
    kinds?: string[] | null,
  ): Promise<unknown[]> {
    return loaders.outputsOfRun.load({ runId: this.id, kinds: kinds ?? null });
  }

  @Field(() => Failure, { nullable: true, description: 'Why it failed, or is about to.' })
  failure!: RunView['failure'];

  @Field(() => Int, { description: 'Tasks of runs with a greater one go first.' })
  priority!: number;

  @Field(() => RunLimits, { description: 'What it may use.' })
  limits!: RunView['limits'];

  @Field(() => Run, { nullable: true, description: 'The run that it repeats.' })
  async retryOf(@Ctx() { loaders }: ApiContext): Promise<RunView | null> {
    return this.retriedRunId === null ? null : await loaders.run.load(this.retriedRunId);
  }

  @Field(() => Boolean, { description: 'Whether someone asked it to stop.' })
  cancelRequested!: boolean;

  @Field(() => Boolean, { description: 'Whether it ended without all its processes having been seen gone.' })
  resourcesUnconfirmed!: boolean;

  @Field(() => RunEventPage, { description: 'What happened to it, from the event after afterSequence on.' })
  async events(
    @Ctx() { loaders }: ApiContext,
    @Arg('afterSequence', () => Int, { defaultValue: 0, description: 'Sequence of the last event known.' })
    afterSequence: number,
    @Arg('first', () => Int, { defaultValue: 50, description: 'Events at most, 1 to 100.' }) first: number,
  ): Promise<RunEventPage> {
    const found = await loaders.eventsOfRun.load({ runId: this.id, after: afterSequence, first: checkFirst(first) });
    const events = found.slice(0, first);
    return { events, lastSequence: events.at(-1)?.sequence ?? afterSequence, hasMore: found.length > first };
  }

  @Field(() => DateTime, { description: 'When it was launched.' })
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'When its first stage started.' })
  startedAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When it ended.' })
  endedAt!: Date | null;

  @Field(() => String, { nullable: true, description: 'W3C trace id under which it was launched.' })
  get traceId(): string | null {
    return this.traceparent?.split('-')[1] ?? null;
  }
}

export const RunConnection = connectionType('Run', () => Run);
