import { Field, Int, ObjectType } from 'type-graphql';
import { ErrorCode } from '../enums.ts';

@ObjectType({ description: 'Why an attempt or a run failed.' })
export class Failure {
  declare error: { code: string; message: string };

  @Field(() => ErrorCode, { description: 'One of a closed set.' })
  get code(): string {
    return this.error.code;
  }

  @Field(() => String, {
    description: 'userError, outOfMemory, preempted, imagePull, unschedulable, timeout, lost or internal.',
  })
  class!: string;

  @Field(() => String, { description: 'What was expected, what was received and what to do.' })
  get message(): string {
    return this.error.message;
  }

  @Field(() => Int, { nullable: true, description: 'Exit code of the process; null where a signal ended it.' })
  exitCode!: number | null;

  @Field(() => String, { nullable: true, description: 'Signal that ended the process, for example SIGKILL.' })
  signal!: string | null;

  @Field(() => [String], { description: 'The last lines that the worker logged, oldest first.' })
  lastLogLines!: string[];
}
