import { Field, Float, InputType, ObjectType } from 'type-graphql';
import { type GateResult as Result } from '../../control/views.ts';
import { GateAgainst, GateFigure, GateScope, GateVerdict } from '../enums.ts';

const FIGURE = 'The figure.';
const AT_MOST = 'The figure, or the difference, that is let through at most; null: any.';
const AT_LEAST = 'The figure, or the difference, that is let through at least; null: any.';

@InputType({ description: 'What a promotion has to pass. At least one of atMost and atLeast is given.' })
export class GateInput {
  @Field(() => GateFigure, { description: FIGURE })
  figure!: Result['figure'];

  @Field(() => GateScope, { defaultValue: 'OVERALL', description: 'Whose.' })
  scope!: Result['scope'];

  @Field(() => GateAgainst, { defaultValue: 'NOTHING', description: 'What the bounds are of.' })
  against!: Result['against'];

  @Field(() => Float, { nullable: true, description: AT_MOST })
  atMost?: number | null;

  @Field(() => Float, { nullable: true, description: AT_LEAST })
  atLeast?: number | null;
}

@ObjectType({ description: 'A condition on the figures of the run that made a synthetic dataset.' })
export class Gate {
  @Field(() => GateFigure, { description: FIGURE })
  figure!: Result['figure'];

  @Field(() => GateScope, { description: 'Whose.' })
  scope!: Result['scope'];

  @Field(() => GateAgainst, { description: 'What the bounds are of.' })
  against!: Result['against'];

  @Field(() => Float, { nullable: true, description: AT_MOST })
  atMost!: number | null;

  @Field(() => Float, { nullable: true, description: AT_LEAST })
  atLeast!: number | null;
}

@ObjectType({ description: 'What a gate said of a synthetic dataset.' })
export class GateResult extends Gate {
  @Field(() => GateVerdict, { description: 'What it said.' })
  verdict!: Result['verdict'];

  @Field(() => Float, { nullable: true, description: 'The figure that decided; null where there is none.' })
  value!: number | null;

  @Field(() => Float, { nullable: true, description: 'That of what was promoted, where it was compared.' })
  promotedValue!: number | null;

  @Field(() => String, { nullable: true, description: 'The class that decided; null for OVERALL.' })
  className!: string | null;
}
