import { Arg, Ctx, Mutation, Query, Resolver } from 'type-graphql';
import { type RunEstimate as Estimate } from '../../control/estimate.ts';
import { type ApiContext } from '../context.ts';
import { asResult } from '../errors.ts';
import { RunEstimate } from '../types/cost.ts';
import { DriftRecipeInput, LaunchDriftInput } from '../types/inputs.ts';
import { LaunchDriftResult } from '../types/results.ts';

@Resolver()
export class DriftResolver {
  @Mutation(() => LaunchDriftResult, {
    description:
      'Launches a drift run: whether the new images of a dataset version are like those that a run distilled. One key gives exactly one run.',
  })
  launchDrift(
    @Ctx() { control, principal }: ApiContext,
    @Arg('input', () => LaunchDriftInput, { description: 'Recipe and key.' }) input: LaunchDriftInput,
  ): Promise<object> {
    return asResult(
      'LaunchRunSuccess',
      ['InvalidInput', 'NotFound', 'NotReady', 'IdempotencyConflict', 'BudgetExceeded'],
      () => control.launchRun(principal, { ...input, recipe: asked(input.recipe) }),
    );
  }

  @Query(() => RunEstimate, {
    description: 'What a drift run of this recipe would take, as `estimateRun` has it. Nothing is launched.',
  })
  estimateDrift(
    @Ctx() { control, principal }: ApiContext,
    @Arg('recipe', () => DriftRecipeInput, { description: 'As in a launch.' }) recipe: DriftRecipeInput,
  ): Promise<Estimate> {
    return control.estimateRun(principal, asked(recipe));
  }
}

const asked = (recipe: DriftRecipeInput): object => ({ ...recipe, kind: 'DRIFT' });
