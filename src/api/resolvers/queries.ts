import { Arg, Ctx, ID, Int, Query, Resolver } from 'type-graphql';
import { invalid } from '../../base/errors.ts';
import { type Page, type PageRequest } from '../../control/ports.ts';
import { type RunView } from '../../control/views.ts';
import { checkFirst, decodeCursor, filteredKind, MAX_PAGE, toConnection, type Connection } from '../connection.ts';
import { type ApiContext } from '../context.ts';
import { findNode } from '../nodes.ts';
import { Artifact } from '../types/artifact.ts';
import { Dataset, DatasetConnection, DatasetVersion } from '../types/dataset.ts';
import { ProjectEventConnection } from '../types/event.ts';
import { RunFilterInput } from '../types/inputs.ts';
import { Node } from '../types/node.ts';
import { Prior, PriorConnection } from '../types/prior.ts';
import { Project } from '../types/project.ts';
import { Run, RunConnection } from '../types/run.ts';
import { Upload, UploadConnection } from '../types/upload.ts';
import { UpstreamVersionConnection } from '../types/upstream.ts';
import { Health } from '../types/health.ts';

export const API_VERSION = '0.1';

const FIRST = { defaultValue: 20, description: 'Rows at most, 1 to 100.' };
const AFTER = { nullable: true, description: 'endCursor of the page before.' };

@Resolver()
export class Queries {
  @Query(() => String, {
    description: 'Version of this schema: the first number changes when something is taken away.',
  })
  apiVersion(): string {
    return API_VERSION;
  }

  @Query(() => Health, { description: 'Whether the service can do its work.' })
  async health(@Ctx() { control }: ApiContext): Promise<Health> {
    const health = await control.health();
    const [database, store] = [health.database === null, health.store === null];
    return { ok: database && store, database, store };
  }

  @Query(() => Project, { description: 'The project of whoever asks.' })
  project(@Ctx() { control, principal }: ApiContext): Promise<unknown> {
    return control.read(principal).about();
  }

  @Query(() => Node, { nullable: true, description: 'Whatever has this id, or null.' })
  node(
    @Ctx() { loaders }: ApiContext,
    @Arg('id', () => ID, {
      description:
        'Id of a dataset, dataset version, prior, run, artifact, upload, upstream version, version of an alias, trigger or evaluation.',
    })
    id: string,
  ): Promise<object | null> {
    return findNode(id, loaders);
  }

  @Query(() => [Node], {
    nullable: 'items',
    description: 'Whatever has these ids, in their order; null for those that nothing has.',
  })
  async nodes(
    @Ctx() { loaders }: ApiContext,
    @Arg('ids', () => [ID], { description: `Ids as \`node\` takes them, ${MAX_PAGE} at most.` }) ids: string[],
  ): Promise<(object | null)[]> {
    if (ids.length > MAX_PAGE) {
      throw invalid(`expected at most ${MAX_PAGE} ids, got ${ids.length}: ask in several requests`, { path: ['ids'] });
    }
    return await Promise.all(ids.map((id) => findNode(id, loaders)));
  }

  @Query(() => Dataset, { nullable: true, description: 'A dataset by its id or its name: give one of them.' })
  dataset(
    @Ctx() { control, principal, loaders }: ApiContext,
    @Arg('id', () => ID, { nullable: true, description: 'Its id.' }) id?: string | null,
    @Arg('name', () => String, { nullable: true, description: 'Its name.' }) name?: string | null,
  ): Promise<unknown> {
    if (id && !name) return loaders.dataset.load(id);
    if (name && !id) return control.read(principal).datasetByName(name);
    throw invalid(`expected either id or name, got ${id ? 'both' : 'neither'}: give one of them`, { path: ['id'] });
  }

  @Query(() => DatasetConnection, { description: 'Datasets, newest first.' })
  datasets(
    @Ctx() { control, principal }: ApiContext,
    @Arg('first', () => Int, FIRST) first: number,
    @Arg('after', () => String, AFTER) after?: string | null,
  ): Promise<Connection<{ id: string }>> {
    return paged('dataset', first, after, (page) => control.read(principal).datasets(page));
  }

  @Query(() => DatasetVersion, {
    nullable: true,
    description:
      'A dataset version by its id. The id of an import that found an earlier version answers with that one.',
  })
  datasetVersion(
    @Ctx() { loaders }: ApiContext,
    @Arg('id', () => ID, { description: 'Its id.' }) id: string,
  ): Promise<unknown> {
    return loaders.datasetVersion.load(id);
  }

