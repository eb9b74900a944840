import { Field, Float, Int, ObjectType } from 'type-graphql';
import { type ClassCount } from '../../control/views.ts';

@ObjectType({ description: 'A class and how many images it has.' })
export class ClassImages {
  @Field(() => String, { description: 'The label name.' })
  name!: string;

  @Field(() => Int, { description: 'Images, those to be held out included.' })
  images!: number;

  @Field(() => Float, { description: 'Its share of the images of the version, 0 to 1.' })
  share!: number;
}

@ObjectType({ description: 'How evenly images are spread over classes.' })
export class ClassBalance {
  @Field(() => ClassImages, { description: 'The class of the fewest images; of several, the first in label order.' })
  smallest!: ClassImages;

  @Field(() => ClassImages, { description: 'The class of the most images; of several, the first in label order.' })
  largest!: ClassImages;

  @Field(() => Float, {
    description: 'Imbalance ratio: images of the largest class over those of the smallest, 1 or more.',
  })
  imbalanceRatio!: number;

  @Field(() => Float, {
    description:
      "Effective number of classes: exp of the Shannon entropy of the classes' shares, from 1 to the number of classes, which it reaches where all are equal.",
  })
  effectiveClasses!: number;
}

@ObjectType({ description: 'Images whose stored bytes occur before, in order of class and digest. They are kept.' })
export class Duplicates {
  @Field(() => Int, { description: 'Images that occur before in the same class.' })
  withinClass!: number;

  @Field(() => Int, { description: 'Times that an image occurs in one more class: it has contradictory labels.' })
  acrossClasses!: number;
}

@ObjectType({ description: 'Files that an import passed over.' })
export class IgnoredFiles {
  @Field(() => Int, { description: 'How many.' })
  count!: number;

  @Field(() => [String], {
    description: 'Some of them, at most five, with the reason where the name does not tell it.',
  })
  examples!: string[];
}

/** With the share that each has of all. */
export const classImages = (some: readonly ClassCount[], all: readonly ClassCount[]): ClassImages[] => {
  const total = all.reduce((sum, { images }) => sum + images, 0);
  return some.map(({ name, images }) => ({ name, images, share: images / total }));
};
