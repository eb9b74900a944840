import { Arg, Ctx, Field, Float, Int, ObjectType } from 'type-graphql';
import { itemsPerSecond, stageSeconds } from '../../control/figures.ts';
import { type AttemptView, type StageView, type TaskView } from '../../control/views.ts';
import { checkFirst, type Connection, connectionType, decodeNumber, toConnection } from '../connection.ts';
import { type ApiContext } from '../context.ts';
import { AttemptState, StageState, TaskCache, TaskState } from '../enums.ts';
import { DateTime, Json, Long } from '../scalars.ts';
import { Artifact, Metric } from './artifact.ts';
import { Failure } from './failure.ts';

@ObjectType({ description: 'Resources that an attempt used.' })
export class Usage {
  @Field(() => Float, { description: 'Wall-clock seconds in which it held its resources.' })
  allocatedSeconds!: number;

  @Field(() => Long, { description: 'Peak resident memory in bytes.' })
  peakMemoryBytes!: number;

  @Field(() => Long, { description: 'Bytes read from the store; images read where they lie are not counted.' })
  bytesRead!: number;

  @Field(() => Long, { description: 'Bytes written to the store.' })
  bytesWritten!: number;
}

@ObjectType({ description: 'One try at a task, by an executor.' })
export class Attempt {
  @Field(() => String, { description: 'Unique in the project.' })
  id!: string;

  @Field(() => Int, { description: 'Counts the attempts of a task from 1.' })
  number!: number;

  @Field(() => AttemptState, { description: 'Where it stands.' })
  state!: AttemptView['state'];

  @Field(() => String, { description: 'What carries it out: local or kubernetes.' })
  executor!: string;

  @Field(() => Failure, { nullable: true, description: 'Why it failed or was lost.' })
  failure!: AttemptView['failure'];

  @Field(() => Usage, { nullable: true, description: 'What it used; null while it runs.' })
  usage!: AttemptView['usage'];

  @Field(() => Float, { nullable: true, description: 'What it is charged, in US dollars per hour.' })
  priceUsdPerHour!: number | null;

  @Field(() => String, { nullable: true, description: 'Version of the price list that this is from.' })
  priceList!: string | null;

  @Field(() => Float, { nullable: true, description: 'Its cost in US dollars; null while it runs.' })
  costUsd!: number | null;

  @Field(() => DateTime, { description: 'When it was started.' })
  startedAt!: Date;

  @Field(() => DateTime, {
    nullable: true,
    description:
      'Since when it runs: from then on it is timed, and its cost counts towards budgets. Null while it waits in a cluster, and where it ended without being seen to run.',
  })
  runningAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When it was seen to end.' })
  endedAt!: Date | null;
}

@ObjectType({ description: 'One idempotent piece of a stage.' })
export class Task {
  declare artifactId: string;
  declare labels: Record<string, string>;
  declare metrics: Record<string, number> | null;

  @Field(() => String, { description: 'Unique in the project.' })
  id!: string;

  @Field(() => Int, { description: 'Position within its stage, from 0.' })
  index!: number;

  @Field(() => String, { description: 'What a person calls it.' })
  title!: string;

  @Field(() => TaskState, { description: 'Where it stands.' })
  state!: TaskView['state'];

  @Field(() => TaskCache, { nullable: true, description: 'Whether it had to be carried out; null until known.' })
  cache!: TaskView['cache'];

  @Field(() => String, { nullable: true, description: 'Why it is STALE; null otherwise.' })
  cacheReason!: string | null;

  @Field(() => Json, { name: 'labels', description: 'Facts by name, for example its class.' })
  get labelValues(): Record<string, string> {
    return this.labels;
  }

  @Field(() => Int, { description: 'Items (images or points) it handles.' })
  items!: number;

  @Field(() => Int, { description: 'Items handled so far.' })
  itemsDone!: number;

  @Field(() => [Metric], {
    name: 'metrics',
    nullable: true,
    description: 'The numbers it reported; null until it succeeded.',
  })
  get metricValues(): { name: string; value: number }[] | null {
    return this.metrics && Object.entries(this.metrics).map(([name, value]) => ({ name, value }));
  }

