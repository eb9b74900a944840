import { Arg, Ctx, Field, ID, Int, ObjectType } from 'type-graphql';
import { type Impact as ImpactView } from '../../control/lineage.ts';
import {
  type LineageDirection as Direction,
  type LineageEdge as EdgeView,
  type LineageKey,
} from '../../control/ports.ts';
import { checkFirst, connectionType } from '../connection.ts';
import { type ApiContext } from '../context.ts';
import { LineageKind, LineageRelation } from '../enums.ts';
import { loadNode, type NodeType } from '../nodes.ts';
import { AliasVersion } from './alias.ts';
import { Artifact } from './artifact.ts';
import { DatasetVersion } from './dataset.ts';
import { Node } from './node.ts';
import { Run } from './run.ts';
import { Task } from './stage.ts';

@ObjectType({ description: 'What made an artifact.' })
export class ArtifactProducer {
  declare runId: string;
  declare taskId: string | null;

  @Field(() => Run, { nullable: true, description: 'The run that carried the task out first.' })
  run(@Ctx() { loaders }: ApiContext): Promise<unknown> {
    return loaders.run.load(this.runId);
  }

  @Field(() => Task, { nullable: true, description: 'The task; null for the artifact of a whole stage.' })
  task(@Ctx() { loaders }: ApiContext): Promise<unknown> | null {
    return this.taskId === null ? null : loaders.task.load(this.taskId);
  }
}

@ObjectType({ description: 'What reads an artifact.' })
export class ArtifactUse {
  declare artifactId: string;

  @Field(() => [Run], { description: 'Runs that took it as an input, newest first.' })
  runs(@Ctx() { loaders }: ApiContext): Promise<unknown[]> {
    return loaders.runsUsingArtifact.load(this.artifactId);
  }

  @Field(() => [Artifact], { description: 'Artifacts that were made from it, oldest first.' })
  artifacts(@Ctx() { loaders }: ApiContext): Promise<unknown[]> {
    return loaders.usersOfArtifact.load(this.artifactId);
  }
}

export const LINEAGE_TYPES: Record<LineageKey['kind'], NodeType> = {
  ARTIFACT: 'Artifact',
  RUN: 'Run',
  DATASET_VERSION: 'DatasetVersion',
  PRIOR: 'Prior',
  UPSTREAM_VERSION: 'UpstreamVersion',
  ALIAS_VERSION: 'AliasVersion',
  TRIGGER_EVALUATION: 'TriggerEvaluation',
};

@ObjectType({ description: 'An edge of lineage, from the node that was asked about to a neighbour of it.' })
export class LineageEdge {
  declare to: LineageKey;

  @Field(() => LineageRelation, { description: 'How the two hang together.' })
  relation!: EdgeView['relation'];

  @Field(() => LineageKind, { description: 'What the neighbour is.' })
  get kind(): LineageKey['kind'] {
    return this.to.kind;
  }

  @Field(() => ID, { description: 'Id of the neighbour.' })
  get id(): string {
    return this.to.id;
  }
}

@ObjectType({ description: 'Something that lies upstream or downstream of what was asked about.' })
export class LineageNode {
  declare direction: Direction;

  @Field(() => LineageKind, { description: 'What it is.' })
  kind!: LineageKey['kind'];

  @Field(() => ID, { description: 'Its id.' })
  id!: string;

  @Field(() => Int, { description: 'Steps away from where the walk began: 1 for a neighbour.' })
  depth!: number;

  @Field(() => Node, { nullable: true, description: 'Itself.' })
  node(@Ctx() { loaders }: ApiContext): Promise<object | null> {
    return loadNode(LINEAGE_TYPES[this.kind], this.id, loaders);
  }

  @Field(() => [LineageEdge], {
    description:
      'Its own neighbours the same way, by kind and id: with them the nodes of a page can be drawn as a graph.',
  })
  async neighbours(
    @Ctx() { loaders }: ApiContext,
    @Arg('first', () => Int, { defaultValue: 20, description: 'Neighbours at most, 1 to 100.' }) first: number,
  ): Promise<EdgeView[]> {
    return (await loaders.lineageEdges.load({ of: this, direction: this.direction })).slice(0, checkFirst(first));
  }
}

export const LineageNodeConnection = connectionType('LineageNode', () => LineageNode);

@ObjectType({
  description: 'What was made from a dataset version: what would have to be made anew, were it found to be wrong.',
})
export class Impact {
  declare datasetVersionId: string;

  @Field(() => DatasetVersion, { nullable: true, description: 'The version that was asked about.' })
  datasetVersion(@Ctx() { loaders }: ApiContext): Promise<unknown> {
    return loaders.datasetVersion.load(this.datasetVersionId);
  }

  @Field(() => Int, { description: 'Runs that read it, or artifacts made from it.' })
  runs!: number;

  @Field(() => Int, { description: 'Artifacts that were made from it, its own among them.' })
  artifacts!: number;

  @Field(() => [Artifact], { description: 'The synthetic datasets among them, newest first.' })
  syntheticDatasets!: ImpactView['syntheticDatasets'];

  @Field(() => [AliasVersion], { description: 'What aliases in use stand for among them, by alias.' })
  aliases!: ImpactView['aliases'];

  @Field(() => Boolean, { description: 'False where more lies downstream than the 100000 nodes that were counted.' })
  complete!: boolean;
}
