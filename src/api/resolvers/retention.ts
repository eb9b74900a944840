import { Arg, Ctx, FieldResolver, ID, Int, Mutation, Query, Resolver, Root } from 'type-graphql';
import { type OrphanReport as Report } from '../../control/retention/orphans.ts';
import { type PinView, type PlanTotals, type StoredPolicy } from '../../control/ports.ts';
import { type ArtifactView } from '../../control/views.ts';
import { type ApiContext } from '../context.ts';
import { asResult } from '../errors.ts';
import { Artifact, ArtifactPin } from '../types/artifact.ts';
import { OrphanReport, RetentionPlan, RetentionPolicy, RetentionPolicyInput } from '../types/retention.ts';
import {
  ApplyRetentionResult,
  InvalidateArtifactsResult,
  PinArtifactResult,
  SetRetentionPolicyResult,
  SweepOrphansResult,
  UnpinArtifactResult,
} from '../types/retention-results.ts';

const OLDER_THAN = {
  defaultValue: 24,
  description:
    'Objects younger than so many hours are left, and those younger than the oldest attempt that runs; 1 or more.',
};

@Resolver(() => Artifact)
export class RetentionResolver {
  @FieldResolver(() => ArtifactPin, { nullable: true, description: 'Why it stays whatever the policy says.' })
  async pin(@Ctx() { loaders }: ApiContext, @Root() { id }: ArtifactView): Promise<PinView | null> {
    return (await loaders.pinsOfArtifact.load(id))[0] ?? null;
  }

  @Query(() => RetentionPolicy, { nullable: true, description: 'What the project keeps; null: everything.' })
  retentionPolicy(@Ctx() { control, principal }: ApiContext): Promise<StoredPolicy | null> {
    return control.retention.policy(principal);
  }

  @Query(() => RetentionPlan, { description: 'What would go now, and why. Nothing where there is no policy.' })
  retentionPlan(@Ctx() { control, principal }: ApiContext): Promise<PlanTotals> {
    return control.retention.plan(principal);
  }

  @Query(() => OrphanReport, {
    description: 'How the store and the rows differ. Lists all objects of the project, which takes its time.',
  })
  orphans(
    @Ctx() { control, principal }: ApiContext,
    @Arg('olderThanHours', () => Int, OLDER_THAN) olderThanHours: number,
  ): Promise<Report> {
    return control.retention.orphans(principal, olderThanHours);
  }

  @Mutation(() => SetRetentionPolicyResult, {
    description: 'Sets what the project keeps. What is DOOMED and kept by the new policy is rescued by the next pass.',
  })
  setRetentionPolicy(
    @Ctx() { control, principal }: ApiContext,
    @Arg('policy', () => RetentionPolicyInput, { nullable: true, description: 'The policy; null: keep everything.' })
    policy?: RetentionPolicyInput | null,
  ): Promise<object> {
    return asResult('SetRetentionPolicySuccess', ['InvalidInput'], async () => ({
      policy: await control.retention.setPolicy(principal, policy ?? null),
    }));
  }

  @Mutation(() => ApplyRetentionResult, {
    description:
      'A pass of retention now: dooms what the policy does not keep, and deletes what has been DOOMED for its grace period. Answers once it has ended.',
  })
  applyRetention(
    @Ctx() { control, principal }: ApiContext,
    @Arg('dryRun', () => Boolean, { defaultValue: false, description: 'Only say what would go.' }) dryRun: boolean,
  ): Promise<object> {
    return asResult('ApplyRetentionSuccess', ['NotReady'], async () =>
      dryRun
        ? { plan: await control.retention.plan(principal), pass: null }
        : { plan: null, pass: await control.retention.apply(principal) },
    );
  }

  @Mutation(() => PinArtifactResult, {
    description:
      'Keeps an artifact and all that it was made from, whatever the policy says. Pinned again, the note is new.',
  })
  pinArtifact(
    @Ctx() { control, principal, loaders }: ApiContext,
    @Arg('id', () => ID, { description: 'Id of the artifact.' }) id: string,
    @Arg('note', () => String, { defaultValue: '', description: 'Why; at most 1000 characters.' }) note: string,
  ): Promise<object> {
    return asResult('PinArtifactSuccess', ['InvalidInput', 'NotFound', 'NotReady'], async () => {
      await control.retention.pin(principal, id, note);
      return { artifact: await loaders.artifact.load(id) };
    });
  }

  @Mutation(() => UnpinArtifactResult, { description: 'Takes the pin of an artifact away, if it has one.' })
  unpinArtifact(
    @Ctx() { control, principal, loaders }: ApiContext,
    @Arg('id', () => ID, { description: 'Id of the artifact.' }) id: string,
  ): Promise<object> {
    return asResult('UnpinArtifactSuccess', ['NotFound'], async () => {
      await control.retention.unpin(principal, id);
      return { artifact: await loaders.artifact.load(id) };
    });
  }

  @Mutation(() => InvalidateArtifactsResult, {
    description:
      'Deletes the bytes of artifacts that runs made, now: a run that needs one makes it again and says why. All of them or none.',
  })
  invalidateArtifacts(
    @Ctx() { control, principal }: ApiContext,
    @Arg('ids', () => [ID], { description: 'Ids of the artifacts, at least one.' }) ids: string[],
    @Arg('note', () => String, { defaultValue: '', description: 'Why; at most 1000 characters.' }) note: string,
  ): Promise<object> {
    return asResult('InvalidateArtifactsSuccess', ['InvalidInput', 'NotFound'], async () => ({
      deleted: await control.retention.invalidate(principal, ids, note),
    }));
  }

  @Mutation(() => SweepOrphansResult, {
    description: 'Deletes old objects that no row knows of. Lists all objects of the project, which takes its time.',
  })
  sweepOrphans(
    @Ctx() { control, principal }: ApiContext,
    @Arg('olderThanHours', () => Int, OLDER_THAN) olderThanHours: number,
  ): Promise<object> {
    return asResult('SweepOrphansSuccess', ['InvalidInput', 'NotReady'], async () => ({
      sweep: await control.retention.sweepOrphans(principal, olderThanHours),
    }));
  }
}
