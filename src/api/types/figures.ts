import { Field, Float, Int, ObjectType } from 'type-graphql';

/** Null is what the quantizer did not report. */
@ObjectType()
abstract class Figures {
  @Field(() => Float, {
    nullable: true,
    description: 'Mean squared distance to the nearest point, in squared latent units.',
  })
  distortion!: number | null;

  @Field(() => Float, {
    nullable: true,
    description:
      'W2 between the training latents and the weighted points, in latent units: the root of the distortion.',
  })
  w2Weighted!: number | null;

  @Field(() => Float, { nullable: true, description: 'W2 of the same points with uniform weights, in latent units.' })
  w2Uniform!: number | null;

  @Field(() => Float, { nullable: true, description: '1 - w2Weighted / w2Uniform, a fraction.' })
  reduction!: number | null;

  @Field(() => Float, { nullable: true, description: 'Effective sample size of the weights, in points.' })
  ess!: number | null;

  @Field(() => Float, { nullable: true, description: 'Distortion of the held-out latents, in squared latent units.' })
  heldoutDistortion!: number | null;

  @Field(() => Float, {
    nullable: true,
    description: 'W2 of the held-out latents to the weighted points, in latent units.',
  })
  heldoutW2!: number | null;

  @Field(() => Float, {
    nullable: true,
    description: 'Spread of the distortion over restarts, a fraction of the best.',
  })
  restartSpread!: number | null;

  @Field(() => Float, { nullable: true, description: 'Iterations of the restart that was kept.' })
  iterations!: number | null;

  @Field(() => Float, {
    nullable: true,
    description:
      'Intrinsic dimension of the training latents, in dimensions: TwoNN (Facco et al. 2017) over at most 2,000 of them. ' +
      'W2 falls with the number of points K about as K to the power of -1 over it.',
  })
  intrinsicDimension!: number | null;

  @Field(() => Float, {
    nullable: true,
    description: 'Lower end of the 95% interval of the intrinsic dimension, in dimensions.',
  })
  intrinsicDimensionLow!: number | null;

  @Field(() => Float, {
    nullable: true,
    description: 'Upper end of the 95% interval of the intrinsic dimension, in dimensions.',
  })
  intrinsicDimensionHigh!: number | null;
}

@ObjectType({ description: 'What the quantizer found for one class.' })
export class ClassFigures extends Figures {
  @Field(() => String, { description: 'The class.' })
  className!: string;

  @Field(() => Int, {
    nullable: true,
    description: 'Images of the class that were encoded; `heldoutN` of them were held out.',
  })
  n!: number | null;

  @Field(() => Int, { nullable: true, description: 'Points.' })
  k!: number | null;

  @Field(() => Int, { nullable: true, description: 'Images of `n` that were held out: the quantizer never saw them.' })
  heldoutN!: number | null;
}

@ObjectType({ description: 'Means over the classes that report a figure; each class counts the same.' })
export class OverallFigures extends Figures {
  @Field(() => Int, { description: 'Classes with figures so far.' })
  classes!: number;

  @Field(() => Float, {
    nullable: true,
    description: 'Images per class that were encoded; `heldoutN` of them were held out.',
  })
  n!: number | null;

  @Field(() => Float, { nullable: true, description: 'Points per class.' })
  k!: number | null;

  @Field(() => Float, { nullable: true, description: 'Images per class of `n` that were held out.' })
  heldoutN!: number | null;
}
