import { Field, Float, Int, ObjectType } from 'type-graphql';
import { type ClassDrift as Class, type OverallDrift as Overall } from '../../control/drift.ts';
import { DriftClassState } from '../enums.ts';

/** Null is what does not apply, or could not be said. */
@ObjectType({ description: 'What was found of one class.' })
export class ClassDrift {
  @Field(() => String, { description: 'The class.' })
  className!: string;

  @Field(() => DriftClassState, { description: 'How it fares.' })
  state!: Class['state'];

  @Field(() => Boolean, { description: 'Whether it is an alarm.' })
  drifted!: boolean;

  @Field(() => Int, { description: 'Images that it has in the version.' })
  images!: number;

  @Field(() => Int, { description: 'Those among them that the reference does not have.' })
  fresh!: number;

  @Field(() => Int, { description: 'Those that it has: they have not changed, and are not compared.' })
  kept!: number;

  @Field(() => Int, { description: 'Images of the reference that the version does not have any more.' })
  removed!: number;

  @Field(() => Int, { description: 'New images that were compared.' })
  sampled!: number;

  @Field(() => Int, { description: 'Held-out samples of the reference that they were compared with.' })
  referenceN!: number;

  @Field(() => Int, { nullable: true, description: 'Points of the codebook, K.' })
  k!: number | null;

  @Field(() => Float, {
    nullable: true,
    description: 'Of the distances to the nearest point, by ranks (Wilcoxon, two-sided): of this test by itself.',
  })
  distancePValue!: number | null;

  @Field(() => Float, {
    nullable: true,
    description: 'The same, corrected for all classes and both tests: drift where it is at most alpha.',
  })
  distancePValueCorrected!: number | null;

  @Field(() => Float, {
    nullable: true,
    description:
      'Standard deviations that the ranks of the new distances are above what chance makes of them; below 0: beneath.',
  })
  distanceZ!: number | null;

  @Field(() => Float, {
    nullable: true,
    description: 'Mean distance of the held-out samples to their points, in latent units.',
  })
  referenceDistance!: number | null;

  @Field(() => Float, { nullable: true, description: 'Mean distance of the new images, in latent units.' })
  distance!: number | null;

  @Field(() => Float, { nullable: true, description: 'distance / referenceDistance: how large the change is.' })
  distanceRatio!: number | null;

  @Field(() => Float, {
    nullable: true,
    description: 'Of the masses of the cells, by chi-square of both counts: of this test by itself.',
  })
  massPValue!: number | null;

  @Field(() => Float, {
    nullable: true,
    description: 'The same, corrected for all classes and both tests: drift where it is at most alpha.',
  })
  massPValueCorrected!: number | null;

  @Field(() => Float, {
    nullable: true,
    description: 'Total variation between the masses of held-out samples and new images, 0 to 1.',
  })
  totalVariation!: number | null;

  @Field(() => Float, { nullable: true, description: 'What chance alone makes of it on average, 0 to 1.' })
  expectedVariation!: number | null;

  @Field(() => Float, { nullable: true, description: 'What is above that, 0 to 1: how large the change is.' })
  massChange!: number | null;
}

@ObjectType({ description: 'What was found of the whole version.' })
export class OverallDrift implements Overall {
  @Field(() => Boolean, { description: 'Whether it is drift: a class that drifted, or came or went.' })
  alarm!: boolean;

  @Field(() => Int, { description: 'Classes of the version and of the reference.' })
  classes!: number;

  @Field(() => Int, { description: 'Classes whose new images were compared.' })
  classesTested!: number;

  @Field(() => Int, { description: 'Those among them that drifted.' })
  classesDrifted!: number;

  @Field(() => Int, { description: 'Classes that the reference does not have.' })
  newClasses!: number;

  @Field(() => Int, { description: 'Classes that the version does not have.' })
  vanishedClasses!: number;

  @Field(() => Int, { description: 'New images of all classes.' })
  fresh!: number;

  @Field(() => Int, { description: 'New images that were compared.' })
  sampled!: number;

  @Field(() => Float, { nullable: true, description: 'The least of all p-values, corrected.' })
  minPValue!: number | null;

  @Field(() => Float, { nullable: true, description: 'The largest ratio of distances of a class.' })
  maxDistanceRatio!: number | null;

  @Field(() => Float, { nullable: true, description: 'The least ratio of distances of a class.' })
  minDistanceRatio!: number | null;

  @Field(() => Float, { nullable: true, description: 'The largest part of the mass of a class that moved, 0 to 1.' })
  maxMassChange!: number | null;
}

@ObjectType({ description: 'What a drift run found.' })
export class Drift {
  @Field(() => OverallDrift, { description: 'Of the whole version.' })
  overall!: Overall;

  @Field(() => [ClassDrift], {
    description: 'The classes of the reference, then those that are new, then those that are gone.',
  })
  classes!: Class[];
}
