import { type ClassType, createUnionType, Field, ObjectType } from 'type-graphql';
import { Alias, AliasVersion } from './alias.ts';
import { DatasetVersion } from './dataset.ts';
import { Prior } from './prior.ts';
import { Project } from './project.ts';
import { Run } from './run.ts';
import { Upload, UploadPart } from './upload.ts';
import {
  BudgetExceeded,
  GatesFailed,
  IdempotencyConflict,
  InvalidInput,
  NotEnoughImages,
  NotFound,
  NotReady,
  PriorInvalid,
  SourceUnreadable,
  UploadIncomplete,
} from './user-errors.ts';

@ObjectType({ description: 'The import is recorded and goes on in the background, whatever happens to this process.' })
export class ImportDatasetSuccess {
  @Field(() => DatasetVersion, { description: 'Ask for it by its id until it is READY or FAILED.' })
  version!: unknown;

  @Field(() => Boolean, {
    description: 'True where the key, or an import under way of the same source, gave an earlier one.',
  })
  reused!: boolean;
}

@ObjectType({ description: 'The import was cancelled, or had ended before.' })
export class CancelImportSuccess {
  @Field(() => DatasetVersion, { description: 'FAILED with the code CANCELLED, or as its import had ended.' })
  version!: unknown;
}

@ObjectType({ description: 'The prior is registered.' })
export class RegisterPriorSuccess {
  @Field(() => Prior, { description: 'The prior.' })
  prior!: unknown;

  @Field(() => Boolean, { description: 'True where files of the same digests had been registered before.' })
  reused!: boolean;
}

@ObjectType({ description: 'The run is recorded and will be carried out, whatever happens to this process.' })
export class LaunchRunSuccess {
  @Field(() => Run, { description: 'The run.' })
  run!: unknown;

  @Field(() => Boolean, { description: 'True where the key gave an earlier run.' })
  reused!: boolean;
}

@ObjectType({ description: 'The run was asked to stop, or had ended before.' })
export class CancelRunSuccess {
  @Field(() => Run, { description: 'The run.' })
  run!: unknown;
}

@ObjectType({ description: 'The run is recorded and will be carried out, whatever happens to this process.' })
export class RetryRunSuccess {
  @Field(() => Run, { description: 'The new run.' })
  run!: unknown;

  @Field(() => Boolean, { description: 'True where the key gave an earlier run.' })
  reused!: boolean;
}

@ObjectType({ description: 'The limits hold for what is started from now on.' })
export class SetProjectLimitsSuccess {
  @Field(() => Project, { description: 'The project.' })
  project!: unknown;
}

@ObjectType({ description: 'The budget holds from now on, for what runs too.' })
export class SetProjectBudgetSuccess {
  @Field(() => Project, { description: 'The project.' })
  project!: unknown;
}

@ObjectType({ description: 'The upload is recorded and takes parts.' })
export class CreateUploadSuccess {
  @Field(() => Upload, { description: 'The upload; its files say how each is cut into parts.' })
  upload!: unknown;

  @Field(() => [UploadPart], {
    description: 'Where to send the files whose SHA-256 was given, the first 100; ask signUploadParts for the others.',
  })
  parts!: unknown[];

  @Field(() => Boolean, { description: 'True where the key gave an earlier upload.' })
  reused!: boolean;
}

@ObjectType({ description: 'URLs for the parts that were asked for.' })
export class SignUploadPartsSuccess {
  @Field(() => [UploadPart], { description: 'In the order of the input.' })
  parts!: unknown[];
}

@ObjectType({ description: 'All files are in the store.' })
export class CompleteUploadSuccess {
  @Field(() => Upload, { description: 'The upload, READY.' })
  upload!: unknown;
}

@ObjectType({ description: 'The upload ended and its files are deleted, or were before.' })
export class AbortUploadSuccess {
  @Field(() => Upload, { description: 'The upload.' })
  upload!: unknown;
}

@ObjectType({ description: 'The alias stands for the artifact.' })
export class PromoteArtifactSuccess {
  @Field(() => AliasVersion, { description: 'The version of the alias that holds now.' })
  version!: unknown;

