import { Arg, Ctx, FieldResolver, ID, Int, Query, Resolver, Root } from 'type-graphql';
import { notFound } from '../../base/errors.ts';
import { impactOf, type Impact as ImpactView, lineageKey, lineagePage } from '../../control/lineage.ts';
import { type LineageDirection as Direction, type LineageKey } from '../../control/ports.ts';
import { type ArtifactView } from '../../control/views.ts';
import { checkFirst, decodeCursor, filteredKind, toConnection, type Connection } from '../connection.ts';
import { type ApiContext } from '../context.ts';
import { LineageDirection } from '../enums.ts';
import { type Loaders } from '../loaders.ts';
import { loadNode } from '../nodes.ts';
import { Artifact } from '../types/artifact.ts';
import { ArtifactProducer, ArtifactUse, Impact, LINEAGE_TYPES, LineageNodeConnection } from '../types/lineage.ts';

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

@Resolver()
export class LineageQueries {
  @Query(() => LineageNodeConnection, {
    description:
      'What something was made from, or what was made from it, step by step: the nearest first. The node that was asked about is not among them. Bytes that retention deleted do not end a walk.',
  })
  async lineage(
    @Ctx() { control, principal, loaders }: ApiContext,
    @Arg('node', () => ID, {
      description:
        'Id of a dataset version, prior, run, artifact, upstream version, version of an alias or evaluation of a trigger.',
    })
    id: string,
    @Arg('direction', () => LineageDirection, { description: 'Which way.' }) direction: Direction,
    @Arg('depth', () => Int, { defaultValue: 5, description: 'Steps at most, 1 to 100.' }) depth: number,
    @Arg('first', () => Int, { defaultValue: 20, description: 'Nodes at most, 1 to 100.' }) first: number,
    @Arg('after', () => String, { nullable: true, description: 'endCursor of the page before.' }) after?: string | null,
  ): Promise<Connection<object>> {
    const from = await startOf(id, loaders);
    // A walk to another depth meets the same nodes in the same order, so its cursors may go on.
    const kind = filteredKind('lineage', { id, direction });
    const asked = { first: checkFirst(first), after: decodeCursor(kind, after) };
    const page = await lineagePage(control.read(principal), { from, direction, depth }, asked);
    const items = page.items.map((node) => ({ ...node, direction }));
    return toConnection(kind, { ...page, items }, after ?? null, lineageKey);
  }

  @Query(() => Impact, { description: 'What was made from a dataset version.' })
  async impact(
    @Ctx() { control, principal, loaders }: ApiContext,
    @Arg('datasetVersionId', () => ID, { description: 'Id of the version.' }) id: string,
  ): Promise<ImpactView> {
    const version = await loaders.datasetVersion.load(id);
    if (!version) throw notFound('dataset version', id);
    return await impactOf(control.read(principal), version.id);
  }
}

/** @throws NOT_FOUND */
async function startOf(id: string, loaders: Loaders): Promise<LineageKey> {
  for (const kind of Object.keys(LINEAGE_TYPES) as LineageKey['kind'][]) {
    const found = await loadNode(LINEAGE_TYPES[kind], id, loaders);
    // The id of an import that found an earlier version is that version's.
    if (found) return { kind, id: found.id };
  }
  throw notFound('dataset version, prior, run, artifact, upstream version, version of an alias or evaluation', id);
}
