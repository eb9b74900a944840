import { Arg, Ctx, Field, InputType, Int, ObjectType } from 'type-graphql';
import { type PlanItem } from '../../control/ports.ts';
import { checkFirst, type Connection, connectionType, decodeCursor, toConnection } from '../connection.ts';
import { type ApiContext } from '../context.ts';
import { DoomReason } from '../enums.ts';
import { DateTime, Long } from '../scalars.ts';
import { Artifact } from './artifact.ts';

@ObjectType({ description: 'A kind of artifacts that goes earlier.' })
export class RetentionRule {
  @Field(() => String, { description: 'The kind.' })
  kind!: string;

  @Field(() => Int, { description: 'Days after the last run that used such an artifact ended.' })
  days!: number;

  @Field(() => Boolean, {
    description:
      'False: one that a kept artifact was made from stays. True: it goes, unless a pin, a prior or a run in flight needs it.',
  })
  cutLineage!: boolean;
}

@ObjectType({
  description:
    'What the project keeps. A run stays if keepDays or keepRuns wants it, and where neither is set; what it read and wrote stays with it, and all that this was made from.',
})
export class RetentionPolicy {
  @Field(() => Int, {
    nullable: true,
    description: 'Keeps runs that ended, and artifacts that were made, in the last so many days.',
  })
  keepDays!: number | null;

  @Field(() => Int, {
    nullable: true,
    description: 'Keeps the so many newest versions of each dataset, by their last import; null: all.',
  })
  keepVersions!: number | null;

  @Field(() => Int, {
    nullable: true,
    description: 'Keeps the so many newest runs of each dataset that SUCCEEDED.',
  })
  keepRuns!: number | null;

  @Field(() => [RetentionRule], { description: 'Kinds that go earlier.' })
  kinds!: RetentionRule[];

  @Field(() => Int, { description: 'Hours from being DOOMED to being DELETED; what is used in between stays.' })
  graceHours!: number;

  @Field(() => String, { description: 'Who set it.' })
  setBy!: string;

  @Field(() => DateTime, { description: 'When it was set.' })
  setAt!: Date;
}

@InputType({ description: 'A kind of artifacts that goes earlier.' })
export class RetentionRuleInput {
  @Field(() => String, {
    description: 'latents, distortionCurve, codebook, images, softLabels, comparison, syntheticDataset or report.',
  })
  kind!: string;

  @Field(() => Int, { description: 'Days after the last run that used such an artifact ended, 1 or more.' })
  days!: number;

  @Field(() => Boolean, {
    defaultValue: false,
    description: 'Whether it goes also where a kept artifact was made from it.',
  })
  cutLineage!: boolean;
}

@InputType({ description: 'What the project is to keep; at least one rule.' })
export class RetentionPolicyInput {
  @Field(() => Int, { nullable: true, description: 'Keep runs and artifacts of the last so many days, 1 or more.' })
  keepDays?: number | null;

  @Field(() => Int, { nullable: true, description: 'Keep the so many newest versions of each dataset, 1 or more.' })
  keepVersions?: number | null;

  @Field(() => Int, {
    nullable: true,
    description: 'Keep the so many newest runs of each dataset that SUCCEEDED, 1 or more.',
  })
  keepRuns?: number | null;

  @Field(() => [RetentionRuleInput], { nullable: true, description: 'Kinds that go earlier, each once.' })
  kinds?: RetentionRuleInput[] | null;

  @Field(() => Int, {
    defaultValue: 24,
    description: 'Hours from being DOOMED to being DELETED; 0: the same pass does both.',
  })
  graceHours!: number;
}

@ObjectType({ description: 'Artifacts of one kind that go for one reason.' })
export class RetentionPlanKind {
  @Field(() => String, { description: 'The kind.' })
  kind!: string;

  @Field(() => DoomReason, { description: 'Why they go.' })
  reason!: string;

  @Field(() => Int, { description: 'Artifacts.' })
  artifacts!: number;

  @Field(() => Long, { description: 'Their bytes; blobs that several share are counted each time.' })
  bytes!: number;
}

@ObjectType({ description: 'An artifact that would go.' })
export class RetentionPlanItem {
  @Field(() => Artifact, { description: 'The artifact.' })
  artifact!: unknown;

  @Field(() => DoomReason, { description: 'Why it goes.' })
  reason!: string;
}

export const RetentionPlanItemConnection = connectionType('RetentionPlanItem', () => RetentionPlanItem);

@ObjectType({ description: 'What the policy does not keep now: DOOMED already, or to be doomed by the next pass.' })
export class RetentionPlan {
  @Field(() => Int, { description: 'Artifacts that would go.' })
  artifacts!: number;