  @Field(() => Artifact, { nullable: true, description: 'What it published; null until it succeeded.' })
  artifact(@Ctx() { loaders }: ApiContext): Promise<unknown> {
    return loaders.artifact.load(this.artifactId);
  }

  @Field(() => Float, { description: 'Cost of its attempts that have ended in US dollars, failed ones too.' })
  costUsd(@Ctx() { loaders }: ApiContext): Promise<number> {
    return loaders.costOfTask.load(this.id);
  }

  @Field(() => [Attempt], { description: 'Its attempts, oldest first.' })
  attempts(@Ctx() { loaders }: ApiContext): Promise<AttemptView[]> {
    return loaders.attemptsOfTask.load(this.id);
  }

  @Field(() => DateTime, { nullable: true, description: 'When its first attempt started.' })
  startedAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When it ended.' })
  endedAt!: Date | null;
}

export const TaskConnection = connectionType('Task', () => Task);

@ObjectType({ description: 'One step of a run.' })
export class Stage {
  declare runId: string;
  declare artifactId: string | null;

  @Field(() => String, { description: 'encode, survey, quantize, decode, label, compare, evaluate or report.' })
  name!: string;

  @Field(() => StageState, { description: 'Where it stands.' })
  state!: StageView['state'];

  @Field(() => String, { nullable: true, description: 'Why it was skipped.' })
  skipReason!: string | null;

  @Field(() => Int, { description: 'Tasks; 0 until it is planned.' })
  tasksTotal!: number;

  @Field(() => Int, { description: 'Tasks that succeeded, cached ones included.' })
  tasksDone!: number;

  @Field(() => Int, { description: 'Tasks whose artifact had been published before.' })
  tasksCached!: number;

  @Field(() => Long, { description: 'Items (images or points) of all tasks.' })
  itemsTotal!: number;

  @Field(() => Long, { description: 'Items handled so far, cached ones included.' })
  itemsDone!: number;

  @Field(() => Float, { nullable: true, description: 'Wall-clock seconds since it started, or that it took.' })
  seconds(@Ctx() { control }: ApiContext): number | null {
    return stageSeconds(this as unknown as StageView, control.now());
  }

  @Field(() => Float, { nullable: true, description: 'Items handled per wall-clock second, cached ones left out.' })
  itemsPerSecond(@Ctx() { control }: ApiContext): number | null {
    return itemsPerSecond(this as unknown as StageView, control.now());
  }

  @Field(() => Float, { description: 'Seconds that its attempts held their resources, failed ones too.' })
  allocatedSeconds!: number;

  @Field(() => Float, { description: 'Cost of its attempts in US dollars, failed ones too.' })
  costUsd!: number;

  @Field(() => Artifact, {
    nullable: true,
    description: 'What it published: a manifest that lists those of its tasks.',
  })
  artifact(@Ctx() { loaders }: ApiContext): Promise<unknown> | null {
    return this.artifactId === null ? null : loaders.artifact.load(this.artifactId);
  }

  @Field(() => TaskConnection, { description: 'Its tasks in order.' })
  async tasks(
    @Ctx() { loaders }: ApiContext,
    @Arg('first', () => Int, { defaultValue: 20, description: 'Tasks at most, 1 to 100.' }) first: number,
    @Arg('after', () => String, { nullable: true, description: 'endCursor of the page before.' }) after?: string | null,
  ): Promise<Connection<TaskView>> {
    const afterIndex = decodeNumber('task', after) ?? -1;
    const found = await loaders.tasksOfStage.load({
      runId: this.runId,
      stage: this.name,
      afterIndex,
      first: checkFirst(first),
    });
    const page = { items: found.slice(0, first), hasMore: found.length > first };
    return toConnection('task', page, after ?? null, (task) => String(task.index));
  }

  @Field(() => DateTime, { nullable: true, description: 'When it started.' })
  startedAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When it ended.' })
  endedAt!: Date | null;
}
