import { Field, ID, Int, ObjectType } from 'type-graphql';
import { type ProjectEventView, type RunEventView } from '../../control/views.ts';
import { connectionType } from '../connection.ts';
import { DateTime, Json } from '../scalars.ts';

@ObjectType({ description: 'Something that happened to a run.' })
export class RunEvent {
  @Field(() => ID, { description: 'The run.' })
  runId!: string;

  @Field(() => Int, { description: 'Counts the events of a run from 1, without gaps.' })
  sequence!: number;

  @Field(() => DateTime, { description: 'When it was recorded.' })
  at!: Date;

  @Field(() => String, { description: 'For example run.created or task.succeeded. Ignore types that you do not know.' })
  type!: string;

  @Field(() => Json, { description: 'Facts by name; which ones follows from the type.' })
  payload!: RunEventView['payload'];
}

@ObjectType({ description: 'Something that happened in the project outside of its runs.' })
export class ProjectEvent {
  @Field(() => ID, { description: 'Its id.' })
  id!: string;

  @Field(() => DateTime, { description: 'When it was recorded.' })
  at!: Date;

  @Field(() => String, {
    description:
      'datasetVersion.ready, datasetVersion.failed, alias.promoted or alias.reverted. Ignore types that you do not know.',
  })
  type!: string;

  @Field(() => String, { description: 'What it happened to: the id of a dataset, the name of an alias.' })
  subject!: string;

  @Field(() => Json, { description: 'Facts by name; which ones follows from the type.' })
  payload!: ProjectEventView['payload'];
}

export const ProjectEventConnection = connectionType('ProjectEvent', () => ProjectEvent);

@ObjectType({ description: 'Events of a run in order.' })
export class RunEventPage {
  @Field(() => [RunEvent], { description: 'In order, without gaps.' })
  events!: RunEvent[];

  @Field(() => Int, { description: 'Pass it as afterSequence for the next page.' })
  lastSequence!: number;

  @Field(() => Boolean, { description: 'Whether more events are there now.' })
  hasMore!: boolean;
}
