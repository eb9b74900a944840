import { Field, ObjectType } from 'type-graphql';
import { Artifact } from './artifact.ts';
import { result } from './results.ts';
import { ArtifactTally, OrphanSweep, RetentionPass, RetentionPlan, RetentionPolicy } from './retention.ts';
import { InvalidInput, NotFound, NotReady } from './user-errors.ts';

@ObjectType({ description: 'The policy is set; the next pass goes by it.' })
export class SetRetentionPolicySuccess {
  @Field(() => RetentionPolicy, { nullable: true, description: 'The policy; null: everything is kept.' })
  policy!: RetentionPolicy | null;
}

@ObjectType({ description: 'A pass was carried out, or planned.' })
export class ApplyRetentionSuccess {
  @Field(() => RetentionPlan, { nullable: true, description: 'What would go; null unless it was a dry run.' })
  plan!: unknown;

  @Field(() => RetentionPass, { nullable: true, description: 'What was done; null for a dry run.' })
  pass!: RetentionPass | null;
}

@ObjectType({ description: 'The artifact is pinned: it stays, and all that it was made from.' })
export class PinArtifactSuccess {
  @Field(() => Artifact, { description: 'The artifact.' })
  artifact!: unknown;
}

@ObjectType({ description: 'The artifact has no pin; the policy alone says whether it stays.' })
export class UnpinArtifactSuccess {
  @Field(() => Artifact, { description: 'The artifact.' })
  artifact!: unknown;
}

@ObjectType({ description: 'The bytes are gone.' })
export class InvalidateArtifactsSuccess {
  @Field(() => ArtifactTally, { description: 'What was deleted; what had been before is not counted.' })
  deleted!: ArtifactTally;
}

@ObjectType({ description: 'The store was swept.' })
export class SweepOrphansSuccess {
  @Field(() => OrphanSweep, { description: 'What was found and deleted.' })
  sweep!: OrphanSweep;
}

export const SetRetentionPolicyResult = result('SetRetentionPolicyResult', 'What came of setting a policy.', () => [
  SetRetentionPolicySuccess,
  InvalidInput,
]);

export const ApplyRetentionResult = result('ApplyRetentionResult', 'What came of a pass of retention.', () => [
  ApplyRetentionSuccess,
  NotReady,
]);

export const PinArtifactResult = result('PinArtifactResult', 'What came of pinning an artifact.', () => [
  PinArtifactSuccess,
  InvalidInput,
  NotFound,
  NotReady,
]);

export const UnpinArtifactResult = result('UnpinArtifactResult', 'What came of taking a pin away.', () => [
  UnpinArtifactSuccess,
  NotFound,
]);

export const SweepOrphansResult = result('SweepOrphansResult', 'What came of sweeping the store.', () => [
  SweepOrphansSuccess,
  InvalidInput,
  NotReady,
]);

export const InvalidateArtifactsResult = result('InvalidateArtifactsResult', 'What came of an invalidation.', () => [
  InvalidateArtifactsSuccess,
  InvalidInput,
  NotFound,
]);
