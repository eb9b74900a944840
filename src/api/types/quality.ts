import { Field, Float, Int, ObjectType } from 'type-graphql';
import {
  type ParetoFront as Front,
  type RunComparison as Comparison,
  type RunQuality as Quality,
} from '../../control/quality.ts';
import { ParetoObjective } from '../enums.ts';
import { Json } from '../scalars.ts';
import { Dataset } from './dataset.ts';
import { OverallFigures } from './figures.ts';
import { Run } from './run.ts';

@ObjectType({ description: 'What a run came to.' })
export class RunQuality {
  @Field(() => Run, { description: 'The run.' })
  run!: Quality['run'];

  @Field(() => OverallFigures, { nullable: true, description: 'Means over its classes.' })
  overall!: Quality['overall'];

  @Field(() => Int, { nullable: true, description: 'Synthetic images of all classes; null until they are known.' })
  images!: number | null;

  @Field(() => Float, {
    description:
      'US dollars that all it published cost to make, whoever made it. A run that found everything there has cost nothing itself.',
  })
  costToMakeUsd!: number;
}

@ObjectType({ description: 'A value that the recipes of runs do not share.' })
export class RecipeDifference {
  @Field(() => String, { description: 'Where in the recipe, such as `quantizer.restarts`.' })
  path!: string;

  @Field(() => [Json], {
    nullable: 'items',
    description: 'One for each run, in their order; null where a recipe does not have it.',
  })
  values!: unknown[];
}

@ObjectType({ description: 'Runs side by side.' })
export class RunComparison {
  @Field(() => [RunQuality], { description: 'The runs, in the order that was asked for.' })
  runs!: Comparison['runs'];

  @Field(() => [RecipeDifference], { description: 'Where their recipes are not the same, by path.' })
  differences!: Comparison['differences'];
}

@ObjectType({ description: 'The runs of a dataset that are worth a choice.' })
export class ParetoFront {
  @Field(() => Dataset, { description: 'The dataset that was asked about.' })
  dataset!: Front['dataset'];

  @Field(() => [ParetoObjective], { description: 'What they were judged by.' })
  objectives!: Front['objectives'];

  @Field(() => [RunQuality], {
    description:
      'Runs that no other is better than in one objective and as good as in all; by the first objective, least first. W2 compares runs of one version, one prior and the same classes alone.',
  })
  front!: Front['front'];

  @Field(() => Int, { description: 'Runs that succeeded and have all figures.' })
  considered!: number;

  @Field(() => Int, { description: 'Runs that succeeded and lack one.' })
  leftOut!: number;

  @Field(() => Boolean, { description: 'False where there are more than the newest 500, which are judged.' })
  complete!: boolean;
}
