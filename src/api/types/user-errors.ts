import { Field, Float, InterfaceType, Int, ObjectType } from 'type-graphql';
import { ErrorCode } from '../enums.ts';
import { GateResult } from './gate.ts';
import { MissingPart } from './upload.ts';

@InterfaceType({
  description: 'A failure that the caller can do something about.',
  resolveType: (value: { __typename?: string }) => value.__typename,
})
export abstract class UserError {
  @Field(() => ErrorCode, { description: 'One of a closed set: branch on this, not on the message.' })
  code!: keyof typeof ErrorCode;

  @Field(() => String, { description: 'What was expected, what was received and what to do.' })
  message!: string;

  @Field(() => String, { nullable: true, description: 'What to do, alone.' })
  remedy!: string | null;

  @Field(() => [String], { description: 'The field of the input that is at fault; empty where it is none.' })
  path!: string[];
}

@ObjectType({ implements: UserError, description: 'A value of the input is out of range or does not fit the others.' })
export class InvalidInput extends UserError {}

@ObjectType({ implements: UserError, description: 'The input names something that this project does not have.' })
export class NotFound extends UserError {
  @Field(() => String, { nullable: true, description: 'The id that was asked for.' })
  id!: string | null;
}

@ObjectType({
  implements: UserError,
  description: 'The idempotency key was used for another request: nothing was done.',
})
export class IdempotencyConflict extends UserError {}

@ObjectType({ implements: UserError, description: 'What the input names is not ready yet, or failed.' })
export class NotReady extends UserError {}

@ObjectType({
  implements: UserError,
  description: 'The budget of the project or of the run has no room for it: nothing was launched.',
})
export class BudgetExceeded extends UserError {
  @Field(() => Float, { description: 'US dollars that may be spent.' })
  budgetUsd!: number;

  @Field(() => Float, { nullable: true, description: "US dollars spent in this month; null for the run's own budget." })
  spentUsd!: number | null;

  @Field(() => Float, {
    description: 'US dollars that the run is expected to cost; 0 where nothing like it was ever run.',
  })
  expectedUsd!: number;
}

@ObjectType({
  implements: UserError,
  description: 'A gate of the alias does not let it through: nothing was promoted.',
})
export class GatesFailed extends UserError {
  @Field(() => [GateResult], { description: 'What each gate said, in their order.' })
  gates!: unknown[];
}

@ObjectType({ implements: UserError, description: 'A class has fewer training images than points were asked for.' })
export class NotEnoughImages extends UserError {
  @Field(() => String, { description: 'The class.' })
  className!: string;

  @Field(() => Int, { description: 'Images of the class, those held out included.' })
  images!: number;

  @Field(() => Int, { description: 'The largest imagesPerClass that this class allows with this holdout.' })
  largestImagesPerClass!: number;
}

@ObjectType({
  implements: UserError,
  description: 'The path or `s3://` prefix cannot be read, or lies outside the import roots.',
})
export class SourceUnreadable extends UserError {}

@ObjectType({ implements: UserError, description: 'The bundle is not a prior that this service can use.' })
export class PriorInvalid extends UserError {}

@ObjectType({ implements: UserError, description: 'Parts are missing: send them and complete the upload again.' })
export class UploadIncomplete extends UserError {
  @Field(() => [MissingPart], { description: 'The first 1000 of them.' })
  missing!: MissingPart[];

  @Field(() => Int, { description: 'How many there are.' })
  missingCount!: number;
}
