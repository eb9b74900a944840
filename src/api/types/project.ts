import { Ctx, Field, Float, Int, ObjectType } from 'type-graphql';
import { type ApiContext } from '../context.ts';
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

  @Field(() => Float, {
    nullable: true,
    description: 'US dollars that its runs may cost in a month (UTC); null: any.',
  })
  monthlyBudgetUsd!: number | null;

  @Field(() => Float, {
    description: 'US dollars that its runs have cost in this month (UTC), what runs now included.',
  })
  spentThisMonthUsd(@Ctx() { control, principal }: ApiContext): Promise<number> {
    return control.read(principal).spentThisMonth();
  }

  @Field(() => DateTime, { description: 'When it was created.' })
  createdAt!: Date;
}
