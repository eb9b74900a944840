import { Field, ID, ObjectType } from 'type-graphql';
import { type UpstreamField as FieldView, type UpstreamJob as JobView } from '../../control/views.ts';
import { connectionType } from '../connection.ts';
import { DateTime } from '../scalars.ts';
import { Node } from './node.ts';

@ObjectType({ description: 'A field of a dataset.' })
export class UpstreamField {
  @Field(() => String, { description: 'Its name.' })
  name!: string;

  @Field(() => String, { nullable: true, description: 'Its type, in the words of who made it.' })
  type!: string | null;
}

@ObjectType({ description: 'What made a dataset version elsewhere.' })
export class UpstreamJob {
  @Field(() => String, { description: 'Namespace of the job.' })
  namespace!: string;

  @Field(() => String, { description: 'Name of the job.' })
  name!: string;

  @Field(() => ID, { description: 'The run, a UUID.' })
  runId!: string;
}

@ObjectType({
  implements: Node,
  description:
    'A dataset version that others made, as an OpenLineage event told. What is imported from where it lies comes from it.',
})
export class UpstreamVersion extends Node {
  @Field(() => String, { description: 'Namespace of the dataset: where its data lies.' })
  namespace!: string;

  @Field(() => String, { description: 'Name of the dataset in the namespace.' })
  name!: string;

  @Field(() => String, { description: 'Its version, or the run that made it where the event named none.' })
  version!: string;

  @Field(() => String, {
    nullable: true,
    description: 'Its place as imports name it; null where it lies nowhere that can be imported from.',
  })
  place!: string | null;

  @Field(() => [UpstreamField], { nullable: true, description: 'Its schema; null where the event told none.' })
  fields!: FieldView[] | null;

  @Field(() => String, { description: 'URI of the program that sent the event.' })
  producer!: string;

  @Field(() => UpstreamJob, { nullable: true, description: 'What made it; null where the event told none.' })
  job!: JobView | null;

  @Field(() => DateTime, { description: 'When it was made, by the clock of who made it.' })
  madeAt!: Date;

  @Field(() => DateTime, { description: 'When this service was told.' })
  createdAt!: Date;
}

export const UpstreamVersionConnection = connectionType('UpstreamVersion', () => UpstreamVersion);
