import { Ctx, Field, ObjectType } from 'type-graphql';
import { type ApiContext } from '../context.ts';
import { Artifact } from './artifact.ts';
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
