import { FieldResolver, Resolver, Root } from 'type-graphql';
import { type ArtifactView } from '../../control/views.ts';
import { Artifact } from '../types/artifact.ts';
import { ArtifactProducer, ArtifactUse } from '../types/lineage.ts';

/** The edges that lead from an artifact back to runs; kept apart from the type, so that types do not import in a circle. */
@Resolver(() => Artifact)
export class ArtifactLineage {
  @FieldResolver(() => ArtifactProducer, { nullable: true, description: 'What made it; null for what was imported.' })
  producedBy(@Root() { runId, taskId }: ArtifactView): { runId: string; taskId: string | null } | null {
    return runId === null ? null : { runId, taskId };
  }

  @FieldResolver(() => ArtifactUse, { description: 'What reads it.' })
  usedBy(@Root() { id }: ArtifactView): { artifactId: string } {
    return { artifactId: id };
  }
}