  @Field(() => Boolean, { description: 'True where it stood for it before: nothing was changed.' })
  reused!: boolean;
}

@ObjectType({ description: 'The alias stands for what it stood for before.' })
export class RevertAliasSuccess {
  @Field(() => AliasVersion, { description: 'The version of the alias that holds now.' })
  version!: unknown;
}

@ObjectType({ description: 'The gates hold for promotions from now on.' })
export class SetAliasGatesSuccess {
  @Field(() => Alias, { description: 'The alias.' })
  alias!: unknown;
}

export const ImportDatasetResult = result('ImportDatasetResult', 'What came of an import request.', () => [
  ImportDatasetSuccess,
  InvalidInput,
  IdempotencyConflict,
  SourceUnreadable,
  NotFound,
  NotReady,
]);

export const CancelImportResult = result('CancelImportResult', 'What came of cancelling an import.', () => [
  CancelImportSuccess,
  NotFound,
]);

export const CreateUploadResult = result('CreateUploadResult', 'What came of creating an upload.', () => [
  CreateUploadSuccess,
  InvalidInput,
  IdempotencyConflict,
]);

export const SignUploadPartsResult = result('SignUploadPartsResult', 'What came of asking for URLs.', () => [
  SignUploadPartsSuccess,
  InvalidInput,
  NotFound,
  NotReady,
]);

export const CompleteUploadResult = result('CompleteUploadResult', 'What came of completing an upload.', () => [
  CompleteUploadSuccess,
  UploadIncomplete,
  NotFound,
  NotReady,
]);

export const AbortUploadResult = result('AbortUploadResult', 'What came of aborting an upload.', () => [
  AbortUploadSuccess,
  InvalidInput,
  NotFound,
]);

export const RegisterPriorResult = result('RegisterPriorResult', 'What came of registering a prior.', () => [
  RegisterPriorSuccess,
  InvalidInput,
  SourceUnreadable,
  PriorInvalid,
]);

export const LaunchRunResult = result('LaunchRunResult', 'What came of a launch.', () => [
  LaunchRunSuccess,
  InvalidInput,
  NotEnoughImages,
  NotFound,
  NotReady,
  IdempotencyConflict,
  BudgetExceeded,
]);

export const LaunchDriftResult = result('LaunchDriftResult', 'What came of launching a drift run.', () => [
  LaunchRunSuccess,
  InvalidInput,
  NotFound,
  NotReady,
  IdempotencyConflict,
  BudgetExceeded,
]);

export const CancelRunResult = result('CancelRunResult', 'What came of a cancellation.', () => [
  CancelRunSuccess,
  NotFound,
]);

export const RetryRunResult = result('RetryRunResult', 'What came of a retry.', () => [
  RetryRunSuccess,
  InvalidInput,
  NotFound,
  NotReady,
  IdempotencyConflict,
  BudgetExceeded,
]);

export const SetProjectLimitsResult = result('SetProjectLimitsResult', 'What came of limiting a project.', () => [
  SetProjectLimitsSuccess,
  InvalidInput,
]);

export const SetProjectBudgetResult = result('SetProjectBudgetResult', 'What came of a budget.', () => [
  SetProjectBudgetSuccess,
  InvalidInput,
]);

export const PromoteArtifactResult = result('PromoteArtifactResult', 'What came of a promotion.', () => [
  PromoteArtifactSuccess,
  GatesFailed,
  InvalidInput,
  NotFound,
  NotReady,
]);

export const RevertAliasResult = result('RevertAliasResult', 'What came of going back.', () => [
  RevertAliasSuccess,
  InvalidInput,
  NotFound,
  NotReady,
]);

export const SetAliasGatesResult = result('SetAliasGatesResult', 'What came of setting gates.', () => [
  SetAliasGatesSuccess,
  InvalidInput,
]);

export function result<const T extends readonly ClassType[]>(name: string, description: string, types: () => T) {
  return createUnionType({
    name,
    description,
    types,
    resolveType: (value: object) => (value as { __typename: string }).__typename,
  });
}