  @Query(() => Prior, { nullable: true, description: 'A prior by its id.' })
  prior(@Ctx() { loaders }: ApiContext, @Arg('id', () => ID, { description: 'Its id.' }) id: string): Promise<unknown> {
    return loaders.prior.load(id);
  }

  @Query(() => PriorConnection, { description: 'Priors, newest first.' })
  priors(
    @Ctx() { control, principal }: ApiContext,
    @Arg('first', () => Int, FIRST) first: number,
    @Arg('after', () => String, AFTER) after?: string | null,
  ): Promise<Connection<{ id: string }>> {
    return paged('prior', first, after, (page) => control.read(principal).priors(page));
  }

  @Query(() => ProjectEventConnection, {
    description: 'What happened in the project outside of its runs: imports that ended, promotions. Newest first.',
  })
  projectEvents(
    @Ctx() { control, principal }: ApiContext,
    @Arg('first', () => Int, FIRST) first: number,
    @Arg('after', () => String, AFTER) after?: string | null,
    @Arg('types', () => [String], { nullable: true, description: 'Only events of these types; absent: all.' })
    types?: string[] | null,
  ): Promise<Connection<{ id: string }>> {
    const kind = filteredKind('projectEvent', { types });
    return paged(kind, first, after, (page) => control.read(principal).projectEvents(page, types ?? null));
  }

  @Query(() => Upload, { nullable: true, description: 'An upload by its id.' })
  upload(
    @Ctx() { loaders }: ApiContext,
    @Arg('id', () => ID, { description: 'Its id.' }) id: string,
  ): Promise<unknown> {
    return loaders.upload.load(id);
  }

  @Query(() => UploadConnection, { description: 'Uploads, newest first.' })
  uploads(
    @Ctx() { control, principal }: ApiContext,
    @Arg('first', () => Int, FIRST) first: number,
    @Arg('after', () => String, AFTER) after?: string | null,
  ): Promise<Connection<{ id: string }>> {
    return paged('upload', first, after, (page) => control.read(principal).uploads(page));
  }

  @Query(() => UpstreamVersionConnection, {
    description: 'Dataset versions that others made, as OpenLineage events told, those told last first.',
  })
  upstreamVersions(
    @Ctx() { control, principal }: ApiContext,
    @Arg('first', () => Int, FIRST) first: number,
    @Arg('after', () => String, AFTER) after?: string | null,
  ): Promise<Connection<{ id: string }>> {
    return paged('upstream', first, after, (page) => control.read(principal).upstreamVersions(page));
  }

  @Query(() => Run, { nullable: true, description: 'A run by its id.' })
  run(@Ctx() { loaders }: ApiContext, @Arg('id', () => ID, { description: 'Its id.' }) id: string): Promise<unknown> {
    return loaders.run.load(id);
  }

  @Query(() => RunConnection, { description: 'Runs, newest first.' })
  runs(
    @Ctx() { control, principal }: ApiContext,
    @Arg('first', () => Int, FIRST) first: number,
    @Arg('after', () => String, AFTER) after?: string | null,
    @Arg('filter', () => RunFilterInput, { nullable: true, description: 'Which runs; absent: all.' })
    filter?: RunFilterInput | null,
  ): Promise<Connection<RunView>> {
    const by = {
      ...(filter?.state && { states: filter.state }),
      ...(filter?.datasetId && { datasetId: filter.datasetId }),
      ...(filter?.datasetVersionId && { datasetVersionId: filter.datasetVersionId }),
      ...(filter?.priorId && { priorId: filter.priorId }),
    };
    return paged(filteredKind('run', by), first, after, (page) => control.read(principal).runs(page, by));
  }

  @Query(() => Artifact, { nullable: true, description: 'An artifact by its id.' })
  artifact(
    @Ctx() { loaders }: ApiContext,
    @Arg('id', () => ID, { description: 'Its id.' }) id: string,
  ): Promise<unknown> {
    return loaders.artifact.load(id);
  }
}

async function paged<T extends { id: string }>(
  kind: string,
  first: number,
  after: string | null | undefined,
  load: (page: PageRequest) => Promise<Page<T>>,
): Promise<Connection<T>> {
  const page = await load({ first: checkFirst(first), after: decodeCursor(kind, after) });
  return toConnection(kind, page, after ?? null, (row) => row.id);
}