  @Field(() => Long, { description: 'Bytes that would be free in the store: of blobs that nothing else names.' })
  bytes!: number;

  @Field(() => [RetentionPlanKind], { description: 'The same by kind and reason.' })
  kinds!: RetentionPlanKind[];

  @Field(() => RetentionPlanItemConnection, { description: 'The same one by one, in the order of their ids.' })
  async items(
    @Ctx() { control, principal }: ApiContext,
    @Arg('first', () => Int, { defaultValue: 20, description: 'Artifacts at most, 1 to 100.' }) first: number,
    @Arg('after', () => String, { nullable: true, description: 'endCursor of the page before.' }) after?: string | null,
  ): Promise<Connection<PlanItem>> {
    const page = { first: checkFirst(first), after: decodeCursor('retention', after) };
    const found = await control.retention.planItems(principal, page);
    return toConnection('retention', found, after ?? null, ({ artifact }) => artifact.id);
  }
}

@ObjectType({ description: 'Some artifacts.' })
export class ArtifactTally {
  @Field(() => Int, { description: 'How many.' })
  artifacts!: number;

  @Field(() => Long, { description: 'Their bytes.' })
  bytes!: number;
}

@ObjectType({ description: 'Some objects of the store.' })
export class ObjectTally {
  @Field(() => Int, { description: 'How many.' })
  count!: number;

  @Field(() => Long, { description: 'Their bytes.' })
  bytes!: number;
}

@ObjectType({ description: 'What a pass of retention did.' })
export class RetentionPass {
  @Field(() => ArtifactTally, {
    description: 'Doomed; blobs that several share are counted each time.',
  })
  doomed!: ArtifactTally;

  @Field(() => Int, { description: 'Artifacts that had been DOOMED and are kept after all.' })
  rescued!: number;

  @Field(() => ArtifactTally, { description: 'Deleted, with the bytes that came free in the store.' })
  deleted!: ArtifactTally;

  @Field(() => OrphanSweep, {
    nullable: true,
    description: 'What the sweep of the store found; null where none was due, which is once a day.',
  })
  orphans!: OrphanSweep | null;
}

@ObjectType({ description: 'An object that no row knows of.' })
export class StrayObject {
  @Field(() => String, { description: 'Its key in the store.' })
  key!: string;

  @Field(() => Long, { description: 'Its bytes.' })
  bytes!: number;

  @Field(() => DateTime, { description: 'When it was written.' })
  modifiedAt!: Date;
}

@ObjectType({ description: 'An object that a row knows of, which is not there as it should be.' })
export class MissingObject {
  @Field(() => String, { description: 'Its key in the store.' })
  key!: string;

  @Field(() => Long, { nullable: true, description: 'The bytes it should have; null for a manifest.' })
  expectedBytes!: number | null;

  @Field(() => Long, { nullable: true, description: 'The bytes it has; null where it is not there.' })
  bytes!: number | null;
}

@ObjectType({ description: 'Objects that no row knows of.' })
export class StrayObjects extends ObjectTally {
  @Field(() => [StrayObject], { description: 'The first 20.' })
  examples!: StrayObject[];
}

@ObjectType({ description: 'Objects that rows know of and that are not there.' })
export class MissingObjects extends ObjectTally {
  @Field(() => [MissingObject], { description: 'The first 20.' })
  examples!: MissingObject[];
}

@ObjectType({ description: 'How the store and the rows of the project differ.' })
export class OrphanReport {
  @Field(() => Int, { description: 'Manifests, blobs, files of uploads and orders of pods that were looked at.' })
  objects!: number;

  @Field(() => StrayObjects, {
    description:
      'What no row knows of: left by attempts that lost a race or died. A sweep deletes it, but for what lies where uploads do.',
  })
  storeWithoutRow!: StrayObjects;

  @Field(() => ObjectTally, {
    description: 'What no row knows of either, but so young that a task may be about to refer to it.',
  })
  young!: ObjectTally;

  @Field(() => MissingObjects, {
    description:
      'What rows know of and the store has not, or of another size. A run that needs it makes it again; a dataset or prior has to be imported or registered again, a file uploaded.',
  })
  rowWithoutStore!: MissingObjects;
}

@ObjectType({ description: 'How the store and the rows of the project differed, and what was deleted.' })
export class OrphanSweep extends OrphanReport {
  @Field(() => ObjectTally, { description: 'Of what no row knows of.' })
  deleted!: ObjectTally;

  @Field(() => Boolean, {
    description: 'Whether an import is under way: then blobs are left, since it may be about to name them.',
  })
  importing!: boolean;
}
