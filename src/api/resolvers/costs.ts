import { Arg, Ctx, Float, ID, Int, Mutation, Query, Resolver } from 'type-graphql';
import { costReport, type CostReport as Report } from '../../control/costs.ts';
import { type RunEstimate as Estimate } from '../../control/estimate.ts';
import {
  compareRuns,
  paretoFront,
  type ParetoFront as Front,
  type ParetoObjective as Objective,
  type RunComparison as Comparison,
} from '../../control/quality.ts';
import { type CostDimension as Dimension } from '../../control/views.ts';
import { type ApiContext } from '../context.ts';
import { CostDimension, ParetoObjective } from '../enums.ts';
import { asResult } from '../errors.ts';
import { DateTime } from '../scalars.ts';
import { CostReport, RunEstimate } from '../types/cost.ts';
import { RecipeInput } from '../types/inputs.ts';
import { ParetoFront, RunComparison } from '../types/quality.ts';
import { SetProjectBudgetResult } from '../types/results.ts';

@Resolver()
export class CostResolver {
  @Query(() => CostReport, {
    description: 'What the runs of the project cost: allocated seconds of every attempt times its price.',
  })
  costReport(
    @Ctx() { control, principal }: ApiContext,
    @Arg('by', () => [CostDimension], { defaultValue: [], description: 'What to tell costs apart by.' })
    by: Dimension[],
    @Arg('from', () => DateTime, { nullable: true, description: 'Attempts that ended from then on.' })
    from?: Date | null,
    @Arg('to', () => DateTime, { nullable: true, description: 'Attempts that ended before then.' }) to?: Date | null,
    @Arg('first', () => Int, { defaultValue: 100, description: 'Rows at most, 1 to 1000.' }) first = 100,
  ): Promise<Report> {
    return costReport(control.read(principal), { by, from: from ?? null, to: to ?? null, first });
  }

  @Query(() => RunEstimate, {
    description:
      'What a run of this recipe would take, from earlier runs of the project and what is published already. Nothing is launched.',
  })
  estimateRun(
    @Ctx() { control, principal }: ApiContext,
    @Arg('recipe', () => RecipeInput, { description: 'As in a launch.' }) recipe: RecipeInput,
  ): Promise<Estimate> {
    return control.estimateRun(principal, recipe);
  }

  @Query(() => RunComparison, { description: 'Runs side by side: where their recipes differ, and what they came to.' })
  compareRuns(
    @Ctx() { control, principal }: ApiContext,
    @Arg('ids', () => [ID], { description: 'The runs, twenty at most.' }) ids: string[],
  ): Promise<Comparison> {
    return compareRuns(control.read(principal), ids);
  }

  @Query(() => ParetoFront, {
    description: 'Which runs of a dataset are worth a choice, by several objectives at once.',
  })
  paretoFront(
    @Ctx() { control, principal }: ApiContext,
    @Arg('datasetId', () => ID, { description: 'The dataset, all its versions.' }) datasetId: string,
    @Arg('objectives', () => [ParetoObjective], { description: 'What to choose by; less is better in each.' })
    objectives: Objective[],
  ): Promise<Front> {
    return paretoFront(control.read(principal), { datasetId, objectives });
  }

  @Mutation(() => SetProjectBudgetResult, {
    description:
      'What the runs of the project may cost in a month. A launch that has no room in it is refused; once it is spent, what runs is stopped.',
  })
  setProjectBudget(
    @Ctx() { control, principal }: ApiContext,
    @Arg('monthlyUsd', () => Float, { nullable: true, description: 'US dollars of a month in UTC; absent: any.' })
    monthlyUsd?: number | null,
  ): Promise<object> {
    return asResult('SetProjectBudgetSuccess', ['InvalidInput'], async () => ({
      project: await control.budgetProject(principal, monthlyUsd ?? null),
    }));
  }
}
