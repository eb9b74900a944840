import { Arg, Ctx, ID, Int, Mutation, Resolver } from 'type-graphql';
import { type ApiContext } from '../context.ts';
import { asResult } from '../errors.ts';
import { ImportDatasetInput, LaunchRunInput, RegisterPriorInput, RetryRunInput } from '../types/inputs.ts';
import {
  CancelImportResult,
  CancelRunResult,
  ImportDatasetResult,
  LaunchRunResult,
  RegisterPriorResult,
  RetryRunResult,
  SetProjectLimitsResult,
} from '../types/results.ts';

@Resolver()
export class Mutations {
  @Mutation(() => ImportDatasetResult, {
    description: 'Imports a dataset from where it lies. Answers at once; the import goes on in the background.',
  })
  importDataset(
    @Ctx() { control, principal }: ApiContext,
    @Arg('input', () => ImportDatasetInput, { description: 'What to import.' }) input: ImportDatasetInput,
  ): Promise<object> {
    return asResult(
      'ImportDatasetSuccess',
      ['InvalidInput', 'IdempotencyConflict', 'SourceUnreadable', 'NotFound', 'NotReady'],
      () => control.importDataset(principal, input),
    );
  }

  @Mutation(() => CancelImportResult, {
    description: 'Cancels an import, for all who joined it; one that has ended stays as it is.',
  })
  cancelImport(
    @Ctx() { control, principal }: ApiContext,
    @Arg('id', () => ID, { description: 'Id of the dataset version.' }) id: string,
  ): Promise<object> {
    return asResult('CancelImportSuccess', ['NotFound'], async () => ({
      version: await control.cancelImport(principal, id),
    }));
  }

  @Mutation(() => RegisterPriorResult, {
    description: 'Validates a model bundle and publishes it. Files of the same digests give the same prior.',
  })
  registerPrior(
    @Ctx() { control, principal }: ApiContext,
    @Arg('input', () => RegisterPriorInput, { description: 'The bundle.' }) input: RegisterPriorInput,
  ): Promise<object> {
    return asResult('RegisterPriorSuccess', ['InvalidInput', 'SourceUnreadable', 'PriorInvalid'], () =>
      control.registerPrior(principal, input),
    );
  }

  @Mutation(() => LaunchRunResult, {
    description: 'Validates a recipe and launches a run. One key gives exactly one run.',
  })
  launchRun(
    @Ctx() { control, principal }: ApiContext,
    @Arg('input', () => LaunchRunInput, { description: 'Recipe and key.' }) input: LaunchRunInput,
  ): Promise<object> {
    return asResult(
      'LaunchRunSuccess',
      ['InvalidInput', 'NotEnoughImages', 'NotFound', 'NotReady', 'IdempotencyConflict', 'BudgetExceeded'],
      () => control.launchRun(principal, input),
    );
  }

  @Mutation(() => CancelRunResult, { description: 'Asks a run to stop; one that has ended stays as it is.' })
  cancelRun(
    @Ctx() { control, principal }: ApiContext,
    @Arg('id', () => ID, { description: 'Id of the run.' }) id: string,
  ): Promise<object> {
    return asResult('CancelRunSuccess', ['NotFound'], async () => ({ run: await control.cancelRun(principal, id) }));
  }

  @Mutation(() => RetryRunResult, {
    description:
      'Launches the recipe of a run that has ended again, as a new run: what was published is reused, or made again from a stage on.',
  })
  retryRun(
    @Ctx() { control, principal }: ApiContext,
    @Arg('input', () => RetryRunInput, { description: 'Which run, and from where.' }) input: RetryRunInput,
  ): Promise<object> {
    return asResult(
      'RetryRunSuccess',
      ['InvalidInput', 'NotFound', 'NotReady', 'IdempotencyConflict', 'BudgetExceeded'],
      () => control.retryRun(principal, input),
    );
  }

  @Mutation(() => SetProjectLimitsResult, { description: 'Limits what all runs of the project use together.' })
  setProjectLimits(
    @Ctx() { control, principal }: ApiContext,
    @Arg('maxRunningTasks', () => Int, {
      nullable: true,
      description: 'Tasks that may run at once, 1 to 100000; absent: as many as the service has slots.',
    })
    maxRunningTasks?: number | null,
  ): Promise<object> {
    return asResult('SetProjectLimitsSuccess', ['InvalidInput'], async () => ({
      project: await control.limitProject(principal, maxRunningTasks ?? null),
    }));
  }
}
