import { Field, ObjectType } from 'type-graphql';

@ObjectType({ description: 'Whether the service can do its work.' })
export class Health {
  @Field(() => Boolean, { description: 'All of the below.' })
  ok!: boolean;

  @Field(() => Boolean, { description: 'Whether the database answers.' })
  database!: boolean;

  @Field(() => Boolean, { description: 'Whether the object store answers.' })
  store!: boolean;
}
