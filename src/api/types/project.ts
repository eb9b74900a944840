import { Field, Int, ObjectType } from 'type-graphql';
import { DateTime } from '../scalars.ts';

@ObjectType({ description: 'What holds datasets, priors and runs. Nothing of one is seen from another.' })
export class Project {
  @Field(() => String, { description: 'Unique in the service.' })
  id!: string;

  @Field(() => String, { description: 'What people call it.' })
  name!: string;

  @Field(() => Int, {
    nullable: true,
    description: 'Tasks of all its runs that may run at once; null: as many as the service has slots.',
  })
  maxRunningTasks!: number | null;

  @Field(() => Int, { description: 'Tasks that run now.' })
  runningTasks!: number;

  @Field(() => DateTime, { description: 'When it was created.' })
  createdAt!: Date;
}
