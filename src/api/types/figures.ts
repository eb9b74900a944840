import { Ctx, Field, Float, Int, ObjectType } from 'type-graphql';
import { type ClassFigures as Figures_, distortionCurve } from '../../control/figures.ts';
import { type ApiContext } from '../context.ts';

/** Null is what no task reported. */
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

  @Field(() => Float, {
    nullable: true,
    description:
      'W2 of the same points with uniform weights, in latent units. With CLVQ it is measured on at most 4,096 training latents, as `reduction` is.',
  })
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
    description:
      'Spread of the distortion over the restarts that ran to their end, a fraction of the best; null where fewer than two did, since most ' +
      'are given up once they are behind. From 64 dimensions on they are ' +
      'compared in a sketch of the latents, before they are finished in all of them: there it is the spread that the search saw.',
  })
  restartSpread!: number | null;

  @Field(() => Float, { nullable: true, description: 'Iterations of the restart that was kept.' })
  iterations!: number | null;

  @Field(() => Float, {
    nullable: true,
    description:
      'Intrinsic dimension of the training latents, in dimensions: TwoNN (Facco et al. 2017) over at most 2,000 of them. ' +
      'W2 falls with the number of points K about as K to the power of -1 over it. Measured by the survey.',
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

  @Field(() => Float, {
    nullable: true,
    description:
      'Slope of log W2 against log K over the distortion curve, no unit: W2 falls as K to this power. Of held-out latents where 20 or more were held out, else of the training latents.',
  })
  quantizationRate!: number | null;

  @Field(() => Float, { nullable: true, description: 'Lower end of the 95% interval of the slope, no unit.' })
  quantizationRateLow!: number | null;

  @Field(() => Float, { nullable: true, description: 'Upper end of the 95% interval of the slope, no unit.' })
  quantizationRateHigh!: number | null;

  @Field(() => Float, {
    nullable: true,
    description:
      'W2 of the balanced quantizer, in latent units: the best points found with uniform weights, exactly 1/K of the training latents each.',
  })
  w2Balanced!: number | null;

  @Field(() => Float, {
    nullable: true,
    description:
      '1 - w2Weighted / w2Balanced, a fraction: what the weights alone are worth. Below zero the quantizer stayed in a worse minimum; more restarts mend that.',
  })
  reductionBalanced!: number | null;

  @Field(() => Float, {
    nullable: true,
    description:
      "W2 of D4M's quantizer (one pass of mini-batch k-means, uniform weights), in latent units: mean over `compare.d4mShuffles` orders of the training latents.",
  })
  w2D4mMean!: number | null;

  @Field(() => Float, {
    nullable: true,
    description: 'Sample standard deviation of that W2 over the orders, in latent units.',
  })
  w2D4mDeviation!: number | null;

  @Field(() => Float, {
    nullable: true,
    description: '1 - w2Weighted / w2D4mMean, a fraction.',
  })
  reductionD4m!: number | null;

  @Field(() => Float, {
    nullable: true,
    description:
      'W2 between the training latents and the decoded images, encoded again, with the weights of their points; in latent units.',
  })
  w2Decoded!: number | null;

  @Field(() => Float, {
    nullable: true,
    description: 'w2Decoded - w2Weighted, in latent units: what the decoder adds.',
  })
  w2DecodedBias!: number | null;

  @Field(() => Float, {
    nullable: true,
    description:
      'Median distance from a decoded image, encoded again, to its nearest training latent, in latent units.',
  })
  nearestDecoded!: number | null;

  @Field(() => Float, {
    nullable: true,
    description:
      'Median distance from a training latent to its nearest other one, in latent units; of at most 2,000 of them.',
  })
  nearestReal!: number | null;

  @Field(() => Float, {
    nullable: true,
    description:
      'nearestDecoded / nearestReal. Centroids lie at 0.5 to 0.9 on CIFAR-10 and glyphs; images far below that are copies of training images.',
  })
  nearestRatio!: number | null;

  @Field(() => Float, {
    nullable: true,
    description:
      'Energy distance between the training latents and the decoded images, encoded again, with the weights of their points; in latent units.',
  })
  energyDecoded!: number | null;

  @Field(() => Float, {
    nullable: true,
    description: 'The same with the weights refitted on the decoded images, which make it least; in latent units.',
  })
  energyRefit!: number | null;

  @Field(() => Float, {
    nullable: true,
    description:
      'W2 between the training latents and the decoded images, encoded again, with the refitted weights; in latent units.',
  })
  w2Refit!: number | null;

  @Field(() => Float, {
    nullable: true,
    description: 'Effective sample size of the refitted weights, in points.',
  })
  essRefit!: number | null;
}

@ObjectType({ description: 'What so many points would leave of a class: a step of its distortion curve.' })
export class CurvePoint {
  @Field(() => Int, { description: 'Points.' })
  k!: number;

  @Field(() => Float, {
    description:
      'Mean squared distance of the training latents to the nearest point, in squared latent units; the best of two searches without swaps.',
  })
  distortion!: number;

  @Field(() => Float, {
    nullable: true,
    description: 'The same of the held-out latents, in squared latent units; null where none were held out.',
  })
  heldoutDistortion!: number | null;

  @Field(() => Float, {
    description: 'W2 of the training latents to the weighted points, in latent units: the root of `distortion`.',
  })
  w2!: number;

  @Field(() => Float, { description: 'Spread of the distortion over the searches, a fraction of the best.' })
  spread!: number;
}

@ObjectType({ description: 'What survey and quantizer found for one class, and what it was compared with.' })
export class ClassFigures extends Figures {
  declare curveArtifactId: Figures_['curveArtifactId'];

  @Field(() => String, { description: 'The class.' })
  className!: string;

  @Field(() => Int, {
    nullable: true,
    description: 'Images of the class that were encoded; `heldoutN` of them were held out.',
  })
  n!: number | null;

  @Field(() => Int, {
    nullable: true,
    description: 'Points, K: `imagesPerClass`, or the part of `totalImages` that the class got.',
  })
  k!: number | null;

  @Field(() => Int, { nullable: true, description: 'Images of `n` that were held out: the quantizer never saw them.' })
  heldoutN!: number | null;

  @Field(() => Int, {
    nullable: true,
    description: 'Training latents that the comparison measured: all of them, or 20,000 chosen by the seed.',
  })
  comparedN!: number | null;

  @Field(() => [CurvePoint], {
    nullable: true,
    description: 'What 1, 2, 5, 10, ... points would leave of the class, rising; null where the run did not survey it.',
  })
  async distortionCurve(@Ctx() { loaders }: ApiContext): Promise<CurvePoint[] | null> {
    const artifact = this.curveArtifactId === null ? null : await loaders.artifact.load(this.curveArtifactId);
    return artifact && distortionCurve(artifact);
  }
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

  @Field(() => Float, { nullable: true, description: 'Training latents per class that the comparison measured.' })
  comparedN!: number | null;
}
